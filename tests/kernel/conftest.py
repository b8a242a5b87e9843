# SPDX-License-Identifier: GPL-2.0-only
"""QEMUs that lie."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dmabuf_patchgen.kernel import qemu
from dmabuf_patchgen.kernel.architecture import here

X86 = here().named("x86_64")


@pytest.fixture
def fresh(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is known of QEMU and of this host is asked again, and kept nowhere."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    qemu.version.cache_clear()
    yield
    qemu.version.cache_clear()


@pytest.fixture
def silent_qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program by the name of QEMU for x86_64, which no probe finds to be one."""
    place = tmp_path / "bin" / X86.qemu.program
    place.parent.mkdir()
    place.write_text("#!/bin/sh\n")
    place.chmod(0o755)
    monkeypatch.setenv("PATH", f"{place.parent}:{os.environ['PATH']}")
    return place


@pytest.fixture
def lie(fresh: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts a script in the place of QEMU; tells where its last arguments can be read."""

    def put(script: str) -> Path:
        place = tmp_path / "bin"
        place.mkdir(exist_ok=True)
        program = place / X86.qemu.program
        arguments = tmp_path / "arguments"
        version = 'if [ "$1" = --version ]; then echo "QEMU emulator version 9.9.9"; exit; fi'
        program.write_text(f'#!/bin/sh\n{version}\necho "$*" >{arguments}\n{script}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
        return arguments

    return put
