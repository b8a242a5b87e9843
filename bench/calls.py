# SPDX-License-Identifier: GPL-2.0-only
"""The command, and what of its time passes in some programs: `python -m bench.calls NAMES ARGS`.

Runs the command line with the arguments given, and then prints the seconds in which one of the
programs was under way, named with commas between them; two at the same time count once.
"""

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from dmabuf_patchgen import process
from dmabuf_patchgen.__main__ import run


def timed(
    function: Callable[..., Any], names: Sequence[str], into: list[tuple[float, float]]
) -> Any:
    """A function that runs a program, and notes when it began and ended if it is one of these."""

    def wrapped(argv: Sequence[str], **options: Any) -> Any:
        start = time.perf_counter()
        try:
            return function(argv, **options)
        finally:
            if any(word.rpartition("/")[2] in names for word in argv):
                into.append((start, time.perf_counter()))

    return wrapped


def under_way(calls: Sequence[tuple[float, float]]) -> float:
    """Seconds in which a call was under way."""
    seconds = at = 0.0
    for start, end in sorted(calls):
        seconds += max(0.0, end - max(start, at))
        at = max(at, end)
    return seconds


if __name__ == "__main__":
    names = sys.argv[1].split(",")
    calls: list[tuple[float, float]] = []
    process.run = timed(process.run, names, calls)
    process.stream = timed(process.stream, names, calls)
    code = run(sys.argv[2:])
    print(f"{under_way(calls):.3f}")
    sys.exit(code)
