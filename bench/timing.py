# SPDX-License-Identifier: GPL-2.0-only
"""Whole processes timed in turn, so that a ratio holds where the machine's speed does not."""

import os
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Command:
    """A command to be timed; before: what makes its surroundings ready, not timed."""

    name: str
    argv: tuple[str, ...]
    cwd: Path | None = None
    before: Callable[[], object] = lambda: None


@dataclass(frozen=True, slots=True)
class Measured:
    """Runs of a command: wall seconds of each, and the most memory of any, in MB.

    Memory is that of the largest single process, as wait4(2) tells; 0 where it was not asked.
    """

    name: str
    seconds: tuple[float, ...]
    megabytes: float

    @property
    def median(self) -> float:
        """Seconds of the run in the middle."""
        return statistics.median(self.seconds)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Ours against theirs, run by run in turn."""

    what: str
    ours: Measured
    theirs: Measured
    below: float

    @property
    def ratio(self) -> float:
        """Median of the ratios pair by pair; below 1 we are quicker."""
        pairs = zip(self.ours.seconds, self.theirs.seconds, strict=True)
        return statistics.median(a / b for a, b in pairs)

    def line(self) -> str:
        """For the table."""
        memory = f"{self.ours.megabytes:6.0f} MB" if self.ours.megabytes else " " * 9
        return (
            f"{self.what:38} {self.ours.median * 1000:7.0f} ms {self.theirs.median * 1000:7.0f} ms "
            f"{self.ratio:6.2f}  < {self.below:<4g} {memory}   {self.theirs.name}"
        )


def compare(what: str, ours: Command, theirs: Command, below: float, runs: int) -> Comparison:
    """Run two commands in turn, after one run of each that does not count."""
    samples: list[list[tuple[float, float]]] = [[], []]
    for run in range(runs + 1):
        for command, sample in zip((ours, theirs), samples, strict=True):
            taken = _once(command)
            if run:
                sample.append(taken)
    measured = [
        Measured(c.name, tuple(s for s, _ in sample), max(m for _, m in sample))
        for c, sample in zip((ours, theirs), samples, strict=True)
    ]
    return Comparison(what, measured[0], measured[1], below)


def _once(command: Command) -> tuple[float, float]:
    command.before()
    start = time.perf_counter()
    with subprocess.Popen(
        command.argv, cwd=command.cwd, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    ) as child:  # fmt: skip
        assert child.stderr
        said = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    if child.returncode:
        sys.exit(f"{command.name} failed: {said.decode(errors='replace').strip()}")
    return seconds, usage.ru_maxrss / 1024


def run(argv: Sequence[str], cwd: Path | None = None) -> None:
    """Run a command that only prepares."""
    subprocess.run(argv, cwd=cwd, check=True, stdout=subprocess.DEVNULL)


def said(argv: Sequence[str], env: Mapping[str, str] | None = None) -> str:
    """What a command prints. One that fails ends the bench, with all that it said."""
    done = subprocess.run(argv, env=env, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(
            f"{shlex.join(argv)}: exit code {done.returncode}\n{done.stdout}{done.stderr}".rstrip()
        )
    return done.stdout
