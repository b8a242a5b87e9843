# SPDX-License-Identifier: GPL-2.0-only
"""Boots of kernels with their tests, each kept: the same input is booted once."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType

from dmabuf_patchgen import process
from dmabuf_patchgen.kernel import cache, initramfs, qemu
from dmabuf_patchgen.kernel.architecture import Architecture
from dmabuf_patchgen.kernel.console import Boot, BootStatus
from dmabuf_patchgen.kernel.image import Kernel, Tests
from dmabuf_patchgen.kernel.kbuild import Progress

#: What is kept of another form is not read.
_FORM = 1
#: Boots that end in another way may end otherwise the next time.
_LASTING = (BootStatus.POWER_OFF, BootStatus.PANIC)


class Boots:
    """Boots of one run of the prover.

    limit: seconds for each; busybox: a static one of the architecture; kept: whether to take
    what an earlier run booted; scratch: a directory for initramfs and logs.
    """

    def __init__(
        self,
        architecture: Architecture,
        runner: ModuleType,
        limit: float,
        busybox: Path,
        scratch: Path,
        progress: Progress,
        *,
        kept: bool = True,
    ) -> None:
        self._architecture = architecture
        self._runner = runner
        self._limit = limit
        self._scratch = scratch
        self._progress = progress
        self._kept = kept
        self._busybox = busybox
        self._about = [
            _FORM,
            runner.__name__,
            runner.version(architecture),
            asdict(architecture.qemu),
            qemu.command_line(architecture, ()),
            *(
                hashlib.sha256(file.read_bytes()).hexdigest()
                for file in (self._busybox, *initramfs.SCRIPTS.values())
            ),
        ]

    def boot(self, label: str, kernel: Kernel, tests: Tests, names: Sequence[str]) -> Boot:
        """Boot a kernel and run tests, named as `collection:test`."""
        said = json.dumps([*self._about, kernel.key, tests.key, list(names)])
        key = hashlib.sha256(said.encode()).hexdigest()[:32]
        place = cache.directory("boots") / key
        file = place / "boot.json"
        if self._kept and file.exists():
            cache.touch(place)
            held = json.loads(file.read_text(encoding="utf-8"))
            return Boot(**{**held, "status": BootStatus(held["status"])})
        self._progress(f"booting {label}: {len(names)} programs of tests")
        boot: Boot = self._runner.boot(
            self._architecture,
            kernel.image,
            self._initramfs(tests),
            arguments=(f"proof_tests={','.join(names)}",),
            limit=self._limit,
            log=self._scratch / "console.log",
            progress=lambda said: self._progress(f"booted {label}: {said}"),
        )
        if boot.status in _LASTING:
            place.mkdir(exist_ok=True)
            partial = place / "boot.json.partial"
            partial.write_text(json.dumps({**asdict(boot), "status": boot.status.value}))
            partial.rename(file)
            cache.evict("boots")
        return boot

    def _initramfs(self, tests: Tests) -> Path:
        place = self._scratch / f"{tests.key}.cpio.gz"
        if not place.exists():
            initramfs.write(place, busybox=self._busybox, tests=tests.directory)
        return place


def runner(name: str, architecture: Architecture) -> tuple[ModuleType, Architecture]:
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
