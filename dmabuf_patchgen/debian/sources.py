# SPDX-License-Identifier: GPL-2.0-only
"""Debian's linux-source packages as kernel trees, fetched once and kept in the user's cache.

`python -m dmabuf_patchgen.debian.sources 6.12` prints the path of a tree, `--repository 6.12` that
of a git repository of it, `--matrix` those of all rows of the test matrix, one `series path` a
line, and `--busybox arm64` that of a guest's userspace for another architecture.
"""

import argparse
import contextlib
import fcntl
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dmabuf_patchgen import process
from dmabuf_patchgen.debian import apt
from dmabuf_patchgen.debian.busybox import busybox
from dmabuf_patchgen.debian.repository import imported
from dmabuf_patchgen.errors import MissingTool, UserError
from dmabuf_patchgen.kernel import architecture
from dmabuf_patchgen.tree.source import DirectoryTree
from dmabuf_patchgen.xdg import cache

#: Rows of the matrix that have a name; the two newest series from NEW on join them.
SETTLED = ("5.10", "6.1", "6.12")
NEW = "7.0"
NEWEST = 2
#: Fewer trees than this are no matrix.
FLOOR = 4
#: Seconds for which the answer of apt is taken as today's.
FRESH = 24 * 3600
#: Bytes that a tree needs on disk while it is unpacked: the package, its tar file and the tree.
ROOM = 2_500_000_000

_UNPACKING = ".unpacking-"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the matrix: a kernel series such as 6.12, and the root of a tree of it."""

    series: str
    path: Path


@dataclass(frozen=True, slots=True)
class Matrix:
    """The trees that everything must work on, and what is to be said about their choice."""

    rows: tuple[Row, ...]
    remarks: tuple[str, ...]


def fetch(series: str) -> Path:
    """Root of an unpacked tree of a series such as 6.12: the newest that Debian offers.

    apt is asked at most once a day, and a tree that is in the cache is used when it cannot be
    asked. Raises UserError if there is neither, or if a download or its unpacking fails, and
    MissingTool.
    """
    _check(series)
    with _alone():
        return _obtain(series, *_offers())


def oldest(series: str) -> Path:
    """Root of an unpacked tree of a series: the oldest state of it that Debian still offers.

    A release keeps the kernel of its last point release beside those of its security updates.
    Raises UserError where none is offered, and as fetch() does.
    """
    _check(series)
    with _alone():
        _, asked = _offers()
        try:
            return _provide_oldest(series)
        except UserError as error:
            if asked:
                raise
            # The lists may have been removed, or what they name from the mirror.
            _say(f"{error.message}; asking apt again")
        _ask()
        return _provide_oldest(series)


def _provide_oldest(series: str) -> Path:
    """The oldest tree of a series by the lists that are here: kept, or downloaded."""
    versions = _apt().versions(_package(series))
    if not versions:
        raise UserError(f"no {_package(series)} is offered by Debian's mirrors")
    version = apt.oldest(versions)
    place = _store() / version
    return place if place.exists() else _download(series, version)


def _check(series: str) -> None:
    if not re.fullmatch(r"\d+\.\d+", series):
        raise UserError(f"{series!r} is no kernel series", "name one such as 6.12")


def _package(series: str) -> str:
    return f"linux-source-{series}"


def repository(series: str) -> Path:
    """A bare git repository of fetch(series), tagged with a v and its version; made once.

    Raises UserError as fetch() does, and if git cannot import the source.
    """
    root = fetch(series)
    place = cache() / "repositories" / f"{root.name}.git"
    if not place.exists():
        _say(f"importing {root} into git, once")
    return imported(root, place, f"Linux {DirectoryTree(root).version}")


def matrix() -> Matrix:
    """The trees of the test matrix, fetched where they are not in the cache yet.

    Raises UserError if fewer than four can be had, and as fetch() does.
    """
    with _alone():
        offers, asked = _offers()
        chosen, remarks = choose({*offers, *_kept()})
        if len(chosen) < FLOOR:
            raise UserError(
                f"only {len(chosen)} kernel series to be had: {', '.join(chosen) or 'none'}",
                f"the matrix needs {FLOOR}: is the package mirror reachable?",
            )
        rows = tuple(Row(series, _obtain(series, offers, asked)) for series in chosen)
    return Matrix(rows, remarks)


def choose(known: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which of the series that can be had make the matrix, in order, and remarks on that.

    A row whose series vanished is replaced by the nearest series that is not a row already.
    """
    rest = sorted(set(known), key=_number)
    new = [series for series in rest if _number(series) >= _number(NEW)][-NEWEST:]
    chosen = [*(series for series in SETTLED if series in rest), *new]
    rest = [series for series in rest if series not in chosen]
    gone = [series for series in SETTLED if series not in chosen]
    gone += [f"a series from {NEW} on"] * (NEWEST - len(new))
    remarks = []
    for series in gone:
        if not rest:
            remarks.append(f"{series} is not offered any more, and there is nothing in its place")
            continue
        at = _number(series if series in SETTLED else NEW)
        place = min(rest, key=lambda name: _distance(_number(name), at))
        rest.remove(place)
        chosen.append(place)
        remarks.append(f"{series} is not offered any more: {place} takes its place")
    return tuple(sorted(chosen, key=_number)), tuple(remarks)


def unpack(deb: Path, series: str, version: str) -> Path:
    """Unpack the tree in a linux-source package into the cache, whole or not at all.

    deb: the package; version: that of the package, which names the directory.
    Raises UserError if the package holds no such tree or the disk cannot hold it.
    """
    store = _store()
    store.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=_UNPACKING, dir=store) as name:
        scratch = Path(name)
        _run("dpkg-deb", "-x", str(deb), str(scratch / "package"), doing=f"unpacking {deb.name}")
        tar = scratch / "package" / "usr" / "src" / f"linux-source-{series}.tar.xz"
        if not tar.is_file():
            raise UserError(f"{deb.name} holds no usr/src/{tar.name}")
        tree = scratch / "tree"
        tree.mkdir()
        _run(
            "tar", "--extract", "--use-compress-program=xz -T2", "--strip-components=1",
            "--no-same-owner", "--directory", str(tree), "--file", str(tar),
            doing=f"unpacking {tar.name}",
        )  # fmt: skip
        if not (tree / "Makefile").is_file():
            raise UserError(f"{deb.name}: {tar.name} holds no kernel tree")
        _run("sync", "--file-system", str(tree), doing="bringing it to the disk")
        return tree.rename(store / version)


def _obtain(series: str, offers: Mapping[str, str], asked: bool) -> Path:
    """A tree of a series, by today's offers or else by what can still be had.

    asked: whether the offers are of just now, and not of an earlier run.
    """
    kept = _kept().get(series)
    try:
        return _provide(series, offers, kept)
    except UserError as error:
        if kept is None and asked:
            raise
        cause = error.message
    if kept is None:
        # A release of the package since then may have replaced the one in the lists.
        _say(f"{cause}; asking apt again")
        return _provide(series, _ask(), None)
    _say(f"{cause}; using {kept}, which is here already")
    return _store() / kept


def _provide(series: str, offers: Mapping[str, str], kept: str | None) -> Path:
    """The newest tree of a series: the one kept, or else the package's, downloaded."""
    offered = offers.get(series)
    if offered is None and kept is None:
        there = ", ".join(sorted(offers, key=_number)) or "none"
        raise UserError(
            f"no {_package(series)} is offered by Debian's mirrors",
            f"offered: {there}; or name a tree of your own: KDIR=/path/to/linux",
        )
    if offered is None or (kept and not apt.newer(offered, kept)):
        assert kept
        return _store() / kept
    return _download(series, offered)


def _download(series: str, version: str) -> Path:
    """The tree of a version of a package, downloaded and unpacked."""
    name = _package(series)
    free = shutil.disk_usage(_store()).free
    if free < ROOM:
        raise UserError(
            f"{_store()}: {free / 1e9:.1f} GB free, and {name} needs {ROOM / 1e9:.1f} GB",
            "make room there, or let XDG_CACHE_HOME name another disk",
        )
    with tempfile.TemporaryDirectory(prefix=_UNPACKING, dir=_store()) as scratch:
        private = _apt()
        size = private.size(name, version)
        _say(f"downloading {name} {version} ({size / 1e6:.0f} MB)")
        deb = private.download(f"{name}={version}", Path(scratch))
        _say(f"unpacking it to {_store() / version}")
        return unpack(deb, series, version)


def _offers() -> tuple[dict[str, str], bool]:
    """The newest version of each series that apt offers, and whether it was asked just now."""
    noted = _noted()
    try:
        known = json.loads(noted.read_text(encoding="utf-8"))
        age = time.time() - noted.stat().st_mtime
    except (FileNotFoundError, ValueError):
        return _ask(), True
    if not _are_offers(known):
        return _ask(), True
    if 0 <= age < FRESH:
        return known, False
    return _ask(), True


def _are_offers(known: Any) -> bool:
    """Whether what was noted of the offers is versions by series, as it was written."""
    return isinstance(known, dict) and all(
        re.fullmatch(r"\d+\.\d+", series) and isinstance(version, str) and version
        for series, version in known.items()
    )


def _ask() -> dict[str, str]:
    """Ask apt what it offers and note the answer; none if no mirror answers, which is told.

    Raises UserError and MissingTool only where no tree is in the cache that could do instead.
    """
    _say("asking apt which linux-source packages Debian offers")
    try:
        private = _apt()
        private.update()
        found = private.offers()
    except UserError as error:
        if not _kept():
            raise
        _say(f"{error.message}; using the trees that are here already")
        return {}
    _noted().write_text(json.dumps(found, indent=1) + "\n")
    return found


def _kept() -> dict[str, str]:
    """Per series the newest package version whose tree is in the cache."""
    found: dict[str, str] = {}
    for entry in _store().iterdir():
        series = re.match(r"(\d+\.\d+)[.~-]", entry.name)
        if series and (series[1] not in found or apt.newer(entry.name, found[series[1]])):
            found[series[1]] = entry.name
    return found


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Hold the lock of the store, so that no two processes fetch the same tree."""
    store = _store()
    try:
        store.mkdir(parents=True, exist_ok=True)
        _noted().parent.mkdir(exist_ok=True)
        lock = (store / ".lock").open("w")
    except OSError as error:
        raise UserError(
            f"{error.filename}: {error.strerror}", "let XDG_CACHE_HOME name a directory of yours"
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("waiting for another process that is fetching a kernel tree")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for left in store.glob(f"{_UNPACKING}*"):
            # Whoever made it was killed, or it would hold the lock.
            shutil.rmtree(left, ignore_errors=True)
        yield


def _run(*argv: str, doing: str) -> None:
    """Run a program; what it said first is the cause if it fails, the rest only follows."""
    done = process.run(argv, env={**os.environ, "LC_ALL": "C"}, check=False)
    if done.returncode:
        raise UserError(f"{doing} failed: {apt.first_words(done)}")


def _apt() -> apt.Apt:
    private = apt.Apt(cache() / "apt")
    for tool, package in {"dpkg-deb": "dpkg", "tar": "tar", "xz": "xz-utils"}.items():
        if shutil.which(tool) is None:
            raise MissingTool(tool, package)
    return private


def _noted() -> Path:
    return cache() / "apt" / "offers.json"


def _store() -> Path:
    return cache() / "linux-source"


def _number(series: str) -> tuple[int, ...]:
    return tuple(int(part) for part in series.split("."))


def _distance(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, int]:
    return abs(one[0] - other[0]), abs(one[1] - other[1])


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Print the path of a tree, of every tree of the matrix, or of a busybox."""
    parser = argparse.ArgumentParser(prog="python -m dmabuf_patchgen.debian.sources")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("series", nargs="?", help="a kernel series such as 6.12")
    what.add_argument("--repository", metavar="SERIES", help="the same, as a git repository")
    what.add_argument("--matrix", action="store_true", help="every row of the test matrix")
    names = [one.name for one in architecture.here().known]
    what.add_argument("--busybox", choices=names, help="a static busybox of an architecture")
    given = parser.parse_args()
    try:
        if given.busybox:
            print(busybox(architecture.here().named(given.busybox)))
            return 0
        if not given.matrix:
            print(repository(given.repository) if given.repository else fetch(given.series))
            return 0
        trees = matrix()
    except UserError as error:
        _say(f"error: {'; '.join(filter(None, (error.message, error.hint)))}")
        return error.exit_code
    for remark in trees.remarks:
        _say(remark)
    for row in trees.rows:
        print(row.series, row.path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
