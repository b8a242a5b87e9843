# SPDX-License-Identifier: GPL-2.0-only
"""A guest to be booted: what it is, and how long it may take."""

from dataclasses import dataclass
from pathlib import Path

from dmabuf_patchgen.kernel.architecture import Architecture
from dmabuf_patchgen.kernel.kbuild import Progress
from dmabuf_patchgen.kernel.silence import Patience

#: MiB, for kernels and for the probe of an accelerator.
MEMORY = 512


@dataclass(frozen=True, slots=True)
class Guest:
    """A kernel with its root directory, for qemu.boot() or vng.boot().

    accelerator: kvm or tcg; patience: how long it may be silent; limit: seconds that it may take;
    log: where its console is written while it comes, None for nowhere; arguments: more of them
    for the kernel's command line; memory: MiB; most: bytes of a console that are read before it is
    ended, where a boot says a hundred thousand; progress: is told of each test that begins.
    """

    architecture: Architecture
    image: Path
    initramfs: Path
    accelerator: str
    patience: Patience
    limit: float
    log: Path | None = None
    arguments: tuple[str, ...] = ()
    memory: int = MEMORY
    most: int = 4 << 20
    progress: Progress = lambda text: None
