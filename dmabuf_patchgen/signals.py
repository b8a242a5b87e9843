# SPDX-License-Identifier: GPL-2.0-only
"""The signals that end this program."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

#: What a user, a shell or a machine that goes down ends a program with.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def blocked() -> Iterator[None]:
    """Hold back the signals that end this program, for a step that is done whole or not at all.

    Programs started meanwhile are spared as well: their process group is their own.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
