# SPDX-License-Identifier: GPL-2.0-only
"""A file of a tree that is not what it seems: bounded in time and memory, and inside the tree."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from dmabuf_patchgen import process
from dmabuf_patchgen.errors import NotInTree, UserError
from dmabuf_patchgen.tree.c import parse
from dmabuf_patchgen.tree.facts import TreeFacts
from dmabuf_patchgen.tree.source import DirectoryTree, GitTree, KernelTree
from tests import repos, tiny
from tests.conftest import Cli

SECRET = "drivers/dma-buf/secret.h"
#: Of a terabyte: eight bytes for each page that there could be.
ENDLESS = Path("/proc/self/pagemap")


@pytest.fixture(params=["directory", "revision"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., KernelTree]:
    """Makes a tree with links: path -> where it leads to. Beside it there is a secret."""

    def make(**links: str) -> KernelTree:
        root = tiny.tree(tmp_path / "linux")
        tiny.write(tmp_path, {"secret.h": b"#define SECRET 1\n"})
        tiny.write(root, {"include/secret.h": b"#define OPEN 1\n"})
        for path, target in links.items():
            (root / "drivers/dma-buf" / path).symlink_to(target.format(outside=tmp_path))
        if request.param == "directory":
            return DirectoryTree(root)
        repos.git(root, "init", "-q")
        repos.git(root, "add", "--all")
        repos.git(root, "-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-qm", "x")
        return GitTree(root, "HEAD")

    return make


@pytest.mark.parametrize(
    "target",
    ["{outside}/secret.h", "../../../secret.h", "/proc/self/environ", "/dev/zero", "/", "."
     "./../../include/../../secret.h", "link.h", "there/../link.h", ""],
)  # fmt: skip
def test_a_link_that_leads_out_or_nowhere(made: Callable[..., KernelTree], target: str) -> None:
    links = {"link.h": target} if target else {}
    tree = made(**links)
    facts = TreeFacts(tree)
    path = "drivers/dma-buf/link.h"
    with pytest.raises(NotInTree, match=r"no file drivers/dma-buf/link\.h"):
        tree.read(path)
    assert not facts.contains("SECRET", path) and not facts.declares("SECRET", path)
    assert tree.names(path) == ()


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../secret.h", "drivers/../../secret.h", "//etc/passwd", "..", "/"]
)
def test_a_path_that_leads_out(made: Callable[..., KernelTree], path: str) -> None:
    tree = made()
    facts = TreeFacts(tree)
    assert not tree.exists(path) and not facts.contains("SECRET", path) and tree.names(path) == ()
    assert not facts.config("SECRET", path)
    with pytest.raises(NotInTree):
        tree.read(path)


@pytest.mark.parametrize(
    ("links", "path"),
    [
        ({"link.h": "../../include/secret.h"}, "drivers/dma-buf/link.h"),
        ({"a": "b", "b": "../../include"}, "drivers/dma-buf/a/secret.h"),
        ({"up": "../.."}, "drivers/dma-buf/up/include/secret.h"),
        ({}, "drivers/../include/secret.h"),
    ],
)
def test_a_link_within_the_tree(
    made: Callable[..., KernelTree], links: dict[str, str], path: str
) -> None:
    """The control, and the same in a revision as in a directory: also over a directory's link."""
    tree = made(**links)
    assert tree.read(path) == b"#define OPEN 1\n"
    assert TreeFacts(tree).declares("OPEN", path)
    directory, _, name = path.rpartition("/")
    assert name in tree.names(directory)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))


def door(path: Path) -> None:
    """A socket; its path may be too long for one."""
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


@pytest.mark.parametrize("make", [fifo, device, door])
def test_what_has_no_end(cli: Cli, tmp_path: Path, make: Callable[[Path], None]) -> None:
    root = tiny.tree(tmp_path / "linux")
    place = root / "drivers/dma-buf/Kconfig"
    place.unlink()
    try:
        make(place)
    except PermissionError:
        pytest.skip("only root makes devices")
    tree = DirectoryTree(root)
    for look in (tree.read, tree.mode):
        with pytest.raises(UserError, match="is neither a file nor a directory"):
            look("drivers/dma-buf/Kconfig")
    place.rename(root / "Makefile")
    done = cli("-C", root, "inspect")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "linux/Makefile: is neither a file nor a directory" in line


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    """Refused by its size: a file with holes of a terabyte is no other."""
    root = tiny.tree(tmp_path / "linux")
    with (root / "Makefile").open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(UserError, match="Makefile has 1048576 MB, which is no source file"):
        DirectoryTree(root).read("Makefile")
    with pytest.raises(UserError, match=r"a C file of 4\.0 MB is not parsed"):
        parse(b"\n" * ((4 << 20) + 1))


@pytest.mark.skipif(not ENDLESS.exists(), reason="needs a file without a size")
def test_a_file_without_a_size() -> None:
    """No more is read of it than of any other."""
    assert ENDLESS.stat().st_size == 0
    with pytest.raises(UserError, match="which is no source file"):
        DirectoryTree(ENDLESS.parent).read(ENDLESS.name)


def test_deep_nesting_is_read(cli: Cli, tmp_path: Path) -> None:
    deep = b"".join(b"#ifdef A%d\n" % n for n in range(1500)) + b"#endif\n" * 1500
    root = tiny.tree(tmp_path / "linux", drivers_dma_buf_dma_buf_c=deep + tiny.DMA_BUF_C)
    done = cli("-C", root, "inspect")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("version", ["\x1b[31m-red", "-" + "x" * 100, "\x9b31m"])
def test_a_version_that_is_none(cli: Cli, tmp_path: Path, version: str) -> None:
    makefile = f"VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 9\nEXTRAVERSION = {version}\n"
    root = tiny.tree(tmp_path / "linux", Makefile=makefile.encode())
    done = cli("-C", root, "inspect")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "is no version of a kernel" in line and line.isprintable()


def test_escapes_in_a_message(cli: Cli, tmp_path: Path) -> None:
    """A path is as good a place for them as any."""
    root = tmp_path / "linux\x1b[2J\u202e"
    root.mkdir()
    done = cli("-C", root, "inspect")
    (line,) = done.stderr.splitlines()
    assert line.isprintable() and r"linux\x1b[2J\u202e: not a kernel tree" in line


def test_a_mailmap_with_nul(tmp_path: Path) -> None:
    """It is no line of one, and nobody's name has it."""
    known = "Ada <ada@example.org>"
    for body in (b"Ada\0 <new@example.org> <ada@example.org>\n", b"\0" * 100_000):
        tree = DirectoryTree(tiny.tree(tmp_path / "linux"))
        (tree.root / ".mailmap").write_bytes(body)
        assert TreeFacts(tree).person(known) == known
    (tree.root / ".mailmap").write_bytes(b"Ada <new@example.org> <ada@example.org>\n")
    assert TreeFacts(tree).person(known) == "Ada <new@example.org>"


def test_an_argument_with_nul() -> None:
    with pytest.raises(UserError, match="an argument has a byte that is NUL"):
        process.run(["true", "a\0b"])
