# SPDX-License-Identifier: GPL-2.0-only
"""Seals on kept directories: they tell what was put there from what a disk made of it since.

A machine that lost power, a full disk and a careless hand leave files that are empty, cut off or
changed. What make or a boot would say of such a file, a series would be blamed for.
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from dmabuf_patchgen import process

#: The file of a seal, in the directory.
NAME = "seal.json"
#: More files than these are brought to the disk together with all else that waits for it.
_MANY = 100


def close(place: Path, about: str = "", *, content: bool = True) -> None:
    """Seal a directory, and see that all of it is on the disk.

    about: what it was made from; content: whether to hash the files, and not only what a
    file system says of them, as for what is too large to be read at each use.
    Raises UserError or OSError if it cannot be written.
    """
    place = place.resolve()
    seal = place / NAME
    seal.unlink(missing_ok=True)
    record = {"about": about, "content": content, "digest": _digest(place, content=content)}
    seal.write_text(json.dumps(record), encoding="utf-8")
    _sync(place)


def holds(place: Path, about: str = "") -> bool:
    """Whether a directory is there, was made from that, and is as it was sealed."""
    try:
        record = json.loads((place / NAME).read_text(encoding="utf-8"))
        if record["about"] != about:
            return False
        return bool(record["digest"] == _digest(place, content=record["content"]))
    except (OSError, ValueError, LookupError, TypeError):
        # Not there, or the seal itself is damaged.
        return False


def _digest(place: Path, *, content: bool) -> str:
    """A hash of the names, modes and times of all files, and of what is in them."""
    state = hashlib.sha256()
    for entry in _entries(str(place)):
        found = entry.stat(follow_symlinks=False)
        name = entry.path[len(str(place)) + 1 :]
        line = f"{name}\0{found.st_mode} {found.st_size} {found.st_mtime_ns} "
        if stat.S_ISLNK(found.st_mode):
            line += str(Path(entry.path).readlink())
        elif not content:
            # What no program sets: a file that was written to has another time of change.
            line += f"{found.st_ino} {found.st_ctime_ns}"
        elif stat.S_ISREG(found.st_mode):
            with Path(entry.path).open("rb") as file:
                line += hashlib.file_digest(file, "sha256").hexdigest()
        state.update(f"{line}\0".encode(errors="surrogateescape"))
    return state.hexdigest()


def _entries(place: str) -> Iterator["os.DirEntry[str]"]:
    """All files below a directory but its seal, in an order that is always the same."""
    pending = [place]
    while pending:
        with os.scandir(pending.pop()) as found:
            for entry in sorted(found, key=lambda entry: entry.name):
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                elif entry.path != f"{place}/{NAME}":
                    yield entry


def _sync(place: Path) -> None:
    """Wait until a directory is on the disk: a rename must not get there before its files."""
    paths = [Path(entry.path) for entry in _entries(str(place))]
    if len(paths) > _MANY:
        process.run(["sync", "--file-system", str(place)])
        return
    for path in (*paths, place / NAME, place):
        if not path.is_symlink():
            sync(path)


def sync(path: Path) -> None:
    """Wait until a file or the names in a directory are on the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
