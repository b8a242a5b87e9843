# SPDX-License-Identifier: GPL-2.0-only
"""Boots of kernels with their tests, each kept: the same input is booted once."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Protocol

from dmabuf_patchgen import process
from dmabuf_patchgen.kernel import accelerator as accelerators
from dmabuf_patchgen.kernel import cache, checkers, initramfs, programs, qemu
from dmabuf_patchgen.kernel.architecture import Architecture
from dmabuf_patchgen.kernel.console import Boot, BootStatus
from dmabuf_patchgen.kernel.guest import MEMORY, Guest
from dmabuf_patchgen.kernel.image import Kernel, Tests
from dmabuf_patchgen.kernel.kbuild import Progress
from dmabuf_patchgen.kernel.silence import Patience

#: The collection of tests that a kernel runs by itself, before its first process: `kunit:SUITE`.
KUNIT = "kunit"
#: What is kept of another form is not read.
_FORM = 2
_FILE = "boot.json"
#: Boots that end in another way may end otherwise the next time.
_LASTING = (BootStatus.POWER_OFF, BootStatus.PANIC)


class Runner(Protocol):
    """What boots guests: the module qemu, or vng."""

    __name__: str

    def version(self, architecture: Architecture, /) -> str:
        """Of the programs that it runs. Raises MissingTool."""

    def boot(self, guest: Guest) -> Boot:
        """Boot a guest and wait for its end. Raises MissingTool and UserError."""


class Boots:
    """Boots of one run of the prover.

    limit: seconds for each; busybox: a static one of the architecture; scratch: a directory for
    initramfs and logs; accelerator: kvm or tcg, None for what the host is good for; kept: whether
    to take what an earlier run booted; debug: whether the kernels have checkers; kunit: whether
    they run tests of KUnit; arguments: for their command lines.
    """

    def __init__(
        self,
        architecture: Architecture,
        runner: Runner,
        limit: float,
        busybox: Path,
        scratch: Path,
        progress: Progress,
        *,
        accelerator: str | None = None,
        kept: bool = True,
        debug: bool = False,
        kunit: bool = False,
        arguments: Sequence[str] = (),
    ) -> None:
        self.accelerator = accelerator
        self._architecture = architecture
        self._runner = runner
        self._limit = limit
        self._scratch = scratch
        self._progress = progress
        self._kept = kept
        self._busybox = busybox
        self._debug = debug
        self._kunit = kunit
        self._memory = checkers.MEMORY if debug else MEMORY
        self._arguments = (*(checkers.ARGUMENTS if debug else ()), *arguments)
        self._about = [
            _FORM,
            runner.__name__,
            runner.version(architecture),
            programs.digest(architecture.qemu.program, *(() if runner is qemu else ("vng",))),
            asdict(architecture.qemu),
            qemu.command_line(architecture, self._arguments),
            self._memory,
            *(
                hashlib.sha256(file.read_bytes()).hexdigest()
                for file in (self._busybox, *initramfs.SCRIPTS.values())
            ),
        ]

    def boot(self, label: str, kernel: Kernel, tests: Tests, names: Sequence[str]) -> Boot:
        """Boot a kernel and run tests, named as `collection:test`.

        Those of the collection KUNIT are the kernel's own: which it has, its configuration says.
        """
        programs = [name for name in names if not name.startswith(f"{KUNIT}:")]
        about = [*self._about, kernel.key, tests.key, programs]
        keys = {one: _key([*about, one]) for one in accelerators.NAMES}
        for one in accelerators.NAMES:
            if self._kept and self.accelerator in (None, one) and (known := _kept_boot(keys[one])):
                return known
        self._progress(f"booting {label}: {len(programs)} programs of tests")
        initramfs = self._initramfs(tests)

        def run(accelerator: str, patience: Patience) -> Boot:
            if self._kunit:
                patience = patience.with_kunit()
            guest = Guest(
                self._architecture,
                kernel.image,
                initramfs,
                accelerator,
                checkers.patience(patience) if self._debug else patience,
                self._limit,
                log=self._scratch / "console.log",
                arguments=(*self._arguments, f"proof_tests={','.join(programs)}"),
                memory=self._memory,
                progress=lambda text: self._progress(f"booted {label}: {text}"),
            )
            return self._runner.boot(guest)

        boot = accelerators.boot(
            self._architecture,
            run,
            self.accelerator,
            lambda text: self._progress(f"booted {label}: {text}"),
        )
        if boot.status in _LASTING:
            _keep(boot, keys[boot.accelerator])
        return boot

    def _initramfs(self, tests: Tests) -> Path:
        place = self._scratch / f"{tests.key}.cpio.gz"
        if not place.exists():
            initramfs.write(place, busybox=self._busybox, tests=tests.directory)
        return place


def _key(about: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:32]


def _kept_boot(key: str) -> Boot | None:
    """A boot that was kept."""
    place = cache.kept("boots", key)
    if place is None:
        return None
    record = json.loads((place / _FILE).read_text(encoding="utf-8"))
    return Boot(**{**record, "status": BootStatus(record["status"])})


def _keep(boot: Boot, key: str) -> None:
    with cache.keeping("boots", key) as made:
        body = json.dumps({**asdict(boot), "status": boot.status.value})
        (made / _FILE).write_text(body, encoding="utf-8")


def runner(name: str, architecture: Architecture) -> tuple[Runner, Architecture]:
    """What boots kernels, qemu or vng, and the architecture with what it wants of a kernel.

    Raises MissingTool.
    """
    if name == "qemu":
        return qemu, architecture
    from dmabuf_patchgen.kernel import vng

    process.require("vng")
    lines = vng.CONFIG.read_text(encoding="utf-8").splitlines()
    more = tuple(line for line in lines if line.startswith("CONFIG_"))
    return vng, replace(architecture, config=architecture.config + more)
