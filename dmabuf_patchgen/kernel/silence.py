# SPDX-License-Identifier: GPL-2.0-only
"""How long a guest has said nothing, and whether its kernel could still be at work.

Wall-clock time would take a slow guest for a hung one. So silence is counted in two clocks. A
guest that computes has the processor time of its QEMU, which does not pass while other programs
have the processor; one that waits for something has the time in which its QEMU slept, again
without what it stood in the queue for a processor.
"""

import contextlib
import logging
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

#: Tells each silence when it ends, to `python -m bench.silences`.
_LOG = logging.getLogger(__name__)

#: Seconds that a guest is left alone for, at the least.
_LEAST = 5.0
#: A silence this many times the longest that was measured is a hang.
_TIMES = 10
#: The longest silences of guests: seconds computed, and seconds slept. Those of 6.12 on TCG,
#: without and with both series, in the tests and beside them, were 0.45 s and 0.09 s on a machine
#: where the architecture's probe takes its probe_seconds, and half a second more may have passed
#: between two looks (`python -m bench.silences`).
_LONGEST = (1.0, 0.6)
#: The longest that tests of KUnit compute without a word, likewise: test_wait_backward of 7.3's
#: dma-buf-fence-chain takes 10.7 s.
_LONGEST_OF_KUNIT = 11.0
#: The runner of kselftests ends a test that has taken 45 s, and speaks again then; guest-timeout
#: kills what does not heed that 5 s later. So a test may sleep for this long, where it does.
_RUNNER = 55.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a guest may be silent.

    pace: how much slower it is here than where silences were measured; least: seconds that it is
    left alone for at the least; longest: the longest silences that were measured, seconds
    computed and seconds slept; runner: seconds that a test may sleep.
    """

    pace: float = 1.0
    least: float = _LEAST
    longest: tuple[float, float] = _LONGEST
    runner: float = _RUNNER

    def with_kunit(self) -> "Patience":
        """The same for a kernel that runs tests before its first process."""
        computed, slept = self.longest
        return replace(self, longest=(max(computed, _LONGEST_OF_KUNIT), slept))

    def limits(self, *, testing: bool) -> tuple[float, float]:
        """Seconds computed, and seconds slept."""
        computed, slept = (max(self.least, one * _TIMES * self.pace) for one in self.longest)
        return computed, max(slept, self.runner) if testing else slept


@dataclass(frozen=True, slots=True)
class Sample:
    """What the kernel tells of a process. Seconds.

    computed: of all its threads; queued: of each thread, how long it waited for a processor.
    """

    at: float
    computed: float
    queued: dict[str, float]


class Silence:
    """The silence of one guest, sampled while it lasts."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._before: Sample | None = None
        #: Whether tests are under way.
        self.testing = False
        self.computed = self.slept = 0.0

    def end(self) -> None:
        """The guest has said something."""
        _LOG.debug(
            "tests: %s, computed: %.2f s, slept: %.2f s", self.testing, self.computed, self.slept
        )
        self._before = None
        self.computed = self.slept = 0.0

    def lasts(self, pid: int) -> bool:
        """Sample the guest's QEMU; whether its silence is longer than its kernel's ever are."""
        return self.add(sample(pid))

    def add(self, now: Sample | None) -> bool:
        """Count what has passed since the sample before; see lasts()."""
        before, self._before = self._before, now
        if before is None or now is None:
            return False
        computed = now.computed - before.computed
        # A queue delays the guest by as much as its slowest thread stood in it.
        queued = max(
            (now.queued[one] - before.queued[one] for one in now.queued.keys() & before.queued),
            default=0.0,
        )
        self.computed += computed
        self.slept += max(0.0, now.at - before.at - computed - queued)
        most_computed, most_slept = self._patience.limits(testing=self.testing)
        return self.computed > most_computed or self.slept > most_slept

    @property
    def description(self) -> str:
        """How long it was, for a message."""
        return f"nothing was said while it computed {self.computed:.0f} s, slept {self.slept:.0f} s"


def sample(pid: int) -> Sample | None:
    """What the kernel tells of a process and its threads; None if it has gone."""
    place = Path(f"/proc/{pid}")
    at = time.monotonic()
    queued = {}
    try:
        # utime and stime of proc_pid_stat(5), with those of threads that have ended.
        fields = (place / "stat").read_text().rpartition(")")[2].split()[11:13]
        for thread in (place / "task").iterdir():
            # A thread may end meanwhile; and a kernel without CONFIG_SCHED_INFO does not tell.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                # Nanoseconds that it ran and that it waited, see sched-stats.rst.
                queued[thread.name] = int((thread / "schedstat").read_text().split()[1]) / 1e9
    except (FileNotFoundError, ProcessLookupError):
        return None
    return Sample(at, sum(map(int, fields)) / os.sysconf("SC_CLK_TCK"), queued)
