# SPDX-License-Identifier: GPL-2.0-only
"""The command, and what of its time passes in some programs: `python -m bench.calls NAMES ARGS`.

Runs the command line with the arguments given, and then prints the seconds in which one of the
programs was under way, named with commas between them; two at the same time count once.
"""

import logging
import sys
from collections.abc import Collection, Sequence

from dmabuf_patchgen import process
from dmabuf_patchgen.__main__ import run


class Calls(logging.Handler):
    """When each program that is run began and ended, if it is one of some names."""

    def __init__(self, names: Collection[str]) -> None:
        super().__init__()
        self.found: list[tuple[float, float]] = []
        self._names = names

    def emit(self, record: logging.LogRecord) -> None:
        """Take one that has ended."""
        match record.args:
            case (float(start), float(end), list(argv) | tuple(argv)):
                if any(word.rpartition("/")[2] in self._names for word in argv):
                    self.found.append((start, end))


def under_way(calls: Sequence[tuple[float, float]]) -> float:
    """Seconds in which a call was under way."""
    seconds = at = 0.0
    for start, end in sorted(calls):
        seconds += max(0.0, end - max(start, at))
        at = max(at, end)
    return seconds


if __name__ == "__main__":
    calls = Calls(sys.argv[1].split(","))
    log = logging.getLogger(process.__name__)
    log.setLevel(logging.DEBUG)
    log.addHandler(calls)
    log.propagate = False
    code = run(sys.argv[2:])
    print(f"{under_way(calls.found):.3f}")
    sys.exit(code)
