# SPDX-License-Identifier: GPL-2.0-only
"""The content of a directory, as one id: that of the git tree that git would make of it.

So a proof, a kernel and a boot of some files are of these files wherever they lie. Reading a
kernel's 85,000 files takes seconds, so what the file system said of them is kept: a file that is
written to has another time of change (ctime), which no program can set back.
"""

import hashlib
import json
import os
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dmabuf_patchgen import kept, xdg
from dmabuf_patchgen.errors import UserError

#: Nanoseconds. A file that changes twice in one tick of its file system's clock shows one time;
#: the coarsest clock is FAT's.
_TICK = 2_000_000_000
#: So many directories are remembered, 600 kB each for a kernel's.
_KEEP = 20

#: By directory, a hash of all that its id comes from, and its id.
_Index = Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class _Directory:
    """The entries of a directory that git would take.

    stats: what the file system says of the files; changed: when the last of them did, in
    nanoseconds.
    """

    path: str
    files: tuple[str, ...]
    directories: tuple[str, ...]
    stats: str
    changed: int

    def state(self, trees: Mapping[str, str]) -> str:
        """A hash of all that its id comes from. trees: ids of the directories in it."""
        below = "".join(f"{path}\0{trees[path]}\0" for path in self.directories)
        return hashlib.sha256(f"{self.stats}{below}".encode(errors="surrogateescape")).hexdigest()


def tree_id(root: Path, tick: int = _TICK) -> str:
    """The id of the git tree that has the files of a directory, as they are now.

    tick: nanoseconds for which the clock of its file system may stand still. What git would not
    take is left out: empty directories, devices, `.git`. Only files that changed since the last
    time are read. Raises UserError for what cannot be read.
    """
    known = _load(root)
    started = time.time_ns()
    index: dict[str, tuple[str, str]] = {}
    trees: dict[str, str] = {}
    try:
        for one in reversed(_listed(root)):
            state = one.state(trees)
            before, tree = known.get(one.path, ("", ""))
            trees[one.path] = tree if before == state else _tree(root, one, trees)
            if one.changed < started - tick:
                index[one.path] = (state, trees[one.path])
    except OSError as error:
        raise UserError(f"{error.filename}: {error.strerror}") from None
    if index != known:
        _save(root, index)
    return trees[""]


def _place(root: Path) -> Path:
    name = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:32]
    return xdg.cache() / "contents" / f"{name}.json"


def _load(root: Path) -> _Index:
    """The index of a directory; nothing if there is none, or if it is not as it was saved."""
    body = kept.load(_place(root))
    index = json.loads(body) if body else {}
    return {path: (state, tree) for path, (state, tree) in index.items()}


def _save(root: Path, index: _Index) -> None:
    kept.save(_place(root), json.dumps(index).encode(), siblings=_KEEP)


def _listed(root: Path) -> list[_Directory]:
    """All directories, each after the one that it is in."""
    found = []
    pending = [""]
    while pending:
        path = pending.pop()
        one = _directory(root, path)
        found.append(one)
        pending += one.directories
    return found


def _directory(root: Path, path: str) -> _Directory:
    files, directories, stats, changed = [], [], [], 0
    with os.scandir(root / path) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name == ".git":
                continue
            if entry.is_dir(follow_symlinks=False):
                directories.append(f"{path}/{entry.name}" if path else entry.name)
            elif entry.is_file(follow_symlinks=False) or entry.is_symlink():
                found = entry.stat(follow_symlinks=False)
                files.append(entry.name)
                stats.append(
                    f"{entry.name}\0{found.st_mode} {found.st_size} {found.st_mtime_ns} "
                    f"{found.st_ctime_ns} {found.st_ino} {found.st_dev}\0"
                )
                changed = max(changed, found.st_ctime_ns)
    return _Directory(path, tuple(files), tuple(directories), "".join(stats), changed)


def _tree(root: Path, directory: _Directory, trees: Mapping[str, str]) -> str:
    """The id of a directory's git tree, empty if there is nothing in it."""
    place = root / directory.path
    entries = [(os.fsencode(name), *_blob(place / name)) for name in directory.files]
    # git compares the name of a directory as if a slash stood behind it.
    entries += (
        (os.fsencode(path.rpartition("/")[2]) + b"/", b"40000", trees[path])
        for path in directory.directories
        if trees[path]
    )
    body = b"".join(
        b"%s %s\0%s" % (mode, name.rstrip(b"/"), bytes.fromhex(oid))
        for name, mode, oid in sorted(entries)
    )
    return _object(b"tree", body) if body or not directory.path else ""


def _blob(path: Path) -> tuple[bytes, str]:
    """The mode and the id that git gives a file, or a link by its target."""
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        # As it is written: a Path drops what it takes for needless, as in `a/./b`.
        return b"120000", _object(b"blob", os.readlink(os.fsencode(path)))  # noqa: PTH115 - bytes
    begin = hashlib.sha1(b"blob %d\0" % found.st_size, usedforsecurity=False)
    with path.open("rb") as file:
        oid = hashlib.file_digest(file, begin.copy).hexdigest()
    return (b"100755" if found.st_mode & stat.S_IXUSR else b"100644"), oid


def _object(kind: bytes, body: bytes) -> str:
    whole = b"%s %d\0%s" % (kind, len(body), body)
    return hashlib.sha1(whole, usedforsecurity=False).hexdigest()
