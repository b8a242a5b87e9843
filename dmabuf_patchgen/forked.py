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
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, TypeVar

from dmabuf_patchgen.errors import UserError

Part = TypeVar("Part")
Result = TypeVar("Result")

#: Bytes of the number of a part.
_NUMBER = 4


def processors() -> int:
    """So many processes can run at once: the processors that this one may use."""
    return len(os.sched_getaffinity(0))


def shared(
    work: Callable[[Part], Result], parts: Sequence[Part], workers: int
) -> Iterator[tuple[int, Result]]:
    """What the work comes to for each part, in the order in which it is done, by the part's number.

    Each fork takes the next part when it is done with one, in the order that they have.
    An exception in a fork is raised here, and UserError for one that ends before its work does:
    what it has not told is not to be missed in silence. The forks end with the iteration,
    whichever way.
    """
    if workers < 2 or len(parts) < 2:
        yield from enumerate(map(work, parts))
        return
    sys.stdout.flush()
    sys.stderr.flush()
    forks: dict[int, BinaryIO] = {}
    with _numbers(len(parts)) as waiting:
        try:
            for _ in range(min(workers, len(parts))):
                reading, writing = os.pipe()
                pid = os.fork()
                if not pid:
                    os.close(reading)
                    _run(work, parts, waiting, writing)
                os.close(writing)
                forks[pid] = os.fdopen(reading, "rb")
            yield from _results([*forks.values()], len(parts))
        finally:
            for pid, pipe in forks.items():
                pipe.close()
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


@contextmanager
def _numbers(count: int) -> Iterator[int]:
    """A file of the numbers of so many parts, in order.

    Forks share its offset, so that each takes the number behind that which another took
    (read(2), BUGS: true of regular files, which what memfd_create(2) gives is not).
    """
    with tempfile.TemporaryFile() as numbers:
        numbers.write(b"".join(number.to_bytes(_NUMBER, "big") for number in range(count)))
        numbers.seek(0)
        yield numbers.fileno()


def _run(work: Callable[[Part], Result], parts: Sequence[Part], waiting: int, writing: int) -> None:
    """A fork's whole life."""
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.SIG_DFL)
    try:
        with os.fdopen(writing, "wb") as pipe:
            while taken := os.read(waiting, _NUMBER):
                number = int.from_bytes(taken, "big")
                said: tuple[int, Result | None, Exception | None]
                try:
                    said = (number, work(parts[number]), None)
                except Exception as error:
                    said = (number, None, error)
                pipe.write(pickle.dumps(said))
                pipe.flush()
    finally:
        os._exit(0)


def _results(pipes: Sequence[BinaryIO], count: int) -> Iterator[tuple[int, Result]]:
    """What forks tell by their pipes, until all of so many parts are done."""
    left = set(range(count))
    with selectors.DefaultSelector() as waiting:
        for pipe in pipes:
            waiting.register(pipe, selectors.EVENT_READ, pipe)
        while waiting.get_map():
            for key, _ in waiting.select():
                source: BinaryIO = key.data
                try:
                    number, result, error = pickle.load(source)  # noqa: S301 - from our own fork
                except (EOFError, pickle.UnpicklingError):
                    waiting.unregister(source)
                    continue
                if error is not None:
                    raise error
                if number in left:
                    left.remove(number)
                    yield number, result
    if left:
        raise UserError(
            "a process that reads the tree ended before its work did",
            "is there memory enough? the kernel's log tells whom it ended",
        )
