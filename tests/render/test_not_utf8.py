# SPDX-License-Identifier: GPL-2.0-only
"""Bytes that are not UTF-8 come out as they went in, or are refused by name."""

import json
import os
from pathlib import Path

import pytest

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.render.branch import identity
from dmabuf_patchgen.tree.source import open_tree
from tests import tiny
from tests.conftest import Cli
from tests.repos import git

#: As an argument, a path or a variable has it that is in another encoding.
CAFE = os.fsdecode(b"caf\xe9")
#: That of a terminal, in which Python refuses to write what is no text.
UTF8 = {"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "utf-8:strict"}


def test_paths_and_branches(cli: Cli, identity: str, tmp_path: Path) -> None:
    place = tmp_path / CAFE
    place.mkdir()
    repo = tiny.repo(place)
    toy = tiny.toy(cli, tmp_path)
    out = place / "out"
    done = toy("-C", repo, "render", "toy", "--branch", CAFE, "-o", out, "--json", env=UTF8)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["directory"] == str(out) and told["branch"] == CAFE
    refs = git(repo, "for-each-ref", "--format=%(objectname)", f"refs/heads/{CAFE}")
    assert refs.strip() == told["tip"]
    assert sorted(path.suffix for path in (place / "out").iterdir()) == [
        ".json",
        ".patch",
        ".patch",
    ]
    # It is known as one that is there.
    again = toy("-C", repo, "render", "toy", "--branch", CAFE, env=UTF8)
    assert again.returncode == 1 and r"branch caf\udce9 exists" in again.stderr


@pytest.mark.parametrize("key", ["user.name", "author.name", "user.email"])
def test_an_author_is_text(key: str, identity_of: Path) -> None:
    git(identity_of, "config", key, "Andr\u00e9@x")
    known = identity(identity_of)
    assert known and "Andr\u00e9@x" in (known.name, known.email)
    git(identity_of, "config", key, os.fsdecode(b"Andr\xe9@x"))
    with pytest.raises(UserError) as error:
        identity(identity_of)
    assert error.value.message == rf"{key} is not UTF-8: Andr\xe9@x"


@pytest.fixture
def identity_of(tmp_path: Path, identity: str) -> Path:
    return tiny.repo(tmp_path)


def test_so_is_one_of_the_environment(identity_of: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Andr\u00e9")
    known = identity(identity_of)
    assert known and known.name == "Andr\u00e9"
    monkeypatch.setenv("GIT_AUTHOR_NAME", os.fsdecode(b"Andr\xe9"))
    with pytest.raises(UserError, match=r"^GIT_AUTHOR_NAME is not UTF-8: Andr\\xe9$"):
        identity(identity_of)


def test_the_base_may_be_of_anybody(cli: Cli, identity_of: Path, tmp_path: Path) -> None:
    """Of its author and its message, who have an encoding of their own, nothing is taken."""
    held = git(identity_of, "cat-file", "commit", "HEAD").encode()
    other = held.replace(b"Tester <", b"Andr\xe9 <").replace(b"Linux 6.12", b"caf\xe9")
    base = git(identity_of, "hash-object", "-t", "commit", "-w", "--stdin", stdin=other).strip()
    done = tiny.toy(cli, tmp_path)(
        "-C", identity_of, "--base", base, "render", "toy", "--branch", "topic"
    )
    assert done.returncode == 0, done.stderr
    assert git(identity_of, "rev-parse", "topic~2").strip() == base
    assert other.count(b"\xe9") == 3
    authors = git(identity_of, "log", "--format=%an", "topic", f"^{base}").splitlines()
    assert {*authors} == {"A. Developer"}


def test_a_version_is_text(tmp_path: Path) -> None:
    makefile = tiny.FILES["Makefile"].replace(b"-rc1", b"-caf\xe9")
    tree = open_tree(tiny.tree(tmp_path / "linux", Makefile=makefile))
    with pytest.raises(UserError, match=r"'6\.12\.9-caf\\udce9' is no version of a kernel"):
        _ = tree.version
