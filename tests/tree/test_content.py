# SPDX-License-Identifier: GPL-2.0-only
"""A directory has the id of the git tree with its files, however it comes to be known."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.tree import content
from tests import calls, repos

#: Names that git sorts otherwise than a list of strings does, and some that are no UTF-8.
NAMES = ("a", "a.c", "a-b", "a0", "b", "B", "ä", os.fsdecode(b"\xff"), ".gitignore", "x y")
#: Content, or the target of a link behind an arrow, or a program behind a hash and bang.
FILES = st.one_of(
    st.binary(max_size=20),
    st.sampled_from([b"->a", b"->b/../a", b"->nowhere", b"#!x", b"*\n"]),
)
PATHS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map("/".join)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/dmabuf-patchgen/contents"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository whose index takes the files of any directory."""
    place = tmp_path / "repo.git"
    repos.git(tmp_path, "init", "-q", "--bare", str(place))
    return place


def of_git(repo: Path, root: Path) -> str:
    """The id of the tree that git makes of a directory."""
    (repo / "index").unlink(missing_ok=True)
    env = {**os.environ, "GIT_DIR": str(repo), "GIT_WORK_TREE": str(root)}
    for command in (["add", "--all", "--force", "."], ["write-tree"]):
        done = subprocess.run(
            ["git", *command], cwd=root, env=env, capture_output=True, text=True, check=True
        )
    return done.stdout.strip()


def write(root: Path, files: Mapping[str, bytes]) -> None:
    for name, body in files.items():
        path = root / name
        if any((root / parent).is_symlink() for parent in Path(name).parents) or path.is_dir():
            continue
        if any((root / parent).is_file() for parent in Path(name).parents):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if body.startswith(b"->"):
            path.symlink_to(os.fsdecode(body[2:]))
        else:
            path.write_bytes(body)
            path.chmod(0o755 if body.startswith(b"#!") else 0o640)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.dictionaries(PATHS, FILES, max_size=8))
def test_it_is_the_id_of_the_git_tree(
    repo: Path, tmp_path_factory: pytest.TempPathFactory, files: Mapping[str, bytes]
) -> None:
    root = tmp_path_factory.mktemp("tree")
    (root / "empty/deeper").mkdir(parents=True)
    write(root, files)
    assert content.tree_id(root) == of_git(repo, root)


@pytest.fixture
def known(tmp_path: Path, own_cache: Path) -> Path:
    """A directory whose content is known, on a file system whose clock never stands still."""
    root = tmp_path / "tree"
    write(root, {"a": b"one\n", "b/c": b"two\n", "b/d": b"three\n", "e": b"->a"})
    content.tree_id(root, tick=0)
    assert len([*own_cache.iterdir()]) == 1
    return root


def test_only_what_changed_is_read(known: Path, repo: Path) -> None:
    with calls.opened(known) as read:
        assert content.tree_id(known, tick=0) == of_git(repo, known)
    assert not read
    (known / "b/c").write_text("another\n")
    with calls.opened(known) as read:
        assert content.tree_id(known, tick=0) == of_git(repo, known)
    # What stands beside it, and what stands beside the directory; a link is not opened.
    assert sorted(read) == ["a", "b/c", "b/d"]


def test_a_change_that_hides_its_size_and_time_is_seen(known: Path, repo: Path) -> None:
    path = known / "b/c"
    before, times = content.tree_id(known, tick=0), path.stat()
    path.write_text("2wo\n")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert path.stat().st_mtime_ns == times.st_mtime_ns
    assert path.stat().st_size == times.st_size
    assert content.tree_id(known, tick=0) == of_git(repo, known) != before


def test_what_changes_while_a_clock_stands_still_is_seen(known: Path, repo: Path) -> None:
    hour = 3600 * 10**9
    (known / "b/c").write_text("just now\n")
    content.tree_id(known, tick=hour)
    # Of the files beside it nothing is taken for granted the next time.
    with calls.opened(known) as read:
        assert content.tree_id(known, tick=hour) == of_git(repo, known)
    assert sorted(read) == ["a", "b/c", "b/d"]


def damages(body: bytes) -> list[bytes]:
    """A file cut off, emptied, and with each of some bytes changed."""
    flipped = [body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :] for at in range(0, len(body), 37)]
    return [b"", body[: len(body) // 2], body[:-1], body + b"x", b"[]", b"\xff\xfe", *flipped]


def test_a_damaged_index_is_made_anew(known: Path, own_cache: Path) -> None:
    (place,) = own_cache.iterdir()
    expected, sound = content.tree_id(known, tick=0), place.read_bytes()
    for body in damages(sound):
        place.write_bytes(body)
        assert content.tree_id(known, tick=0) == expected
        assert place.read_bytes() == sound


def test_a_cache_that_cannot_be_written_costs_time_only(
    known: Path, own_cache: Path, repo: Path
) -> None:
    (place,) = own_cache.iterdir()
    place.unlink()
    place.mkdir()
    assert content.tree_id(known, tick=0) == of_git(repo, known)


def test_few_directories_are_remembered(tmp_path: Path, own_cache: Path) -> None:
    for number in range(23):
        write(tmp_path / f"{number}", {"a": b"%d" % number})
        content.tree_id(tmp_path / f"{number}", tick=0)
    assert len([*own_cache.iterdir()]) == 20


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere: No such file"):
        content.tree_id(tmp_path / "nowhere")


def test_a_link_is_taken_to_the_byte(tmp_path: Path, repo: Path) -> None:
    write(tmp_path / "tree", {"a": b"1"})
    subprocess.run(["ln", "-s", ".././tree//a", str(tmp_path / "tree/b")], check=True)
    assert content.tree_id(tmp_path / "tree") == of_git(repo, tmp_path / "tree")


def test_a_fifo_is_left_alone(known: Path) -> None:
    before = content.tree_id(known, tick=0)
    os.mkfifo(known / "fifo")
    assert content.tree_id(known, tick=0) == before
