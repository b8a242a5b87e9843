# SPDX-License-Identifier: GPL-2.0-only
"""Whether work grows with its input, and not with the square of it."""

import gc
import time
from collections.abc import Callable
from typing import TypeVar

_Input = TypeVar("_Input")

#: Four times the input takes four times as long, and sixteen times where the square counts.
_FACTOR = 4
_LIMIT = 9
#: Seconds that are lost in what a processor does besides.
_NOISE = 0.02


def is_linear(make: Callable[[int], _Input], work: Callable[[_Input], object], size: int) -> bool:
    """Whether work on an input of four times the size takes about four times as long.

    Processor time, the best of some runs: others on the machine make no difference.
    """
    return any(
        _seconds(make(_FACTOR * size), work) < _LIMIT * _seconds(make(size), work) + _NOISE
        for _ in range(3)
    )


def _seconds(given: _Input, work: Callable[[_Input], object]) -> float:
    found = []
    for _ in range(2):
        gc.collect()
        begin = time.process_time()
        work(given)
        found.append(time.process_time() - begin)
    return min(found)
