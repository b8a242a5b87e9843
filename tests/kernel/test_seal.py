# SPDX-License-Identifier: GPL-2.0-only
"""A seal holds for what was sealed, and for nothing that became of it."""

import os
import shutil
from pathlib import Path

import pytest

from dmabuf_patchgen.kernel import seal
from tests import damage, strace

#: Seals a directory.
CLOSING = """
import pathlib, sys
from dmabuf_patchgen.kernel import seal
seal.close(pathlib.Path(sys.argv[1]))
"""


@pytest.fixture(params=[True, False], ids=["content", "state"])
def sealed(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A directory that is sealed by what is in its files, or by their state."""
    place = tmp_path / "kept"
    (place / "sub/empty").mkdir(parents=True)
    (place / "sub/file").write_text("a file\n")
    (place / "other").write_text("another\n")
    (place / "link").symlink_to("sub/file")
    seal.close(place, "made from this", content=request.param)
    return place


def test_it_holds_for_what_it_was_made_from(sealed: Path) -> None:
    assert seal.holds(sealed, "made from this")
    assert not seal.holds(sealed, "made from that")
    assert not seal.holds(sealed.parent, "made from this")
    moved = sealed.rename(sealed.with_name("moved"))
    assert seal.holds(moved, "made from this")


@pytest.mark.parametrize("what", damage.DAMAGES)
@pytest.mark.parametrize("name", ["sub/file", "other", seal.NAME])
def test_it_breaks_with_each_file(sealed: Path, name: str, what: str) -> None:
    damage.DAMAGES[what](sealed / name)
    assert not seal.holds(sealed, "made from this")


@pytest.mark.parametrize("body", ["[]", "null", "{}", '{"about": "made from this"}', "1" * 5000])
def test_what_is_no_seal_holds_nothing(sealed: Path, body: str) -> None:
    (sealed / seal.NAME).write_text(body)
    assert not seal.holds(sealed, "made from this")


def test_it_breaks_with_a_file_more(sealed: Path) -> None:
    (sealed / "sub/more").touch()
    assert not seal.holds(sealed, "made from this")


def test_it_breaks_with_a_link_and_a_mode(sealed: Path) -> None:
    (sealed / "other").chmod(0o700)
    assert not seal.holds(sealed, "made from this")
    (sealed / "other").chmod(0o644)
    seal.close(sealed)
    (sealed / "link").unlink()
    (sealed / "link").symlink_to("other")
    assert not seal.holds(sealed)


def test_a_copy_is_as_good_where_content_counts(tmp_path: Path) -> None:
    place = tmp_path / "kept"
    place.mkdir()
    (place / "file").write_text("a file\n")
    for content in (True, False):
        seal.close(place, content=content)
        copy = shutil.copytree(place, tmp_path / f"copy-{content}")
        assert seal.holds(copy) is content


@pytest.mark.parametrize("number", [3, 300])
def test_all_of_it_is_brought_to_the_disk(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    strace.require()
    place, log = tmp_path / "kept", tmp_path / "log"
    place.mkdir()
    for name in range(number):
        (place / f"{name}").touch()
    sync = tmp_path / "bin/sync"
    sync.parent.mkdir()
    sync.write_text(f'#!/bin/sh\necho "$@" >>{log}\n')
    sync.chmod(0o755)
    monkeypatch.setenv("PATH", f"{sync.parent}:{os.environ['PATH']}")
    synced = strace.Traced(CLOSING, (place,)).files("fsync")
    each = [*map(str, place.iterdir()), str(place)]
    if number == 3:
        assert sorted(synced) == sorted(each) and not log.exists()
    else:
        assert not synced and log.read_text() == f"--file-system {place}\n"
