# SPDX-License-Identifier: GPL-2.0-only
"""What a guest needs whose kernel has checkers, as templates/common/debug.config puts them in."""

from dataclasses import replace

from dmabuf_patchgen.kernel.silence import Patience

#: MiB. KASAN's shadow is an eighth of it, and what is freed is kept back for a while.
MEMORY = 1024
#: How many times as long it may take as others may. It takes some twelve times as long as others
#: do (6.12 on TCG), but those may take many times what they do.
SLOWER = 8
#: For the kernel's command line. KASAN would report the first of its findings and no other. What
#: is no parameter of the kernel's is a variable of its first process: guest-timeout heeds it.
ARGUMENTS = ("kasan_multi_shot", f"proof_slower={SLOWER}")


def limit(seconds: float) -> float:
    """Seconds for a boot that takes some without checkers."""
    return seconds * SLOWER


def patience(usual: Patience) -> Patience:
    """How long such a guest may be silent. usual: how long others may."""
    return replace(usual, pace=usual.pace * SLOWER, runner=usual.runner * SLOWER)
