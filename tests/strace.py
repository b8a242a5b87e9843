# SPDX-License-Identifier: GPL-2.0-only
"""A program under strace, which ends it or lets a system call fail at a place of its choice."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.conftest import CHECKOUT

#: All that changes something on a disk, but opening a file: whatever that makes is seen at the
#: call behind it. Some of them are not there on every architecture.
CHANGES = (
    "chmod", "fchmod", "fchmodat", "fdatasync", "fsync", "ftruncate", "link", "linkat", "mkdir",
    "mkdirat", "rename", "renameat", "renameat2", "rmdir", "truncate", "unlink", "unlinkat",
    "write",
)  # fmt: skip
#: And what a full disk refuses.
GROWS = ("fsync", "link", "linkat", "mkdir", "mkdirat", "rename", "renameat", "renameat2", "write")


def require() -> None:
    """Skip the test where strace is not there, or may not trace."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    tried = subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip("this machine does not let strace trace")


@dataclass(frozen=True, slots=True)
class Traced:
    """How a Python script is run.

    script: its text; arguments: its own; follow: whether what it starts is traced as well;
    program: the command of git that is traced, instead of the script.
    """

    script: str
    arguments: Sequence[str | Path]
    follow: bool = False
    program: str = ""

    def calls(self, kinds: Sequence[str]) -> list[tuple[str, int]]:
        """Each call of some kinds that it makes, as kind and number: those that can fail."""
        with TemporaryDirectory() as place:
            log = Path(place) / "log"
            done = self._run(["-o", str(log), "-e", f"trace={_set(kinds)}"])
            assert done.returncode == 0, done
            made = re.findall(r"^(?:\d+ +)?(\w+)\(", log.read_text(), re.M)
        # Each program has numbers of its own.
        return [(kind, number + 1) for kind in kinds for number in range(made.count(kind))]

    def files(self, kind: str) -> list[str]:
        """The files, by their paths, that it makes calls of a kind about."""
        with TemporaryDirectory() as place:
            log = Path(place) / "log"
            done = self._run(["-o", str(log), "--decode-fds=path", "-e", f"trace={kind}"])
            assert done.returncode == 0, done
            return re.findall(rf"^(?:\d+ +)?{kind}\(\d+<(.*)>\)", log.read_text(), re.M)

    def fails(self, kind: str, number: int, fault: str) -> "subprocess.CompletedProcess[str]":
        """Run it with a fault, such as signal=KILL, at a call."""
        inject = f"inject={kind}:{fault}:when={number}"
        return self._run(["-o", os.devnull, "-e", f"trace={kind}", "-e", inject])

    def _run(self, options: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        strace = ["strace", "-qq", *(["-f"] if self.follow else []), *options]
        command = [sys.executable, "-B", "-c", self.script, *map(str, self.arguments)]
        env = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
        with TemporaryDirectory() as place:
            if self.program:
                git, real = Path(place) / "git", shutil.which("git")
                git.write_text(
                    f'#!/bin/sh\ncase "$*" in *" {self.program} "*)\n'
                    f'exec {shlex.join(strace)} {real} "$@";; esac\nexec {real} "$@"\n'
                )
                git.chmod(0o755)
                env["PATH"] = f"{place}:{env['PATH']}"
            else:
                command = [*strace, *command]
            return subprocess.run(
                command, env=env, stdin=subprocess.DEVNULL,
                capture_output=True, text=True, timeout=300, check=False,
            )  # fmt: skip


def _set(kinds: Sequence[str]) -> str:
    return ",".join(f"?{kind}" for kind in kinds)
