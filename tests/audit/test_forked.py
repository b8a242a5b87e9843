# SPDX-License-Identifier: GPL-2.0-only
"""Work that forks share: all of it comes back, or it is told that it does not."""

import os
import signal

import pytest

from dmabuf_patchgen.audit.forked import shared
from dmabuf_patchgen.errors import UserError


def no_child_is_left() -> bool:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return True
    return False


@pytest.mark.parametrize("workers", [1, 2, 3, 9])
def test_all_of_it_comes_back(workers: int) -> None:
    assert sorted(shared(lambda part: part * part, range(7), workers)) == [
        part * part for part in range(7)
    ]
    assert no_child_is_left()


def test_a_fault_is_raised_here() -> None:
    def work(part: int) -> int:
        return 1 // (part - 3)

    with pytest.raises(ZeroDivisionError):
        list(shared(work, range(7), 2))
    assert no_child_is_left()


@pytest.mark.parametrize("last", [0, 5])
def test_a_fork_that_is_killed_is_told(last: int) -> None:
    """As by a machine that is out of memory: what it had yet to tell would be missing."""

    def work(part: int) -> int:
        if part == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return part

    with pytest.raises(UserError, match="ended before its work did"):
        list(shared(work, range(6), 2))
    assert no_child_is_left()


def test_what_cannot_be_sent_is_told() -> None:
    with pytest.raises(UserError, match="ended before its work did"):
        list(shared(lambda part: lambda: part, range(4), 2))
    assert no_child_is_left()
