# SPDX-License-Identifier: GPL-2.0-only
"""prep, and what of its time passes in b4 and get_maintainer.pl: `python -m bench.prep_cost ARGS`.

Runs the command line with the arguments given, and then prints the seconds in which one of
those calls was under way; two at the same time count once.
"""

import sys
import time
from collections.abc import Sequence
from typing import Any

from dmabuf_patchgen import process
from dmabuf_patchgen.__main__ import run

_calls: list[tuple[float, float]] = []
_run = process.run


def _timed(argv: Sequence[str], **options: Any) -> process.Finished:
    start = time.perf_counter()
    try:
        return _run(argv, **options)
    finally:
        if argv[0].endswith("/b4") or any(word.endswith("get_maintainer.pl") for word in argv):
            _calls.append((start, time.perf_counter()))


def _under_way() -> float:
    seconds = at = 0.0
    for start, end in sorted(_calls):
        seconds += max(0.0, end - max(start, at))
        at = max(at, end)
    return seconds


if __name__ == "__main__":
    process.run = _timed
    code = run(sys.argv[1:])
    print(f"{_under_way():.3f}")
    sys.exit(code)
