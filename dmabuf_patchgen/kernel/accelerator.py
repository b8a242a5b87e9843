# SPDX-License-Identifier: GPL-2.0-only
"""What executes a guest's instructions: KVM where this host has shown that it does, else TCG.

A /dev/kvm that opens, and even one that runs a small program, may hang with a kernel: so it is
where a virtual machine's host gives it no real one. Three things have to speak for KVM: the
architecture's probe, which computes for a while, is several times quicker on it than on TCG;
each kernel reaches its first process on it; and no guest is lost or hangs on it that is not on
TCG as well. What comes out is kept until the host boots again.
"""

import hashlib
import json
import os
import resource
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from dmabuf_patchgen import process
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.kernel import cache, programs, qemu
from dmabuf_patchgen.kernel.architecture import Architecture
from dmabuf_patchgen.kernel.console import Boot, BootStatus
from dmabuf_patchgen.kernel.guest import MEMORY
from dmabuf_patchgen.kernel.silence import Patience

NAMES = ("kvm", "tcg")
#: How much quicker the probe has to be on KVM. A processor that executes it is so by twenty times.
_QUICKER = 3
#: Seconds that TCG's probe may take on a machine that is busy with other things.
_AMPLE = 60.0
#: What is kept of another form is not read.
_FORM = 1
_KIND = "hosts"
_FILE = "host.json"


@dataclass(frozen=True, slots=True)
class HostFiles:
    """Where a host tells of itself.

    kvm: the device of its KVM; boot_id: what is in it is another one each time that it boots.
    """

    kvm: Path = Path("/dev/kvm")
    boot_id: Path = Path("/proc/sys/kernel/random/boot_id")

    @property
    def has_kvm(self) -> bool:
        """Whether this user may open the device."""
        return os.access(self.kvm, os.R_OK | os.W_OK)


_FILES = HostFiles()


@dataclass(frozen=True, slots=True)
class Host:
    """What was learnt of this host since it booted.

    pace: how much slower TCG is here than where silences of guests were measured; trouble: why
    KVM is not taken, empty if it is.
    """

    pace: float
    trouble: str

    @property
    def accelerator(self) -> str:
        """What guests run on unless the user wants something else."""
        return "tcg" if self.trouble else "kvm"

    @property
    def patience(self) -> Patience:
        """How silent guests may be; on KVM, which is quicker, no longer than on TCG."""
        return Patience(max(1.0, self.pace))


@dataclass(frozen=True, slots=True)
class Probed:
    """What a probe took. Seconds: by the clock, and of processors."""

    seconds: float
    computed: float


def host(architecture: Architecture, files: HostFiles = _FILES) -> Host:
    """What is known of this host, measured if nothing is. Raises MissingTool."""
    key = _key(architecture, files)
    if place := cache.kept(_KIND, key):
        return Host(**json.loads((place / _FILE).read_text(encoding="utf-8")))
    tcg = probe(architecture, "tcg", _AMPLE)
    if tcg is None:
        # The guest's end will tell what is wrong with this QEMU.
        return Host(1.0, "nothing runs on TCG")
    trouble = _trouble(architecture, tcg, files)
    found = Host(tcg.computed / architecture.qemu.probe_seconds, trouble)
    _keep(key, found)
    return found


def _trouble(architecture: Architecture, tcg: Probed, files: HostFiles) -> str:
    """Why the probe does not speak for KVM. tcg: what it took on TCG just now."""
    if not architecture.native:
        return f"this machine is not of {architecture.name}"
    if not files.has_kvm:
        return f"{files.kvm} is not there or not for this user"
    limit = tcg.seconds / _QUICKER
    if probe(architecture, "kvm", limit):
        return ""
    return (
        f"a probe that takes {tcg.seconds:.1f} s on TCG fails on KVM, or takes over {limit:.1f} s"
    )


def distrust(architecture: Architecture, cause: str, files: HostFiles = _FILES) -> None:
    """Take KVM no more until this host boots again. cause: what a guest on it came to."""
    _keep(_key(architecture, files), Host(host(architecture, files).pace, cause))


def probe(architecture: Architecture, accelerator: str, limit: float) -> Probed | None:
    """What the architecture's probe takes on an accelerator; None if it fails.

    limit: seconds. It runs on the machine and processor that kernels are booted on, has to say
    something, to compute for a while, and to end QEMU with an exit code of its own.
    """
    emulated = architecture.qemu
    wanted = emulated.probe_says.encode()
    output = bytearray()

    def take(piece: bytes) -> bool:
        output.extend(piece)
        return wanted.startswith(output)

    with process.temporary("dmabuf-patchgen-probe-") as scratch:
        program = scratch / "probe"
        code = bytes.fromhex(emulated.probe)
        if emulated.probe_sector:
            code = code.ljust(510, b"\0") + b"\x55\xaa"
        program.write_bytes(code)
        # QEMU takes a comma in a value for its end unless it is doubled.
        name = str(program).replace(",", ",,")
        argv = [
            *qemu.machine(architecture, accelerator, MEMORY),
            *(option.format(probe=name) for option in emulated.probe_options),
        ]
        begin, before = time.monotonic(), _computed()
        done = process.stream(argv, take=take, timeout=limit)
    if done.returncode != emulated.probe_exit or output != wanted:
        return None
    return Probed(time.monotonic() - begin, _computed() - before)


def boot(
    architecture: Architecture,
    run: Callable[[str, Patience], Boot],
    requested: str | None,
    progress: Callable[[str], None],
    files: HostFiles = _FILES,
) -> Boot:
    """Boot a guest on what is known to run it; on TCG again if KVM may be at fault.

    run: boots it on an accelerator, with patience; requested: the accelerator that the user chose.
    Raises UserError if only KVM may be used and the guest shows nothing but that it does not do.
    """
    known = host(architecture, files)
    chosen = requested or known.accelerator
    if chosen == "tcg":
        return run(chosen, known.patience)
    try:
        done = run(chosen, known.patience)
        doubt = _doubt(done)
    except UserError as error:
        doubt = error.message
    if not doubt:
        return done
    if requested:
        raise UserError(f"KVM of this host may not run this kernel: {doubt}", "--accel tcg tells")
    progress(f"on KVM, {doubt}; booting again on TCG")
    again = run("tcg", known.patience)
    if not _doubt(again):
        distrust(architecture, doubt, files)
    return again


def _doubt(done: Boot) -> str:
    """What of a boot may be the host's doing, not the kernel's; empty if nothing."""
    ended = done.status is BootStatus.POWER_OFF
    if ended or (done.status is BootStatus.PANIC and done.started):
        return ""
    return f"{done.status.value}: {done.trouble}"


def _computed() -> float:
    """Processor seconds of all programs that were run and waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _key(architecture: Architecture, files: HostFiles) -> str:
    """What is kept of this host has it: another one for whatever could make a difference."""
    about = [
        _FORM,
        files.boot_id.read_text(),
        qemu.version(architecture),
        programs.digest(architecture.qemu.program),
        asdict(architecture.qemu),
        files.has_kvm,
    ]
    return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:32]


def _keep(key: str, found: Host) -> None:
    with cache.keeping(_KIND, key) as made:
        (made / _FILE).write_text(json.dumps(asdict(found)), encoding="utf-8")
