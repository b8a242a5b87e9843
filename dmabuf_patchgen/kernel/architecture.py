# SPDX-License-Identifier: GPL-2.0-only
"""What differs between the architectures that a kernel can be built and booted for.

One file in architectures/ each; another architecture is a file more.
"""

import os
import platform
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dmabuf_patchgen.errors import UserError

_FILES = Path(__file__).parent / "architectures"


@dataclass(frozen=True, slots=True)
class Qemu:
    """The machine that QEMU emulates.

    program, package: what to run and the Debian package it is in; options: of the machine;
    cpu: the -cpu under TCG, empty for QEMU's default, and kvm_cpu under KVM; console: the
    device of the first serial port; arguments: for the kernel's command line.
    probe: a program in hexadecimal to see what an accelerator is worth: it computes for a while,
    says probe_says on the serial port and ends QEMU with probe_exit; probe_sector: whether it is
    to be a boot sector; probe_options: how QEMU gets it, where {probe} stands for its file;
    probe_seconds: of a processor, that it took on TCG where silences of guests were measured.
    """

    program: str
    package: str
    options: tuple[str, ...]
    cpu: str
    kvm_cpu: str
    console: str
    arguments: tuple[str, ...]
    probe: str
    probe_sector: bool
    probe_says: str
    probe_options: tuple[str, ...]
    probe_exit: int
    probe_seconds: float


@dataclass(frozen=True, slots=True)
class Architecture:
    """An architecture. name: the ARCH of make that is used; machine: as `uname -m` has it.

    names: what make takes as ARCH for it; srcarch: its directory below arch/; triple: what clang
    calls it; debian: what Debian calls it; image: the kernel's image in a build directory;
    config: lines of a .config that a kernel needs to boot on the emulated machine; native: whether
    this machine is of that kind.
    """

    name: str
    machine: str
    names: tuple[str, ...]
    srcarch: str
    triple: str
    debian: str
    image: str
    config: tuple[str, ...]
    qemu: Qemu
    native: bool


@dataclass(frozen=True, slots=True)
class Architectures:
    """The architectures that there is a file of, on a machine.

    machine: as `uname -m` has it.
    """

    machine: str
    known: tuple[Architecture, ...]

    def chosen(self) -> Architecture:
        """The architecture that ARCH names, or that of the machine. Raises UserError."""
        if wanted := os.environ.get("ARCH"):
            return self.named(wanted)
        if own := next((one for one in self.known if one.native), None):
            return own
        raise self._unknown(f"this machine, {self.machine}")

    def named(self, name: str) -> Architecture:
        """The architecture that make takes a name for. Raises UserError."""
        if found := next((one for one in self.known if name in one.names), None):
            return found
        raise self._unknown(f"ARCH {name}")

    def _unknown(self, what: str) -> UserError:
        names = ", ".join(one.name for one in self.known)
        return UserError(f"{what}: nothing is known of it", f"set ARCH to one of {names}")


@cache
def here() -> Architectures:
    """The architectures on this machine."""
    return read(_FILES, platform.machine())


def read(directory: Path, machine: str) -> Architectures:
    """The architectures whose files are in a directory, on a machine."""
    files = sorted(directory.glob("*.toml"))
    return Architectures(machine, tuple(_architecture(file, machine) for file in files))


def _architecture(path: Path, machine: str) -> Architecture:
    declared: dict[str, Any] = _fixed(tomllib.loads(path.read_text(encoding="utf-8")))
    qemu: dict[str, Any] = _fixed(declared.pop("qemu"))
    native = declared["machine"] == machine
    return Architecture(name=path.stem, qemu=Qemu(**qemu), native=native, **declared)


def _fixed(table: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
