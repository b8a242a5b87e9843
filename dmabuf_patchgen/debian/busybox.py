# SPDX-License-Identifier: GPL-2.0-only
"""The userspace of a guest: a static busybox of its architecture."""

import shutil
import struct
from pathlib import Path

from dmabuf_patchgen import process
from dmabuf_patchgen.debian import apt
from dmabuf_patchgen.errors import MissingTool, UserError
from dmabuf_patchgen.kernel import seal
from dmabuf_patchgen.kernel.architecture import Architecture
from dmabuf_patchgen.xdg import cache

PACKAGE = "busybox-static"
#: Where packages have it: since trixie, and before.
_PLACES = ("usr/bin/busybox", "bin/busybox")
#: elf(5): the type of a program header that names a dynamic loader.
_PT_INTERP = 3


def busybox(architecture: Architecture) -> Path:
    """A static busybox: this machine's own, or Debian's, fetched once for a foreign architecture.

    Raises MissingTool if this machine has none that is static, UserError if that of another
    architecture cannot be fetched.
    """
    if architecture.native:
        own = shutil.which("busybox")
        if own is None or not is_static(Path(own)):
            raise MissingTool("a static busybox", PACKAGE)
        return Path(own)
    place = cache() / "busybox" / architecture.name / "busybox"
    try:
        _remove_damaged(place)
        if not place.exists():
            _fetch(architecture, place)
        if not is_static(place):
            raise UserError(f"{place} is no static program")
    except (UserError, OSError) as error:
        cause = error.message if isinstance(error, UserError) else str(error)
        raise UserError(
            f"no busybox for {architecture.name}: {cause}", f"or put a static one there: {place}"
        ) from None
    return place


def is_static(program: Path) -> bool:
    """Whether a file is a program that needs no dynamic loader."""
    content = program.read_bytes()
    # elf(5): class and byte order, then place, size and number of the program headers.
    wide, order = content[4:5] == b"\2", ">" if content[5:6] == b"\2" else "<"
    try:
        (start,) = struct.unpack_from(f"{order}{'Q' if wide else 'I'}", content, 32 if wide else 28)
        size, count = struct.unpack_from(f"{order}HH", content, 54 if wide else 42)
        types = [
            struct.unpack_from(f"{order}I", content, start + size * n)[0] for n in range(count)
        ]
    except struct.error:
        # Too short, or nothing that a loader would take.
        return False
    return content[:4] == b"\x7fELF" and _PT_INTERP not in types


def _remove_damaged(place: Path) -> None:
    """Remove what was fetched and is no longer as it came; what its user put there has no seal."""
    mark = place.parent / seal.NAME
    if mark.exists() and not seal.holds(place.parent):
        mark.unlink()
        place.unlink(missing_ok=True)


def _fetch(architecture: Architecture, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    # Beside it, so that it can be renamed; two processes may do so at the same time.
    with process.temporary(".fetching-", place.parent) as scratch:
        private = apt.Apt(scratch / "apt", foreign=architecture.debian)
        private.update()
        deb = private.download(PACKAGE, scratch)
        process.run(["dpkg-deb", "-x", str(deb), str(scratch / "package")])
        found = [scratch / "package" / name for name in _PLACES]
        program = next((path for path in found if path.is_file() and not path.is_symlink()), None)
        if program is None:
            raise UserError(f"{deb.name} holds no busybox")
        program.replace(place)
    seal.close(place.parent)
