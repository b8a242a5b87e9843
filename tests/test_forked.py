# SPDX-License-Identifier: GPL-2.0-only
"""Work that forks share: all of it comes back, or it is told that it does not."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from dmabuf_patchgen.errors import MissingTool, UserError
from dmabuf_patchgen.forked import shared


def children() -> set[int]:
    """The processes that this one has started and not waited for, dead ones included."""
    found = set()
    for place in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parent = place.read_text().rpartition(")")[2].split()[1]
            if int(parent) == os.getpid():
                found.add(int(place.parent.name))
    return found


@pytest.fixture(autouse=True)
def no_child_is_left() -> Iterator[None]:
    before = children()
    yield
    assert children() <= before


@pytest.mark.parametrize("workers", [1, 2, 3, 9])
def test_all_of_it_comes_back(workers: int) -> None:
    parts = range(3, 10)
    assert dict(shared(lambda part: part * part, parts, workers)) == {
        number: part * part for number, part in enumerate(parts)
    }


def test_nobody_waits_for_a_part_that_takes_long(tmp_path: Path) -> None:
    """The first is not done before the others are, which one fork has to do alone."""
    every = range(6)

    def work(part: int) -> int:
        if part == every[0]:
            end = time.monotonic() + 60
            while len([*tmp_path.iterdir()]) < len(every) - 1:
                assert time.monotonic() < end, "the others wait for this one"
                time.sleep(0.01)
        else:
            (tmp_path / str(part)).touch()
        return part

    assert sorted(dict(shared(work, every, 2)).values()) == [*every]


def test_a_fault_is_raised_here() -> None:
    def work(part: int) -> int:
        return 1 // (part - 3)

    with pytest.raises(ZeroDivisionError):
        list(shared(work, range(7), 2))


def test_what_lacks_is_told_as_it_was() -> None:
    def work(part: int) -> int:
        raise MissingTool("pahole", "dwarves")

    with pytest.raises(MissingTool) as error:
        list(shared(work, range(7), 2))
    told = error.value
    assert (told.tool, told.package, told.message) == (
        "pahole", "dwarves", "pahole is not installed",
    )  # fmt: skip
    assert told.hint == "install it: apt-get install dwarves"


@pytest.mark.parametrize("last", [0, 5])
def test_a_fork_that_is_killed_is_told(last: int) -> None:
    """As by a machine that is out of memory: what it had yet to tell would be missing."""

    def work(part: int) -> int:
        if part == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return part

    with pytest.raises(UserError, match="ended before its work did"):
        list(shared(work, range(6), 2))


def test_what_cannot_be_sent_is_told() -> None:
    with pytest.raises(UserError, match="ended before its work did"):
        list(shared(lambda part: lambda: part, range(4), 2))
