# SPDX-License-Identifier: GPL-2.0-only
"""A kernel in a subdirectory of a repository: where it is, and its paths in patches."""

import os
import re
from pathlib import Path

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.tree import git

#: How a line of a patch begins that names files, outside of its hunks.
_NAMES = (b"diff --git ", b"--- a/", b"+++ b/")
_RENAMES = (b"rename from ", b"rename to ", b"copy from ", b"copy to ")
_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")


def holds(repo: Path, revision: str, prefix: str) -> bool:
    """Whether a revision has a kernel in a subdirectory."""
    done = git.git(repo, "cat-file", "-e", f"{revision}:{prefix}/Kbuild", check=False)
    return not done.returncode


def kernels(repo: Path, revision: str) -> tuple[str, ...]:
    """Subdirectories of a revision that have a dma-buf, sorted."""
    wanted = "/drivers/dma-buf/dma-buf.c"
    done = git.git(repo, "ls-tree", "-r", "-z", "--full-tree", "--name-only", revision)
    names = done.stdout.decode(errors="surrogateescape").split("\0")
    return tuple(sorted(name.removesuffix(wanted) for name in names if name.endswith(wanted)))


def relative(mail: bytes, prefix: str) -> bytes:
    """A patch as the kernel's own scripts read it: its paths from the kernel's root.

    mail: as git format-patch writes it, from the repository's root or from the kernel's; each
    line stays where it is. Raises UserError if it also changes what is not the kernel's.
    """
    if not prefix:
        return mail
    lines = mail.split(b"\n")
    outside = _outside_hunks(lines)
    named = [number for number in outside if lines[number].startswith(_NAMES)]
    below = re.compile(rb"( [ab]/|(?:from|to) )" + re.escape(os.fsencode(prefix)) + rb"/")
    beside = [number for number in named if not below.search(lines[number])]
    if len(beside) == len(named):
        return mail
    if beside:
        path = lines[beside[0]].decode(errors="replace").split("/", 1)[-1].split(" b/")[0]
        raise UserError(f"{path} is not in {prefix}, and a patch of a kernel changes the kernel")
    for number in outside:
        # What is above the first file is the message.
        if number >= named[0] and lines[number].startswith((*_NAMES, *_RENAMES)):
            lines[number] = below.sub(rb"\1", lines[number])
    return b"\n".join(lines)


def _outside_hunks(lines: list[bytes]) -> list[int]:
    """Numbers of the lines of a patch that are not part of what a file has."""
    found = []
    old = new = 0
    # A message may quote a hunk.
    begun = False
    for number, line in enumerate(lines):
        if old > 0 or new > 0:
            sign = line[:1].strip()
            old -= sign in (b"", b"-")
            new -= sign in (b"", b"+")
        elif begun and (hunk := _HUNK.match(line)):
            old, new = (1 if count is None else int(count) for count in hunk.groups())
        else:
            begun = begun or line.startswith(_NAMES[:2])
            found.append(number)
    return found
