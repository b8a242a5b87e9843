# SPDX-License-Identifier: GPL-2.0-only
"""What is kept between runs, whole or not at all: the kinds of it, their locks and their end."""

import contextlib
import fcntl
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from dmabuf_patchgen import signals
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.kernel import paths, products, seal
from dmabuf_patchgen.render.scratch import scratch_on
from dmabuf_patchgen.tree import git
from dmabuf_patchgen.tree.source import GitTree, KernelTree
from dmabuf_patchgen.xdg import cache

#: An exported tree takes 1.5 GB, a prepared build 50 MB, a bootable one 400 MB, a kernel or its
#: tests 10 MB, a boot 100 kB, a verdict 1 kB, what was learnt of a host 100 bytes; the least
#: recently used go first.
_KEEP = {
    "trees": 3, "build": 10, "bootable": 8, "kernels": 200, "boots": 1000, "verdicts": 1000,
    "hosts": 10,
}  # fmt: skip

_ELSEWHERE = "set XDG_CACHE_HOME to another directory"

_LOG = logging.getLogger(__name__)


def directory(kind: str) -> Path:
    """The directory of one kind of kept things, created as needed."""
    place = cache().resolve() / kind
    paths.must_be_plain(place, _ELSEWHERE)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{place}: {error.strerror}", _ELSEWHERE) from None
    paths.must_execute(place, _ELSEWHERE)
    return place


def kept(kind: str, key: str) -> Path | None:
    """The directory that is kept under a key, None if there is none or it was damaged.

    It is as it was left, or it is not taken: see `seal`.
    """
    place = directory(kind) / key
    if not seal.holds(place, key):
        return None
    touch(place)
    return place


@contextlib.contextmanager
def keeping(kind: str, key: str) -> Iterator[Path]:
    """An empty directory for what is to be kept under a key; it is there when the block ends."""
    with locked(directory(kind) / key):
        partial = directory(kind) / f"{key}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        yield partial
        _put(partial, directory(kind) / key)
    evict(kind)


def keep(kind: str, key: str, made: Path) -> Path:
    """Move a directory, on the same file system, to where it is kept under a key; its place."""
    place = directory(kind) / key
    with locked(place):
        _put(made, place)
    evict(kind)
    return place


def _put(made: Path, place: Path, *, content: bool = True) -> None:
    """Let a directory be an entry: whole and on the disk, or not at all."""
    seal.close(made, place.name, content=content)
    with signals.blocked():
        shutil.rmtree(place, ignore_errors=True)
        # No directory of ours, whatever made it a file.
        place.unlink(missing_ok=True)
        made.rename(place)
    seal.sync(place.parent)


@contextlib.contextmanager
def locked(entry: Path, *, shared: bool = False, wait: bool = True) -> Iterator[bool]:
    """Hold the lock of a kept thing; False if it is taken and wait is not set.

    The lock lies beside the entry and goes with the process that holds it, however that ends.
    """
    handle = os.open(f"{entry}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(handle, how | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                yield False
                return
            _LOG.warning("waiting for another run, which uses %s", entry)
            fcntl.flock(handle, how)
        yield True
    finally:
        os.close(handle)


def evict(kind: str) -> None:
    """Remove the least recently used entries beyond what is kept, and what a kill left over."""
    entries = [path for path in directory(kind).iterdir() if path.is_dir()]
    entries.sort(key=_used, reverse=True)
    for at, entry in enumerate(entries):
        if at < _KEEP[kind] and entry.suffix != ".partial":
            continue
        with locked(entry.with_suffix(""), wait=False) as free:
            # Another run may have removed it.
            if free and entry.exists():
                # Renamed first: a kill half-way must not leave part of it under its name.
                doomed = entry.with_suffix(".partial")
                entry.rename(doomed)
                shutil.rmtree(doomed, ignore_errors=True)


def _used(entry: Path) -> float:
    """When an entry was last used; long ago for one that another run has removed."""
    try:
        return entry.stat().st_mtime
    except FileNotFoundError:
        return 0


def touch(entry: Path) -> None:
    """Note that an entry was used just now."""
    os.utime(entry)


@contextlib.contextmanager
def source_of(tree: KernelTree) -> Iterator[tuple[Path, str]]:
    """A directory with the whole tree, and its id.

    A directory is used where it lies; a revision is exported once and kept.
    Raises UserError if the directory holds a build or is mounted noexec, or the repository lacks
    files.
    """
    if tree.root is not None:
        _refuse_built(tree.root)
        # Kconfig asks its scripts about the compiler, and would call it unfit.
        paths.must_execute(tree.root, "have the tree elsewhere: its scripts are run")
        yield tree.root, tree.id
        return
    name = tree.id
    final = directory("trees") / name
    if not seal.holds(final, name):
        with locked(final):
            if not seal.holds(final, name):
                _export(tree.as_revision("", ""), final)
    # Shared, so that no other run evicts the tree that this one links to.
    with locked(final, shared=True):
        if not final.is_dir():
            raise UserError(f"{final}: removed by another run", "try again")
        touch(final)
        evict("trees")
        yield final, name


def fingerprint(tree: KernelTree) -> str:
    """The id of a tree that can be built from. Raises UserError if it was built in."""
    if tree.root is not None:
        _refuse_built(tree.root)
    return tree.id


def _export(tree: GitTree, final: Path) -> None:
    """Write a revision's files to a directory; through an index of its own, never the user's.

    Without what a build left that was committed.
    """
    promisor = git.git(tree.repo, "config", "--get-regexp", r"^remote\..*\.promisor$", check=False)
    if not promisor.returncode:
        # Left alone, git would fetch a kernel's 85,000 files one by one.
        listing = git.git(tree.repo, "rev-list", "--objects", "--missing=print", tree.id)
        missing = sum(line.startswith("?") for line in listing.text.splitlines())
        if missing:
            raise UserError(
                f"{tree.label}: a partial clone, {missing} files of this revision are not here",
                f"check it out once, git then fetches them together: git checkout {tree.revision}",
            )
    partial = final.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        # Where no filter is configured that git would run for each file.
        with scratch_on(tree.repo) as reader:
            reader.git("read-tree", tree.id)
            # The directory is the work tree, as a bare repository has none.
            reader.git(
                *("-c", "core.symlinks=true", "-c", "core.bare=false"),
                *(f"--work-tree={partial}", "checkout-index", "--all"),
            )
        products.remove(partial)
        _put(partial, final, content=False)
    except BaseException:
        # A disk that is full would stay so.
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _refuse_built(root: Path) -> None:
    """Refuse a directory in which a kernel was built, as kbuild itself does for O=.

    The three signs are those of the top Makefile's outputmakefile target. Objects left there
    would be taken for those of the build elsewhere, since make finds them through VPATH.
    """
    signs = (root / ".config", root / "include/config", *root.glob("arch/*/include/generated"))
    for sign in signs:
        if sign.exists():
            raise UserError(
                f"{sign}: a kernel was built in this directory, so none can be built from it",
                "clean it with: make mrproper",
            )
