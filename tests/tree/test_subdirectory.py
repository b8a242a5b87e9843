# SPDX-License-Identifier: GPL-2.0-only
"""A kernel in a subdirectory of a repository: its revision is read, not the work tree."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.kernel import cache
from dmabuf_patchgen.tree import bulk
from dmabuf_patchgen.tree.source import DirectoryTree, GitTree, KernelTree, open_tree
from dmabuf_patchgen.tree.subdirectory import relative
from tests import repos, tiny
from tests.repos import git

DMA_BUF = "drivers/dma-buf/dma-buf.c"
PREFIX = "vendor/linux"


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small tree, committed below vendor/ of some other project."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return repos.below(tiny.repo(tmp_path), tmp_path / "project", PREFIX)


def opened(where: Path, base: str | None = None) -> GitTree:
    tree = open_tree(where, base)
    assert isinstance(tree, GitTree)
    return tree


def test_what_is_committed_is_read(kernel: Path, tmp_path: Path) -> None:
    (kernel / DMA_BUF).write_text("int dirty;\n")
    tree = opened(kernel)
    assert tree.read(DMA_BUF) == tiny.DMA_BUF_C
    assert tree.label == f"{kernel} at HEAD" and tree.version == "6.12.9-rc1"
    assert (tree.repo, tree.prefix, tree.place) == (tmp_path / "project", PREFIX, kernel)
    assert tree.commit == git(kernel, "rev-parse", "HEAD").strip()
    assert tree.names("") == DirectoryTree(tmp_path / "6.12.9-tiny").names("")
    # What is kept of the same files in a repository of their own serves for these.
    alone = opened(tmp_path / "linux")
    assert tree.id == alone.id and tree.commit != alone.commit


def test_all_of_it_is_listed_and_exported(kernel: Path, tmp_path: Path) -> None:
    tree, alone = opened(kernel), opened(tmp_path / "linux")
    listed, same = (bulk.bulk(one, ["drivers"]) for one in (tree, alone))
    assert list(listed.files) == list(same.files) and list(listed.files)
    every = (b"",)
    assert dict(listed.having(listed.files, every)) == dict(same.having(same.files, every))
    assert len([*listed.having(listed.files, every)]) == len(listed.files)

    def exported(one: KernelTree) -> dict[str, bytes]:
        with cache.source_of(one) as (root, _):
            files = (path for path in root.rglob("*") if path.is_file())
            return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}

    found = exported(tree)
    assert found == exported(alone) and "README" not in found and DMA_BUF in found


def test_the_root_of_the_repository_tells_where_the_kernel_is(kernel: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a kernel tree: it has no Kbuild") as error:
        open_tree(tmp_path / "project")
    assert error.value.hint == f"there is one in vendor/linux: -C {kernel}"
    git(tmp_path, "clone", "-q", "--bare", "project", "bare")
    with pytest.raises(UserError, match="it has no Kbuild") as error:
        open_tree(tmp_path / "bare")
    assert error.value.hint.startswith("there is one in vendor/linux: check it out, git worktree")


def test_an_unpacked_source_that_is_not_committed_is_a_directory(
    kernel: Path, tmp_path: Path
) -> None:
    other = tiny.tree(tmp_path / "project" / "unpacked")
    assert isinstance(open_tree(other), DirectoryTree)
    with pytest.raises(UserError, match="--base needs a git repository"):
        open_tree(other, "HEAD")


def test_a_revision_without_it_is_told(kernel: Path) -> None:
    with pytest.raises(UserError, match="unknown revision 'nothing'"):
        open_tree(kernel, "nothing")
    with pytest.raises(UserError, match="at begin: no kernel in vendor/linux"):
        open_tree(kernel, "begin")
    assert opened(kernel, "master").read(DMA_BUF) == tiny.DMA_BUF_C


MAIL = b"""\
Subject: [PATCH] a: b

rename from vendor/linux/x is what it says.
---
 vendor/linux/a.c | 2 +-

diff --git a/vendor/linux/a.c b/vendor/linux/a.c
index 1..2 100644
--- a/vendor/linux/a.c
+++ b/vendor/linux/a.c
@@ -1,3 +1,3 @@
 diff --git a/vendor/linux/a.c b/vendor/linux/a.c

--- a/vendor/linux/a.c
+++ b/vendor/linux/a.c
diff --git a/vendor/linux/b.c b/vendor/linux/c.c
similarity index 100%
rename from vendor/linux/b.c
rename to vendor/linux/c.c
"""


def test_a_patch_of_the_repository_becomes_one_of_the_kernel() -> None:
    said = relative(MAIL, PREFIX)
    assert len(said.splitlines()) == len(MAIL.splitlines())
    assert [line for line in said.splitlines() if line not in MAIL.splitlines()] == [
        b"diff --git a/a.c b/a.c", b"--- a/a.c", b"+++ b/a.c",
        b"diff --git a/b.c b/c.c", b"rename from b.c", b"rename to c.c",
    ]  # fmt: skip
    # The lines of its hunk stay: one that is taken away begins with "-- a/".
    assert said.count(b"\n--- a/vendor/linux/a.c\n+++ b/vendor/linux/a.c\n") == 1
    # As it is, where it is the kernel's already.
    assert relative(said, PREFIX) == said
    assert relative(MAIL, "") == MAIL


def test_a_hunk_in_the_message_hides_nothing() -> None:
    quoted = b"\n@@ -10,70 +10,60 @@ it was\n---\n vendor"
    mail = MAIL.replace(b"\n---\n vendor", quoted)
    assert mail != MAIL
    assert relative(mail, PREFIX) == relative(MAIL, PREFIX).replace(b"\n---\n vendor", quoted)


def test_what_changes_more_than_the_kernel_is_refused() -> None:
    more = MAIL + b"diff --git a/README b/README\n--- a/README\n+++ b/README\n"
    with pytest.raises(UserError, match="README is not in vendor/linux"):
        relative(more, PREFIX)
    # The beginning of a name is no directory.
    with pytest.raises(UserError, match="vendor/linux-b/a is not in vendor/linux"):
        relative(MAIL + b"diff --git a/vendor/linux-b/a b/vendor/linux-b/a\n", PREFIX)


@given(st.lists(st.sampled_from([b" a", b"-b", b"+c", b"--- a/p/x", b"+++ b/p/x", b"-- a/p/x"])))
def test_a_hunk_stays_as_it_is(body: list[bytes]) -> None:
    kept = [line for line in body if line[:1] in b" -+"]
    old = sum(line[:1] in b" -" for line in kept)
    new = sum(line[:1] in b" +" for line in kept)
    hunk = [b"@@ -1,%d +1,%d @@" % (old, new), *kept]
    mail = b"\n".join([b"diff --git a/p/x b/p/x", b"--- a/p/x", b"+++ b/p/x", *hunk, b""])
    assert relative(mail, "p").split(b"\n")[3:] == [*hunk, b""]
