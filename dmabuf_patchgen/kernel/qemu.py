# SPDX-License-Identifier: GPL-2.0-only
"""Kernels booted in QEMU."""

import re
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import BinaryIO

from dmabuf_patchgen import process
from dmabuf_patchgen.errors import MissingTool, UserError
from dmabuf_patchgen.kernel import console
from dmabuf_patchgen.kernel.architecture import Architecture
from dmabuf_patchgen.kernel.console import Boot, BootStatus
from dmabuf_patchgen.kernel.guest import Guest
from dmabuf_patchgen.kernel.silence import Silence

#: Nothing but what the architecture's file names, and a serial port.
_BARE = (
    "-nodefaults", "-no-user-config", "-no-reboot",
    "-display", "none", "-monitor", "none", "-serial", "stdio",
)  # fmt: skip
#: Before the lines in which the guest's init tells where its tests begin and end.
_TESTS = f"{console.MARK}tests ".encode()
#: What QEMU says where KVM gives a guest up; it keeps it stopped then, and stays.
_FAILURE = re.compile(rb"KVM internal error.*|.*kvm run failed.*|KVM: entry failed.*")
#: What guests are told on their kernel's command line, whatever boots them.
ARGUMENTS = (
    # The tree's own test of heaps takes 32 MiB of one.
    "cma=64M",
    # Early messages are kept; guest-init lowers it before the tests.
    "loglevel=7",
    "printk.time=1",
    "log_buf_len=1M",
    # The first oops is the end, and the end is at once.
    "oops=panic",
    "panic=-1",
)
#: COMMAND_LINE_SIZE of x86 and arm64, with the byte that ends it. More is cut off in silence.
_COMMAND_LINE = 2048


@cache
def version(architecture: Architecture) -> str:
    """Version of the QEMU that emulates an architecture. Raises MissingTool."""
    output = process.run([_program(architecture), "--version"]).text
    found = re.search(r"version ([0-9.]+)", output)
    return found[1] if found else "of unknown version"


def boot(guest: Guest) -> Boot:
    """Boot a guest and wait for its end. Nothing goes on when this returns, raises or is killed.

    Raises MissingTool, and UserError if QEMU does not start or the log cannot be written.
    """
    argv = [
        *machine(guest.architecture, guest.accelerator, guest.memory),
        "-kernel", str(guest.image), "-initrd", str(guest.initramfs),
        "-append", command_line(guest.architecture, guest.arguments),
    ]  # fmt: skip
    return watched(argv, f"qemu {version(guest.architecture)}", guest)


def machine(architecture: Architecture, accelerator: str, memory: int) -> list[str]:
    """QEMU and its options for a machine that has nothing to run yet. Raises MissingTool."""
    emulated = architecture.qemu
    cpu = emulated.kvm_cpu if accelerator == "kvm" else emulated.cpu
    return [
        _program(architecture), *emulated.options, *_BARE,
        "-accel", accelerator, "-m", str(memory), *(("-cpu", cpu) if cpu else ()),
    ]  # fmt: skip


def command_line(architecture: Architecture, arguments: Sequence[str]) -> str:
    """The kernel's command line. Raises UserError if it is too long."""
    emulated = architecture.qemu
    console = (f"console={emulated.console}", "rdinit=/init")
    return fitting(" ".join((*console, *ARGUMENTS, *emulated.arguments, *arguments)))


def fitting(line: str) -> str:
    """A command line of a kernel. Raises UserError if it is too long."""
    if len(line.encode()) >= _COMMAND_LINE:
        raise UserError(
            f"the kernel's command line would have {len(line)} bytes, {_COMMAND_LINE - 1} fit",
            "run fewer tests in one boot",
        )
    return line


def watched(argv: Sequence[str], runner: str, guest: Guest, *, merged: bool = False) -> Boot:
    """Run what boots a guest, see boot(). runner: what that is called.

    The guest's console is what it says on stdout, and on stderr as well if merged.
    """
    begin = time.monotonic()
    with ExitStack() as stack:
        file = stack.enter_context(_open_log(guest.log)) if guest.log else None
        listener = _Listener(guest, file)
        done = process.stream(
            argv,
            take=listener.take,
            hear=listener.hear,
            watch=listener.watch,
            timeout=guest.limit,
            merged=merged,
        )
    text = console.clean(bytes(listener.output))
    if (done.returncode or 0) > 0 and not text.strip():
        raise UserError(f"{argv[0]} ended before the guest began: {done.last_words}")
    late = done.late or bool(listener.silent)
    how = console.status(text, done.returncode, late=late and not listener.failure)
    cause = ""
    if how is BootStatus.LOST:
        cause = listener.failure or _cause(done, argv[0], guest.most)
    elif how is BootStatus.HANG:
        cause = listener.silent
    return Boot(text, how, time.monotonic() - begin, runner, guest.accelerator, cause)


class _Listener:
    """Takes what a guest says, up to a bound, and how long it says nothing.

    failure: in whose words KVM gave the guest up; silent: for how long nothing was said where
    that was too long. Both are empty else.
    """

    def __init__(self, guest: Guest, log: BinaryIO | None) -> None:
        self.output = bytearray()
        self.failure = ""
        self.silent = ""
        self._log = log
        self._progress = guest.progress
        self._most = guest.most
        self._silence = Silence(guest.patience)
        self._reported = 0

    def take(self, piece: bytes) -> bool:
        """Keep and write a piece; False when it is too much, or not the guest's any more."""
        self._silence.end()
        self.output.extend(piece)
        if self._log:
            try:
                self._log.write(piece)
            except OSError as error:
                raise UserError(f"{self._log.name}: {error.strerror}") from None
        self._tell()
        return len(self.output) <= self._most

    def hear(self, piece: bytes) -> bool:
        """Look at what QEMU says of itself; False when it has stopped the guest."""
        if found := _FAILURE.search(piece):
            self.failure = found[0].decode(errors="replace").strip()
        return not found

    def watch(self, pid: int) -> bool:
        """Whether the guest may go on saying nothing."""
        if self._silence.lasts(pid):
            self.silent = self._silence.description
        return not self.silent

    def _tell(self) -> None:
        """Tell of tests whose line is whole."""
        end = self.output.rfind(b"\n") + 1
        for line in self.output[self._reported : end].splitlines():
            # As the runner of kselftests announces them.
            if line.startswith(b"# selftests: "):
                self._progress(f"running {line[13:].decode(errors='replace')}")
            elif line.startswith(_TESTS):
                self._silence.testing = line.startswith(_TESTS + b"begin")
        self._reported = end


def _open_log(log: Path) -> BinaryIO:
    try:
        # Unbuffered: what was said is there even if we are killed.
        return log.open("wb", buffering=0)
    except OSError as error:
        raise UserError(f"{log}: {error.strerror}") from None


def _cause(done: process.Streamed, program: str, most: int) -> str:
    """Why a guest was lost."""
    if done.returncode is None:
        return f"the guest said more than {most >> 20} MiB and was ended"
    if done.returncode < 0:
        return f"{program} was killed by signal {-done.returncode}"
    if done.returncode:
        return f"{program} ended with exit code {done.returncode}: {done.last_words}"
    # QEMU ends as usual when it is sent a signal, and says so.
    return done.last_words or (
        "the machine was reset or switched off, and the kernel said nothing of a panic"
    )


def _program(architecture: Architecture) -> str:
    """QEMU for an architecture. Raises MissingTool."""
    try:
        process.require(architecture.qemu.program)
    except MissingTool:
        raise MissingTool(architecture.qemu.program, architecture.qemu.package) from None
    return architecture.qemu.program
