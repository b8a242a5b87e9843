# SPDX-License-Identifier: GPL-2.0-only
"""What disks, full ones and careless hands make of files that were kept."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

Damage = Callable[[Path], None]


def _changed(path: Path) -> None:
    """One bit, with size and time as before."""
    body, times = bytearray(path.read_bytes()), path.stat()
    body[len(body) // 2] ^= 4
    path.write_bytes(body)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def _cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _emptied(path: Path) -> None:
    os.truncate(path, 0)


#: By what it is called. Each is of a file that is not empty.
DAMAGES: Mapping[str, Damage] = {
    "changed": _changed,
    "cut off": _cut_off,
    "emptied": _emptied,
    "removed": Path.unlink,
}


def files(place: Path) -> Iterator[Path]:
    """What can be damaged below a directory, in order."""
    for path in sorted(place.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.stat().st_size:
            yield path
