# SPDX-License-Identifier: GPL-2.0-only
"""Kernels with checkers, as templates/common/debug.config puts them in: what their guests need,
and which of them have given up in a guest.
"""

import re
from dataclasses import replace

from dmabuf_patchgen.kernel import console, reports
from dmabuf_patchgen.kernel.reports import Kind
from dmabuf_patchgen.kernel.silence import Patience

#: MiB. KASAN's shadow is an eighth of it, and what is freed is kept back for a while.
MEMORY = 1024
#: How many times as long it may take as others may. It takes some twelve times as long as others
#: do (6.12 on TCG), but those may take many times what they do.
SLOWER = 8
#: For the kernel's command line. KASAN would report the first of its findings and no other. What
#: is no parameter of the kernel's is a variable of its first process: guest-timeout heeds it.
ARGUMENTS = ("kasan_multi_shot", f"proof_slower={SLOWER}")

_LOCKS = ("CONFIG_PROVE_LOCKING", "CONFIG_PROVE_RCU")
#: What a checker says that turns itself off, on 5.10 to 7.3, and which symbols are without effect
#: from there on: kernel/locking/lockdep.c and kernel/panic.c, kernel/dma/debug.c, mm/kmemleak.c,
#: lib/debugobjects.c.
_GAVE_UP = (
    (r"turning off the locking correctness validator", _LOCKS),
    (r"Disabling lock debugging due to kernel taint", _LOCKS),
    (r"DMA-API: .*\bdisabl(?:ing|ed)\b", ("CONFIG_DMA_API_DEBUG",)),
    (r"kmemleak: Kernel memory leak detector disabled", ("CONFIG_DEBUG_KMEMLEAK",)),
    (
        r"ODEBUG: Out of memory\. ODEBUG disabled",
        (
            "CONFIG_DEBUG_OBJECTS",
            "CONFIG_DEBUG_OBJECTS_FREE",
            "CONFIG_DEBUG_OBJECTS_TIMERS",
            "CONFIG_DEBUG_OBJECTS_WORK",
            "CONFIG_DEBUG_OBJECTS_RCU_HEAD",
        ),
    ),
)


def limit(seconds: float) -> float:
    """Seconds for a boot that takes some without checkers."""
    return seconds * SLOWER


def patience(usual: Patience) -> Patience:
    """How long such a guest may be silent. usual: how long others may."""
    return replace(usual, pace=usual.pace * SLOWER, runner=usual.runner * SLOWER)


def turned_off(log: str) -> dict[str, str]:
    """Symbols whose checkers gave up in a guest, each with the line that says so.

    log: of the kernel. lockdep gives up with the first report of its own.
    """
    found: dict[str, str] = {}
    for line in log.splitlines():
        text = console.message(line)
        for pattern, symbols in _GAVE_UP:
            if re.match(pattern, text):
                found = {**dict.fromkeys(symbols, text.strip()), **found}
    if _LOCKS[0] not in found:
        told = next((one.line for one in reports.read(log) if one.kind is Kind.LOCKDEP), "")
        found |= dict.fromkeys(_LOCKS, told) if told else {}
    return found
