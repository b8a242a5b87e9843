# SPDX-License-Identifier: GPL-2.0-only
"""Guests that are never run, and such as take their time."""

from collections.abc import Callable

from dmabuf_patchgen.kernel.architecture import Architecture
from dmabuf_patchgen.kernel.console import Boot, BootStatus
from dmabuf_patchgen.kernel.guest import Guest


class Runner:
    """Keeps the guests that it is to boot, and lets each say something."""

    __name__ = "runner"

    def __init__(self) -> None:
        self.guests: list[Guest] = []
        self.ends = BootStatus.POWER_OFF

    def version(self, _: Architecture, /) -> str:
        return "1"

    def boot(self, guest: Guest) -> Boot:
        self.guests.append(guest)
        return Boot("all is well\n", self.ends, 1.0, "qemu 1", guest.accelerator)


def patient(boot: Callable[[float], Boot], said: str) -> Boot:
    """A boot that is late, after the guest has said something, however busy the machine is.

    boot: boots it with a limit in seconds.
    """
    for limit in (2.0, 10.0):
        done = boot(limit)
        if said in done.console:
            return done
    return boot(60.0)
