# SPDX-License-Identifier: GPL-2.0-only
"""Work that forks share: all of it comes back, or it is told that it does not."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from dmabuf_patchgen.audit.forked import shared
from dmabuf_patchgen.errors import MissingTool, UserError


def children() -> set[int]:
    """This process's own, those that have ended and that nobody has asked for as well."""
    found = set()
    for place in Path("/proc").glob("[0-9]*"):
        # Another process may end meanwhile.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = (place / "stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) == os.getpid():
                found.add(int(place.name))
    return found


@pytest.fixture(autouse=True)
def no_fork_is_left() -> Iterator[None]:
    """A test before may have left a child of its own: a tree in git has one to read objects by."""
    before = children()
    yield
    assert children() <= before


@pytest.mark.parametrize("workers", [1, 2, 3, 9])
def test_all_of_it_comes_back(workers: int) -> None:
    assert sorted(shared(lambda part: part * part, range(7), workers)) == [
        part * part for part in range(7)
    ]


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
