# SPDX-License-Identifier: GPL-2.0-only
"""In a repository that a group shares, what this tool adds is the group's, as what git adds."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.render import branch
from dmabuf_patchgen.render.commit import Commit
from dmabuf_patchgen.render.scratch import Identity
from dmabuf_patchgen.tree.source import GitTree
from tests import tiny
from tests.repos import Kind, git

WHO = Identity("A. Developer", "developer@example.org")
BRANCH = "b4/toy"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the repositories of this module are; what they are clones of is made once."""
    return tmp_path_factory.mktemp("shared")


@contextmanager
def umask(value: int) -> Iterator[None]:
    before = os.umask(value)
    try:
        yield
    finally:
        os.umask(before)


def made(root: Path, setting: str | None) -> Path:
    """A repository with a setting, in which a group may write, and its directories stay theirs."""
    with umask(0o022):
        repo = tiny.repo(root, Kind.BARE, uuid4().hex)
    with (repo / "config").open("a") as config:
        if setting is not None:
            config.write(f"[core]\n\tsharedRepository{setting}\n")
    for path in (repo, *repo.rglob("*")):
        if path.is_dir() and setting is not None:
            path.chmod(0o2775)
    return repo


def modes(repo: Path) -> dict[str, str]:
    """Of objects, refs and reflogs, and of their directories; a pack goes by its suffix."""
    found = {}
    for path in repo.rglob("*"):
        name = path.relative_to(repo).with_stem("pack" if "pack-" in path.name else path.stem)
        if name.parts[0] in ("objects", "refs", "logs"):
            found[str(name)] = stat.filemode(path.stat().st_mode)
    return found


def rendered(repo: Path, files: int) -> None:
    tree = GitTree(repo, "v6.12")
    commit = Commit("x\n", {f"drivers/new{n}.c": b"%d\n" % n for n in range(files)})
    target = branch.target(tree, BRANCH, WHO, force=False)
    with branch.commits_on(tree, [commit], WHO, datetime(2026, 1, 2, tzinfo=UTC)) as tip:
        pass
    branch.point(target, tip, "render toy")
    tree.close()


#: What may stand behind the key; None without it.
SETTINGS = [
    None, " = umask", " = false", " = 0", " = group", " = true", "", " = 1", " = all",
    " = world", " = everybody", " = 2", " = 0660", " = 0640", " = 0600", " = 0664", " = 0666",
]  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "mask"),
    [*((one, 0o077) for one in SETTINGS), *((one, 0o002) for one in (None, " = group", " = 0640"))],
)
def test_modes_are_those_of_git(root: Path, setting: str | None, mask: int) -> None:
    """The judge is git: it fetches into a repository like it what this tool made in one."""
    ours, gits = (made(root, setting) for _ in range(2))
    git(gits, "config", "core.logAllRefUpdates", "true")
    before = modes(ours)
    with umask(mask):
        rendered(ours, 3)
        git(gits, "fetch", "-q", str(ours), f"{BRANCH}:{BRANCH}")
    found = modes(ours)
    assert found == modes(gits)
    # The control: something is there that was not, and with a wish it is not just the mask's.
    new = {*found} - {*before}
    assert {"refs/heads/b4/toy", "logs/refs/heads/b4/toy"} < new
    if setting == " = group" and mask == 0o077:
        directories = {found[name] for name in new if found[name][0] == "d"}
        assert directories == {"drwxrws---"}


def test_a_pack(root: Path) -> None:
    """So many objects stay in the pack that they came in."""
    ours, gits = (made(root, " = group") for _ in range(2))
    git(gits, "config", "core.logAllRefUpdates", "true")
    with umask(0o077):
        rendered(ours, 200)
        git(gits, "fetch", "-q", str(ours), f"{BRANCH}:{BRANCH}")
    assert modes(ours)["objects/pack/pack.pack"] == "-r--r-----"
    assert modes(ours) == modes(gits)


def test_a_value_that_git_refuses(root: Path) -> None:
    repo = made(root, " = 0060")
    with pytest.raises(UserError, match=r"core\.sharedRepository"):
        rendered(repo, 3)
