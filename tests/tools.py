# SPDX-License-Identifier: GPL-2.0-only
"""Programs on PATH that say what a test wants: a compiler, and what kbuild needs beside it."""

import os
from pathlib import Path

import pytest

from dmabuf_patchgen.kernel.kbuild import CHOICES


def put(place: Path, name: str, script: str = "") -> Path:
    """A program in a directory, which is made if need be; its path."""
    place.mkdir(exist_ok=True)
    program = place / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program


class Toolchain:
    """A gcc 12 and a sparse that nothing else than their content tells from others."""

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._place = place
        for name in ("perl", "flex", "bison", "bc"):
            put(place, name)
        self.choose()
        for name in CHOICES:
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")

    def choose(self, gcc: str = "gcc", sparse: str = "sparse") -> None:
        """Have programs that differ in a word."""
        put(self._place, "gcc", f"[ $1 != --version ] || echo gcc 12 # {gcc}")
        put(self._place, "sparse", f"# {sparse}")
