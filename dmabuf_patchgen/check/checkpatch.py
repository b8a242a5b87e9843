# SPDX-License-Identifier: GPL-2.0-only
"""The style check: the tree's own checkpatch.pl --strict on the mail of a commit."""

import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from dmabuf_patchgen import process
from dmabuf_patchgen.check.step import DATA, Step
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.kernel.diagnostics import Diagnostic

#: What it has to see at the root of a kernel, whether it reads it or not (top_of_kernel_tree).
_TOP_FILES = ("COPYING", "CREDITS", "Kbuild", "MAINTAINERS", "Makefile", "README")
_TOP_DIRECTORIES = (
    "Documentation", "arch", "include", "drivers", "fs", "init", "ipc", "kernel", "lib", "scripts",
)  # fmt: skip
_LINE = re.compile(r"^\S*?:(?:(\d+): )?(ERROR|WARNING|CHECK):([A-Z0-9_]+): (.*)$")
_HUNK = re.compile(rb"^@@ -\d+(?:,\d+)? \+(\d+)")


class Checkpatch:
    """checkpatch.pl, run against the state before the patch."""

    name = "checkpatch"

    def __init__(self) -> None:
        self._proved = False
        self._said: tuple[Diagnostic, ...] = ()

    def before(self, step: Step) -> None:
        if not self._proved:
            step.forest.stand_in(_TOP_FILES, _TOP_DIRECTORIES)
            # It is silent on a clean patch, and so it would be if it did nothing.
            canary = (DATA / "checkpatch-canary.patch").read_bytes()
            if not any(found.type == "MISSING_SIGN_OFF" for found in _checkpatch(step, canary)):
                raise UserError("scripts/checkpatch.pl says nothing about a planted fault")
            self._proved = True
        self._said = _checkpatch(step, step.patch.mail)

    def after(self, step: Step) -> tuple[Diagnostic, ...]:
        return self._said


def _checkpatch(step: Step, mail: bytes) -> tuple[Diagnostic, ...]:
    """What the tree's checkpatch.pl says of a mail, in the order of its lines."""
    place = step.scratch / "checkpatch"
    place.mkdir(exist_ok=True)
    patch = place / "mail.patch"
    patch.write_bytes(mail)
    # A directory of its own as cwd and HOME: no .checkpatch.conf of the user's is read there,
    # its cache of identifiers lands there, and no .git makes it look up commits that a
    # shallow clone does not have.
    done = process.run(
        ["perl", str(step.forest.root / "scripts/checkpatch.pl"), "--strict", "--show-types",
         "--terse", "--color=never", f"--root={step.forest.root}", str(patch)],
        cwd=place,
        env={"PATH": os.environ["PATH"], "HOME": str(place), "LC_ALL": "C"},
        check=False,
    )  # fmt: skip
    places = dict(enumerate(_places(mail), 1))
    # What is missing in the message is told at the end of the mail.
    places[len(places)] = ("", 0)
    found = []
    for line in done.text.splitlines():
        if match := _LINE.match(line):
            number = int(match[1] or 0)
            path, at = places.get(number, ("", 0))
            found.append(Diagnostic(path, at, match[2].lower(), match[3], match[4], number))
    if done.returncode not in (0, 1) or bool(done.returncode) != bool(found):
        raise UserError(f"scripts/checkpatch.pl failed: {done.last_words}")
    return tuple(found)


def _places(mail: bytes) -> Iterator[tuple[str, int]]:
    """For each line of a patch its path and line in the new state; "", 0 in the message."""
    path, line = "", 0
    for text in mail.splitlines():
        if text.startswith(b"diff --git "):
            path, line = text.split(b" b/", 1)[-1].decode(errors="replace"), 0
        elif path and (hunk := _HUNK.match(text)):
            line = int(hunk[1]) - 1
        elif line and text[:1] in (b" ", b"+", b""):
            line += 1
        yield path, line


def exemptions(path: Path = DATA / "exemptions.toml") -> dict[str, tuple[str, str]]:
    """checkpatch type -> when it is exempt ("always" or "adds-files"), and why."""
    table = tomllib.loads(path.read_text())
    return {name: (entry["when"], entry["reason"]) for name, entry in table.items()}


def exempt(found: Diagnostic, step: Step) -> str | None:
    """Why a message is not held against the commit, None if it is."""
    when, reason = exemptions().get(found.type, ("never", ""))
    return reason if when == "always" or (when == "adds-files" and step.adds_files) else None
