# SPDX-License-Identifier: GPL-2.0-only
"""The root directory of a guest: busybox, a script as the first process, and kselftests."""

import gzip
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.kernel.kbuild import DATA

#: The scripts of a guest, by where they are in it. The first process, and two programs that
#: the kernel's runner calls and that busybox does not stand in for.
SCRIPTS = {
    "init": DATA / "guest-init",
    "usr/bin/perl": DATA / "guest-perl",
    "usr/bin/timeout": DATA / "guest-timeout",
}
#: Where the kselftests are in the guest.
_TESTS = "kselftest"
#: Where busybox puts links to itself, and where something is mounted.
_DIRECTORIES = ("bin", "dev", "proc", "sbin", "sys", "tmp", "usr", "usr/bin", "usr/sbin")


#: Of a newc archive: the name that ends it, and the bytes before each name.
_TRAILER = "TRAILER!!!"
_HEADER = 110


@dataclass(frozen=True, slots=True)
class _CpioEntry:
    """A file of the archive. device: major and minor number of a device."""

    name: str
    mode: int
    content: bytes = b""
    device: tuple[int, int] = (0, 0)


def write(place: Path, *, busybox: Path, tests: Path) -> None:
    """Write an initramfs, whole or not at all; the same input gives the same bytes.

    busybox: a static one of the guest's architecture; tests: what `make kselftest-install`
    wrote, with static programs. Raises UserError for what no file system of a guest could hold,
    and if it cannot be written.
    """
    entries = [_CpioEntry(name, stat.S_IFDIR | 0o755) for name in _DIRECTORIES]
    entries += [
        _CpioEntry("bin/busybox", stat.S_IFREG | 0o755, busybox.read_bytes()),
        # The kernel opens it for init before anything is mounted.
        _CpioEntry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1)),
        *(
            _CpioEntry(name, stat.S_IFREG | 0o755, script.read_bytes())
            for name, script in SCRIPTS.items()
        ),
        _CpioEntry(_TESTS, stat.S_IFDIR | 0o755),
        *_below(tests, _TESTS),
    ]
    # A directory comes before what is in it.
    entries.sort(key=lambda entry: entry.name)
    archive = b"".join(_newc(number, entry) for number, entry in enumerate(entries, 1))
    archive += _newc(0, _CpioEntry(_TRAILER, 0))
    partial = place.with_name(f"{place.name}.partial")
    try:
        # It is made anew more often than it is read.
        partial.write_bytes(gzip.compress(archive, compresslevel=1, mtime=0))
        partial.replace(place)
    except OSError as error:
        raise UserError(f"{place}: {error.strerror}") from None
    finally:
        partial.unlink(missing_ok=True)


def unpack(archive: Path, directory: Path) -> None:
    """Lay out what write() wrote, for a guest whose root is a directory; devices are left out."""
    content = gzip.decompress(archive.read_bytes())
    at = 0
    while True:
        fields = [int(content[n : n + 8], 16) for n in range(at + 6, at + _HEADER, 8)]
        mode, size, length = fields[1], fields[6], fields[11]
        name = os.fsdecode(content[at + _HEADER : at + _HEADER + length - 1])
        if name == _TRAILER:
            return
        begin = _aligned(at + _HEADER + length)
        at = _aligned(begin + size)
        body, place = content[begin : begin + size], directory / name
        if stat.S_ISDIR(mode):
            place.mkdir()
        elif stat.S_ISLNK(mode):
            place.symlink_to(os.fsdecode(body))
        elif stat.S_ISREG(mode):
            place.write_bytes(body)
            place.chmod(stat.S_IMODE(mode))


def _below(directory: Path, name: str) -> Iterator[_CpioEntry]:
    """All that is below a directory; of a file's mode only whether it can be executed."""
    with os.scandir(directory) as found:
        for one in found:
            path, inside = Path(one.path), f"{name}/{one.name}"
            mode = one.stat(follow_symlinks=False).st_mode
            if stat.S_ISLNK(mode):
                yield _CpioEntry(inside, stat.S_IFLNK | 0o777, os.fsencode(path.readlink()))
            elif stat.S_ISDIR(mode):
                yield _CpioEntry(inside, stat.S_IFDIR | 0o755)
                yield from _below(path, inside)
            elif stat.S_ISREG(mode):
                allowed = 0o755 if mode & stat.S_IXUSR else 0o644
                yield _CpioEntry(inside, stat.S_IFREG | allowed, path.read_bytes())
            else:
                raise UserError(f"{path} is no file that a test could need")


def _newc(number: int, entry: _CpioEntry) -> bytes:
    """An entry as Documentation/driver-api/early-userspace/buffer-format.rst has it."""
    name = os.fsencode(entry.name) + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    size = len(entry.content)
    fields = (number, entry.mode, 0, 0, links, 0, size, 0, 0, *entry.device, len(name), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(header + name) + _padded(entry.content)


def _padded(part: bytes) -> bytes:
    return part.ljust(_aligned(len(part)), b"\0")


def _aligned(size: int) -> int:
    return (size + 3) & ~3
