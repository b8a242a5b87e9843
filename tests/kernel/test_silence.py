# SPDX-License-Identifier: GPL-2.0-only
"""Silence of guests: what counts, and what is too long."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dmabuf_patchgen.kernel import silence
from dmabuf_patchgen.kernel.silence import Patience, Sample, Silence

LEAST = 5.0


def silent(
    *, seconds: float, computed: float, queued: float, testing: bool = False, pace: float = 1.0
) -> bool:
    """Whether so much silence is too long. Threads: one that computes, one that does little."""
    one = Silence(Patience(pace))
    one.testing = testing
    assert not one.add(Sample(100.0, 7.0, {"1": 3.0, "2": 50.0}))
    return one.add(Sample(100.0 + seconds, 7.0 + computed, {"1": 3.0, "2": 50.0 + queued}))


def test_a_guest_that_does_nothing() -> None:
    assert silent(seconds=20.0, computed=0.1, queued=0.0)
    assert not silent(seconds=LEAST - 1, computed=0.1, queued=0.0)


def test_a_guest_that_computes_for_ever() -> None:
    assert silent(seconds=40.0, computed=39.0, queued=1.0)


def test_a_guest_that_others_take_the_processor_from() -> None:
    assert not silent(seconds=600.0, computed=4.0, queued=595.0)


def test_a_test_may_sleep_until_its_runner_ends_it() -> None:
    assert not silent(seconds=50.0, computed=0.1, queued=0.0, testing=True)
    assert silent(seconds=60.0, computed=0.1, queued=0.0, testing=True)


def test_a_slow_host_has_more_patience() -> None:
    assert silent(seconds=40.0, computed=39.0, queued=0.0)
    assert not silent(seconds=40.0, computed=39.0, queued=0.0, pace=20.0)


def test_a_kernel_with_kunit_may_compute_for_as_long_as_its_tests() -> None:
    usual = Patience(least=LEAST)
    with_kunit = usual.with_kunit()
    # test_wait_backward of 7.3 computes for 10.7 s, and twice that where others want a processor.
    assert usual.limits(testing=False)[0] < 21.4 < with_kunit.limits(testing=False)[0]
    assert usual.limits(testing=False)[1] == with_kunit.limits(testing=False)[1]


def test_a_word_ends_it() -> None:
    one = Silence(Patience())
    for second in range(0, 600, 4):
        assert not one.add(Sample(second, second, {}))
        assert not one.add(Sample(second + 3, second + 3, {}))
        one.end()
    assert not one.add(Sample(600, 600, {}))
    assert one.add(Sample(630, 630, {}))


def test_each_is_told_when_it_ends(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, silence.__name__)
    one = Silence(Patience())
    for at, computed in ((0.0, 0.0), (3.0, 1.0)):
        one.add(Sample(at, computed, {}))
    assert not caplog.records
    one.end()
    (said,) = caplog.records
    # What bench.silences takes, in this order.
    assert said.args == (False, 1.0, 2.0)


def test_limits_are_never_below_what_was_measured() -> None:
    for testing in (False, True):
        for pace in (1.0, 3.0):
            limits = Patience(pace).limits(testing=testing)
            assert all(
                limit >= max(LEAST, 10 * pace * longest)
                for limit, longest in zip(limits, silence._LONGEST, strict=True)
            )


@contextmanager
def running(script: str) -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as child:
        assert child.stdout and child.stdout.readline()
        yield child.pid
        child.kill()


def test_clocks_of_real_processes() -> None:
    busy, idle = Silence(Patience()), Silence(Patience())
    with (
        running("print('said', flush=True)\nwhile True: pass") as computing,
        running("import time\nprint('said', flush=True)\ntime.sleep(600)") as sleeping,
    ):
        # A machine that has other things to do lets neither of them get on.
        for _ in range(600):
            busy.lasts(computing)
            idle.lasts(sleeping)
            if busy.computed > 0.5 and idle.slept > 0.5:
                break
            time.sleep(0.1)
    assert busy.computed > 0.5 and idle.slept > 0.5
    assert idle.computed < busy.computed and busy.slept < idle.slept


def test_a_process_that_has_gone_is_not_silent() -> None:
    child = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(child, 0)
    assert silence.sample(child) is None
    assert not Silence(Patience()).lasts(child)
