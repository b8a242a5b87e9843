# SPDX-License-Identifier: GPL-2.0-only
"""Kernel trees are read alike from a revision of any kind of repository and from a directory."""

import os
from pathlib import Path

import pytest

from dmabuf_patchgen.errors import NotInTree, UserError
from dmabuf_patchgen.render.environment import Environment, Facts
from dmabuf_patchgen.render.place import PlaceError
from dmabuf_patchgen.render.series import render
from dmabuf_patchgen.tree.facts import TreeFacts
from dmabuf_patchgen.tree.git import parse_tree
from dmabuf_patchgen.tree.source import DirectoryTree, GitTree, Overlay, Tree, open_tree
from tests import tiny
from tests.conftest import SmallRepo
from tests.repos import Kind, git

DMA_BUF = "drivers/dma-buf/dma-buf.c"


def facts(tree: Tree) -> dict[str, object]:
    return dict(Facts(Environment(), TreeFacts(tree)))


def objects(repo: Path) -> set[str]:
    """Ids of all objects that are there, without asking anybody for more."""
    listed = git(
        repo, "cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)"
    )
    return {*listed.splitlines()}


def reads_as_written(tree: Tree) -> None:
    for path, body in tiny.FILES.items():
        assert tree.read(path) == body
        assert tree.mode(path) == "100644" and tree.exists(path)
    assert tree.mode("drivers") == tree.mode("drivers/dma-buf") == "40000"
    assert tree.names("drivers/dma-buf") == ("Kconfig", "Makefile", "dma-buf.c")
    assert tree.version == "6.12.9-rc1"
    for path in ("nothing", "drivers/nothing/x.c", "Makefile/x", "drivers/dma-buf", ""):
        with pytest.raises(NotInTree, match="no file"):
            tree.read(path)
    for path in ("nothing", "drivers/nothing/x.c", "Makefile/x"):
        assert not tree.exists(path) and tree.names(path) == ()


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_repository(tmp_path: Path, kind: Kind) -> None:
    repo = tiny.repo(tmp_path, kind)
    tree = open_tree(repo)
    assert isinstance(tree, GitTree)
    assert tree.commit == git(repo, "rev-parse", "HEAD").strip()
    assert len(tree.commit) == (64 if kind is Kind.SHA256 else 40)
    assert tree.label == f"{repo} at HEAD"
    reads_as_written(tree)


def test_a_directory(tmp_path: Path) -> None:
    tree = open_tree(tiny.tree(tmp_path / "linux"))
    assert isinstance(tree, DirectoryTree)
    reads_as_written(tree)


@pytest.mark.parametrize("kind", Kind)
def test_facts_are_those_of_the_directory(tmp_path: Path, kind: Kind) -> None:
    plain = facts(DirectoryTree(tiny.tree(tmp_path / "plain")))
    assert facts(open_tree(tiny.repo(tmp_path, kind))) == plain
    assert plain["is_cow_mapping"] and not plain["vma_test"]
    assert plain["ioctls"] == {0: "DMA_BUF_IOCTL_SYNC", 1: "DMA_BUF_SET_NAME"}


def test_facts_of_the_tree_of_reference(linux_612: Path, small_repo: SmallRepo) -> None:
    tree = open_tree(linux_612)
    found = facts(tree)
    from_git = facts(open_tree(small_repo(kind=Kind.BARE)))
    # The repositories of the tests have no headers of DRM, and nothing of mm/.
    assert {name for name in found if from_git[name] != found[name]} <= {
        "drm_gem_is_imported", "mmap_error_puts_vm_file",
    }  # fmt: skip
    assert found["is_cow_mapping"] and found["vm_flags_set"] and found["vma_set_file"]
    assert not found["vma_is_cow_mapping"] and not found["mmap_is_factored"]
    assert found["dma_buf_docs"] == "inline" and found["symbol_namespace"] == "unquoted"
    assert tree.version.startswith("6.12.")


def test_a_partial_clone_fetches_only_what_is_read(tmp_path: Path) -> None:
    repo = tiny.repo(tmp_path, Kind.PARTIAL)
    before = objects(repo)
    assert not any(line.endswith("blob") for line in before)
    tree = open_tree(repo)
    assert tree.exists("include/linux/mm.h") and tree.names("drivers/dma-buf")
    assert tree.mode("Makefile") and not tree.exists("drivers/gpu")
    assert objects(repo) == before, "looking around takes no blob"
    assert tree.read(DMA_BUF) == tiny.FILES[DMA_BUF]
    assert tree.version and tree.read(DMA_BUF)
    new = objects(repo) - before
    wanted = [git(repo, "rev-parse", f"HEAD:{path}").strip() for path in (DMA_BUF, "Makefile")]
    assert new == {f"{oid} blob" for oid in wanted}


def test_rendering_in_a_partial_clone_fetches_little(small_repo: SmallRepo) -> None:
    repo = small_repo(kind=Kind.PARTIAL)
    before = objects(repo)
    tree = open_tree(repo)
    rendered = render(Environment(), tree, ["dma-buf-pfnmap", "dma-buf-map-info"], {})
    assert rendered.patches and isinstance(tree, GitTree)
    new = objects(repo) - before
    assert {line.split()[1] for line in new} == {"blob"}
    read = {git(repo, "rev-parse", f"HEAD:{path}").strip() + " blob" for path in tree._files}
    assert new == read
    everything = git(repo, "ls-tree", "-r", "HEAD").splitlines()
    assert 5 < len(new) < 40 < len(everything) / 50


def test_a_partial_clone_that_cannot_fetch_says_so(tmp_path: Path) -> None:
    repo = tiny.repo(tmp_path, Kind.PARTIAL)
    tree = open_tree(repo)
    git(repo, "remote", "set-url", "origin", f"file://{tmp_path}/gone")
    with pytest.raises(UserError, match=str(repo)) as error:
        tree.read(DMA_BUF)
    assert not isinstance(error.value, NotInTree)
    with pytest.raises(UserError, match=str(repo)):
        # Not no: a file that cannot be read may declare anything.
        TreeFacts(tree).declares("is_cow_mapping", "include/linux/mm.h")


def test_a_revision(tmp_path: Path) -> None:
    repo = tiny.repo(tmp_path)
    (repo / "Makefile").write_text("VERSION = 7\nPATCHLEVEL = 1\nSUBLEVEL = 0\nEXTRAVERSION =\n")
    commit = ("-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "-qam", "7.1")
    git(repo, *commit)
    assert open_tree(repo).version == "7.1.0"
    for base in ("v6.12", "HEAD~1", "master~1", git(repo, "rev-parse", "v6.12").strip()[:12]):
        tree = open_tree(repo, base)
        assert tree.version == "6.12.9-rc1" and tree.label == f"{repo} at {base}"


def test_what_is_not_committed_is_not_read(tmp_path: Path) -> None:
    repo = tiny.repo(tmp_path)
    (repo / DMA_BUF).write_bytes(b"dirty")
    git(repo, "add", DMA_BUF)
    (repo / "Makefile").unlink()
    reads_as_written(open_tree(repo))


@pytest.mark.parametrize("base", ["v6.13", "", "HEAD^{tree}", "--all", "HEAD..v6.12", "a b", "-"])
def test_an_unknown_revision(tmp_path: Path, base: str) -> None:
    with pytest.raises(UserError) as error:
        open_tree(tiny.repo(tmp_path), base)
    assert f"unknown revision {base!r}" in error.value.message
    assert error.value.hint == "name a commit, tag or branch of that repo"


def test_a_repository_without_a_commit(tmp_path: Path) -> None:
    tiny.tree(tmp_path / "linux")
    git(tmp_path, "init", "-q", "linux")
    with pytest.raises(UserError, match="unknown revision 'HEAD'"):
        open_tree(tmp_path / "linux")


def test_below_the_root_of_a_repository(tmp_path: Path) -> None:
    repo = tiny.repo(tmp_path)
    for where in (repo / "drivers" / "dma-buf", repo / ".git"):
        tree = open_tree(where)
        assert isinstance(tree, GitTree)
        reads_as_written(tree)


def test_an_unpacked_source_within_another_repository(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "outer")
    where = tiny.tree(tmp_path / "outer" / "linux")
    tree = open_tree(where)
    assert isinstance(tree, DirectoryTree)
    reads_as_written(tree)
    with pytest.raises(UserError, match="--base needs a git repository"):
        open_tree(where, "HEAD")


def test_a_linked_worktree_has_its_own_head(tmp_path: Path) -> None:
    place = tiny.repo(tmp_path, Kind.WORKTREE)
    (place / "Makefile").write_text("VERSION = 7\nPATCHLEVEL = 1\nSUBLEVEL = 0\nEXTRAVERSION =\n")
    git(place, "-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "-qam", "7.1")
    assert open_tree(place).version == "7.1.0"
    assert open_tree(place.with_name("linux-main")).version == "6.12.9-rc1"


def test_variables_of_a_hook_name_another_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = tiny.repo(tmp_path)
    git(tmp_path, "init", "-q", "other")
    for name in ("GIT_DIR", "GIT_COMMON_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "other" / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "other"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path / "other" / ".git" / "objects"))
    reads_as_written(open_tree(repo))


@pytest.mark.parametrize("as_git", [False, True])
def test_what_is_no_kernel_tree(tmp_path: Path, as_git: bool) -> None:
    def made(name: str, without: str) -> Path:
        where = tiny.write(tmp_path / name, {**tiny.FILES})
        (where / without).unlink()
        if as_git:
            git(where, "init", "-q")
            git(where, "add", "-A")
            git(where, "-c", "user.name=T", "-c", "user.email=t@e", "commit", "-qm", "x")
        return where

    with pytest.raises(UserError, match=r"no dma-buf: it has no drivers/dma-buf/dma-buf\.c"):
        open_tree(made("a", DMA_BUF))
    with pytest.raises(UserError, match="not a kernel tree: it has no Kbuild"):
        open_tree(made("b", "Kbuild"))
    with pytest.raises(UserError, match="no such directory"):
        open_tree(tmp_path / "nowhere")
    with pytest.raises(UserError, match="no such directory"):
        open_tree(tmp_path / "a" / "Makefile")


@pytest.mark.parametrize(
    ("makefile", "message"),
    [
        (b"all:\n\ttrue\n", "Makefile sets no VERSION, as that of a kernel does"),
        (b"VERSION = 6\nPATCHLEVEL = 1\n", "Makefile sets no SUBLEVEL"),
        (None, "no file Makefile"),
    ],
)
def test_a_tree_that_tells_no_version(tmp_path: Path, makefile: bytes | None, message: str) -> None:
    tree = Overlay(DirectoryTree(tiny.tree(tmp_path / "linux")), {"Makefile": makefile})
    with pytest.raises(UserError, match=message):
        print(tree.version)


def links(root: Path) -> Path:
    """The tree with links: to a file, to nowhere, in a circle, out of the tree."""
    tiny.tree(root)
    for name, target in {
        "link.c": "dma-buf.c",
        "up.h": "../../include/linux/mm.h",
        "chain.c": "link.c",
        "dangling.c": "gone.c",
        "round.c": "about.c",
        "about.c": "round.c",
    }.items():
        (root / "drivers/dma-buf" / name).symlink_to(target)
    return root


def trees(root: Path) -> list[Tree]:
    """A directory, as such and as a commit."""
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "-qm", "x")
    return [DirectoryTree(root), GitTree(root, "HEAD")]


def test_a_symbolic_link_is_read_through(tmp_path: Path) -> None:
    for tree in trees(links(tmp_path / "linux")):
        assert tree.read("drivers/dma-buf/link.c") == tiny.FILES[DMA_BUF]
        assert tree.read("drivers/dma-buf/chain.c") == tiny.FILES[DMA_BUF]
        assert tree.read("drivers/dma-buf/up.h") == tiny.FILES["include/linux/mm.h"]
        for name in ("dangling.c", "round.c"):
            with pytest.raises(UserError, match=name):
                tree.read(f"drivers/dma-buf/{name}")


def test_a_fact_about_a_link(tmp_path: Path) -> None:
    for tree in trees(links(tmp_path / "linux")):
        asked = TreeFacts(tree)
        assert asked.declares("dma_buf_mmap", "drivers/dma-buf/chain.c")
        assert not asked.declares("dma_buf_mmap", "drivers/dma-buf/dangling.c")
        assert not asked.contains("x", "drivers/dma-buf/round.c")


def test_a_link_is_never_edited(tmp_path: Path) -> None:
    """What a patch would write in its place is no link any more, or the text of one."""
    hunk = "--- drivers/dma-buf/link.c\n@@ end of file @@\n+int x;\n"
    changed = {"toy/01-check.patch.j2": f"dma-buf: x\n\n{hunk}"}
    environment = tiny.environment(tmp_path / "t", changed)
    for tree in trees(links(tmp_path / "linux")):
        with pytest.raises(PlaceError, match=r"drivers/dma-buf/link\.c: a symbolic link"):
            render(environment, tree, ["toy"], {})


def test_modes(tmp_path: Path) -> None:
    root = tiny.tree(tmp_path / "linux")
    (root / "Kbuild").chmod(0o755)
    for tree in trees(root):
        assert tree.mode("Kbuild") == "100755" and tree.mode("Kconfig") == "100644"


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    root = tiny.tree(tmp_path / "linux")
    (root / os.fsdecode(b"Andr\xe9")).write_bytes(b"x")
    for tree in trees(root):
        assert os.fsdecode(b"Andr\xe9") in tree.names("")


def test_a_tree_object() -> None:
    body = b"100644 a\0" + bytes(range(20)) + b"40000 b c\0" + bytes(range(1, 21))
    found = parse_tree(body, 20)
    assert [(name, entry.mode, entry.oid[:4]) for name, entry in found.items()] == [
        ("a", "100644", "0001"),
        ("b c", "40000", "0102"),
    ]
    assert parse_tree(b"", 20) == {}
    assert parse_tree(b"100755 x\0" + bytes(32), 32)["x"].oid == "0" * 64


def test_overlay(tmp_path: Path) -> None:
    base = DirectoryTree(tiny.tree(tmp_path / "linux"))
    tree = Overlay(
        base, {"Makefile": b"x", "new/deep/file.c": b"y", "Kconfig": None, "include/a.h": b""}
    )
    assert tree.read("Makefile") == b"x" and tree.read("new/deep/file.c") == b"y"
    assert tree.read("Kbuild") == base.read("Kbuild")
    with pytest.raises(NotInTree):
        tree.read("Kconfig")
    assert not tree.exists("Kconfig") and tree.mode("new/deep/file.c") == "100644"
    assert tree.mode("new") == tree.mode("new/deep") == tree.mode("drivers") == "40000"
    assert "Kconfig" not in tree.names("") and "new" in tree.names("")
    assert tree.names("new") == ("deep",) and tree.names("new/deep") == ("file.c",)
    assert tree.names("include") == ("a.h", "linux", "uapi")
    assert base.read("Makefile") == tiny.FILES["Makefile"] and base.exists("Kconfig")


def test_an_empty_file_makes_a_directory(tmp_path: Path) -> None:
    tree = Overlay(DirectoryTree(tmp_path), {"a/b/empty": b""})
    assert tree.exists("a") and tree.exists("a/b") and tree.read("a/b/empty") == b""


def test_an_overlay_on_an_overlay(tmp_path: Path) -> None:
    base = DirectoryTree(tiny.tree(tmp_path / "linux"))
    tree = Overlay(Overlay(base, {"a": b"1", "b": b"1"}), {"b": b"2", "a": None})
    assert tree.read("b") == b"2" and not tree.exists("a")


def test_the_git_process_ends_with_its_tree(tmp_path: Path) -> None:
    tree = open_tree(tiny.repo(tmp_path))
    assert isinstance(tree, GitTree)
    tree.read("Makefile")
    child = tree._objects._child
    assert child and child.poll() is None
    tree.close()
    assert child.poll() is not None
    assert tree.read("Kbuild") == tiny.FILES["Kbuild"]
    tree.close()
