# SPDX-License-Identifier: GPL-2.0-only
"""Work shared by forks of this process, which have all that it knows and send back what they find.

multiprocessing's pools end their processes with SIGTERM, which this command answers with an
exception, and they start a thread; a pipe and a fork are enough here.
"""

from __future__ import annotations

import os
import pickle
import selectors
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, TypeVar

from dmabuf_patchgen.errors import UserError

Part = TypeVar("Part")
Result = TypeVar("Result")


def shared(work: Callable[[Part], Result], parts: Sequence[Part], workers: int) -> Iterator[Result]:
    """What the work comes to for each part, in the order in which it is done.

    An exception in a fork is raised here, and UserError for one that ends before its work does:
    what it has not told is not to be missed in silence. The forks end with the iteration,
    whichever way.
    """
    if workers < 2 or len(parts) < 2:
        yield from map(work, parts)
        return
    workers = min(workers, len(parts))
    sys.stdout.flush()
    sys.stderr.flush()
    forks: dict[int, BinaryIO] = {}
    left: dict[BinaryIO, int] = {}
    try:
        for number in range(workers):
            reading, writing = os.pipe()
            pid = os.fork()
            if not pid:
                os.close(reading)
                _run(work, parts[number::workers], writing)
            os.close(writing)
            forks[pid] = os.fdopen(reading, "rb")
            left[forks[pid]] = len(parts[number::workers])
        yield from _results(left)
    finally:
        for pid, pipe in forks.items():
            pipe.close()
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _run(work: Callable[[Part], Result], parts: Sequence[Part], writing: int) -> None:
    """A fork's whole life."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    try:
        with os.fdopen(writing, "wb") as pipe:
            for part in parts:
                said: tuple[Result | None, Exception | None]
                try:
                    said = (work(part), None)
                except Exception as error:
                    said = (None, error)
                pipe.write(pickle.dumps(said))
                pipe.flush()
    finally:
        os._exit(0)


def _results(left: dict[BinaryIO, int]) -> Iterator[Result]:
    """What forks tell. left: how much each of them has still to tell, by its pipe."""
    with selectors.DefaultSelector() as waiting:
        for pipe in left:
            waiting.register(pipe, selectors.EVENT_READ, pipe)
        while waiting.get_map():
            for key, _ in waiting.select():
                source: BinaryIO = key.data
                try:
                    result, error = pickle.load(source)  # noqa: S301 - from a fork of our own
                except (EOFError, pickle.UnpicklingError):
                    if left[source]:
                        raise UserError(
                            "a process that reads the tree ended before its work did",
                            "is there memory enough? the kernel's log tells whom it ended",
                        ) from None
                    waiting.unregister(source)
                    continue
                left[source] -= 1
                if error is not None:
                    raise error
                yield result
