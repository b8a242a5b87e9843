# SPDX-License-Identifier: GPL-2.0-only
"""A kernel in a subdirectory of a repository: its revision is read, not the work tree."""

from pathlib import Path

import pytest

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.render.mails import mails
from dmabuf_patchgen.render.series import render
from dmabuf_patchgen.tree.source import DirectoryTree, SubdirectoryTree, open_tree
from tests import golden, tiny
from tests.repos import git

WHO = ("-c", "user.name=T", "-c", "user.email=t@example.org")
DMA_BUF = "drivers/dma-buf/dma-buf.c"


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small tree, committed below vendor/ of some other project."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    project = tmp_path / "project"
    tiny.tree(project / "vendor" / "linux")
    (project / "README").write_text("A project.\n")
    git(project, "init", "-q")
    git(project, "add", "-A", "-f")
    git(project, *WHO, "commit", "-q", "-m", "all of it")
    return project / "vendor" / "linux"


def test_what_is_committed_is_read(kernel: Path) -> None:
    (kernel / DMA_BUF).write_text("int dirty;\n")
    tree = open_tree(kernel)
    assert isinstance(tree, SubdirectoryTree)
    assert tree.read(DMA_BUF) == tiny.DMA_BUF_C
    assert tree.label == f"{kernel} at HEAD" and tree.version == "6.12.9-rc1"
    assert tree.known_as == git(kernel, "rev-parse", "HEAD").strip()
    assert tree.names("") == DirectoryTree(kernel).names("")
    # The same commit every time, and nothing of it in the user's repository.
    assert open_tree(kernel).commit == tree.commit != tree.known_as
    assert git(kernel, "for-each-ref", "--format=%(refname)").split() == [
        git(kernel, "symbolic-ref", "HEAD").strip()
    ]


def test_patches_apply_below_the_directory(kernel: Path, tmp_path: Path) -> None:
    rendered = render(tiny.environment(tmp_path / "t"), open_tree(kernel), ["toy"], {})
    assert rendered.notes == ("paths are from the kernel's root: git am --directory=vendor/linux",)
    project = kernel.parent.parent
    for mail in mails(rendered.tree, rendered.commits, golden.AUTHOR, rendered.revised):
        (tmp_path / mail.name).write_bytes(mail.content)
        git(project, *WHO, "am", "-q", "--directory=vendor/linux", str(tmp_path / mail.name))
    assert (kernel / DMA_BUF).read_bytes() == rendered.commits[-1].files[DMA_BUF]


def test_a_branch_of_it_is_refused(kernel: Path) -> None:
    with pytest.raises(UserError, match="a subdirectory of a repository, so no branch"):
        open_tree(kernel).as_revision(", so no branch", "give -o DIR")
    assert open_tree(kernel).as_objects().read(DMA_BUF) == tiny.DMA_BUF_C


def test_the_root_of_the_repository_tells_where_the_kernel_is(kernel: Path) -> None:
    with pytest.raises(UserError, match="not a kernel tree: it has no Kbuild") as error:
        open_tree(kernel.parent.parent)
    assert error.value.hint == f"there is one in vendor/linux: -C {kernel}"


def test_an_unpacked_source_that_is_not_committed_is_a_directory(kernel: Path) -> None:
    project = kernel.parent.parent
    other = tiny.tree(project / "unpacked")
    assert isinstance(open_tree(other), DirectoryTree)
    with pytest.raises(UserError, match="--base needs a git repository"):
        open_tree(other, "HEAD")
