# SPDX-License-Identifier: GPL-2.0-only
"""States of a tree booted one after the other, by a host that is not to be relied on."""

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.kernel.bootable import State
from dmabuf_patchgen.kernel.boots import Boots
from dmabuf_patchgen.kernel.console import Boot, BootStatus
from dmabuf_patchgen.kernel.image import Kernels
from dmabuf_patchgen.prove.evidence import Outcome
from dmabuf_patchgen.prove.expectation import Expectations
from dmabuf_patchgen.prove.run import ProofRun

STATES = (State("base", {}), State("tip", {}))


class Kept:
    """Kernels that are all there. symbols: lines of a .config that they have."""

    def __init__(self, *symbols: str) -> None:
        self.symbols = symbols

    def build(self, state: State) -> None:
        pass

    def kernel(self, state: State) -> Any:
        return SimpleNamespace(symbols=self.symbols, config="", key=state.label)

    def tests(self, state: State) -> Any:
        return SimpleNamespace(names=("c:one",))


class Guests:
    """Boots on KVM, which gives up at one of them."""

    def __init__(self, fails: str) -> None:
        self.accelerator: str | None = None
        self.fails = fails
        self.booted: list[tuple[str, str]] = []

    def boot(self, label: str, kernel: Any, tests: Any, names: Sequence[str]) -> Boot:
        on = self.accelerator or ("tcg" if label == self.fails else "kvm")
        self.booted.append((label, on))
        said = f"BUG: on {on}" if label == "tip" else ""
        return Boot(said, BootStatus.POWER_OFF, 1.0, "qemu 9", on)


def run(fails: str) -> tuple[ProofRun, Guests]:
    guests = Guests(fails)
    proof_run = ProofRun(cast(Kernels, Kept()), cast(Boots, guests), Expectations((), ()), STATES)
    proof_run.run(each_commit=False)
    return proof_run, guests


def test_what_is_compared_ran_on_the_same_accelerator() -> None:
    proof_run, guests = run(fails="tip")
    assert guests.booted == [("base", "kvm"), ("tip", "tcg"), ("base", "tcg"), ("tip", "tcg")]
    assert {boot.accelerator for boot in proof_run.boots} == {"tcg"}
    # What the first boots came to is forgotten.
    assert len(proof_run.boots) == 2
    assert proof_run.problems == ["tip, the kernel reports: BUG: BUG: on tcg"]
    assert proof_run.logs["tip.log"] == "BUG: on tcg"


def test_nothing_is_booted_twice_where_kvm_holds() -> None:
    proof_run, guests = run(fails="")
    assert guests.booted == [("base", "kvm"), ("tip", "kvm")]
    assert {boot.accelerator for boot in proof_run.boots} == {"kvm"}


class Changing:
    """Boots of a kernel whose test passes from one patch on."""

    accelerator: str | None = None

    def __init__(self, at: int) -> None:
        self.at = at
        self.booted: list[str] = []

    def boot(self, label: str, kernel: Any, tests: Any, names: Sequence[str]) -> Boot:
        self.booted.append(label)
        ok = "ok" if int(label) >= self.at else "not ok"
        said = f"TAP version 13\n1..1\n# selftests: c: one\n# TAP version 13\n# 1..1\n# {ok} 1 t\n"
        said += f"{ok} 1 selftests: c: one\n"
        console = f"dmabuf-patchgen: tests begin\n{said}dmabuf-patchgen: tests end 0\n"
        return Boot(console, BootStatus.POWER_OFF, 1.0, "qemu 9", "tcg")


def test_a_test_is_followed_to_its_commit() -> None:
    states = tuple(State(str(number), {}) for number in range(9))
    guests = Changing(at=6)
    proof_run = ProofRun(cast(Kernels, Kept()), cast(Boots, guests), Expectations((), ()), states)
    proof_run.run(each_commit=False)
    assert guests.booted == ["0", "8"]
    proof_run.bisect("one:*")
    assert proof_run.changes == {("one", "t"): 6} and not proof_run.problems
    assert guests.booted[2:] == ["4", "6", "5"]
    proof_run.bisect("two:*")
    assert proof_run.problems == ["--bisect: no test two:* changes with the series"]


class Saying:
    """Boots of kernels that say something each."""

    accelerator: str | None = "tcg"

    def __init__(self, ends: BootStatus, **said: str) -> None:
        self.ends = ends
        self.said = said

    def boot(self, label: str, kernel: Any, tests: Any, names: Sequence[str]) -> Boot:
        return Boot(f"[   1.000000] {self.said[label]}\n", self.ends, 1.0, "qemu 9", "tcg")


LOCKS = ("CONFIG_PROVE_LOCKING=y", "CONFIG_PROVE_RCU=y")
OFF = "turning off the locking correctness validator."


def checked(*symbols: str, ends: BootStatus = BootStatus.POWER_OFF, **said: str) -> ProofRun:
    guests = cast(Boots, Saying(ends, **said))
    done = ProofRun(cast(Kernels, Kept(*symbols)), guests, Expectations((), ()), STATES)
    done.run(each_commit=False)
    return done


def test_a_checker_that_gives_up_with_the_series_is_a_problem() -> None:
    done = checked(*LOCKS, base="fine", tip=OFF)
    names = "CONFIG_PROVE_LOCKING, CONFIG_PROVE_RCU"
    assert done.problems == [f"tip, nothing is checked any more by {names}: {OFF}"]
    assert done.off == {
        "base": {},
        "tip": {"CONFIG_PROVE_LOCKING": OFF, "CONFIG_PROVE_RCU": OFF},
    }
    # Nobody asked for it.
    assert not checked(base="fine", tip=OFF).off["tip"]
    # A kernel that goes down checks nothing more.
    assert not checked(*LOCKS, ends=BootStatus.HANG, base="fine", tip=OFF).problems


def test_one_that_gives_up_without_the_series_as_well_is_told() -> None:
    done = checked(*LOCKS, base=OFF, tip=OFF)
    assert not done.problems and {*done.off} == {"base", "tip"}
    assert done.off["base"] == done.off["tip"] != {}


class Suites(Changing):
    """Boots of a kernel that has a suite of KUnit's from one patch on."""

    def boot(self, label: str, kernel: Any, tests: Any, names: Sequence[str]) -> Boot:
        assert names == ["c:one", "kunit:toy"]
        boot = super().boot(label, kernel, tests, names)
        has = int(label) >= self.at
        said = f"KTAP version 1\n1..{int(has)}\n"
        if has:
            said += "    # Subtest: toy\n    1..1\n    ok 1 works\nok 1 toy\n"
        else:
            said = "KTAP version 1\n1..1\n    # Subtest: old\n    1..1\n    ok 1 is\nok 1 old\n"
        return replace(boot, console=f"{said}dmabuf-patchgen: up\n{boot.console}")


def test_a_suite_is_followed_to_the_commit_that_brings_it() -> None:
    states = tuple(State(str(number), {}) for number in range(5))
    guests = Suites(at=3)
    expected = Expectations((), (), suites=("toy",))
    proof_run = ProofRun(cast(Kernels, Kept()), cast(Boots, guests), expected, states)
    proof_run.run(each_commit=False)
    assert proof_run.base["toy", ""].outcome is Outcome.ABSENT
    assert proof_run.tip["toy", "works"].outcome is Outcome.PASS
    proof_run.bisect("toy:*")
    assert proof_run.changes == {("toy", "works"): 3} and not proof_run.problems


def test_a_suite_named_as_a_kselftest_is_refused() -> None:
    expected = Expectations((), (), suites=("one",))
    guests = cast(Boots, Suites(at=1))
    proof_run = ProofRun(cast(Kernels, Kept()), guests, expected, STATES)
    with pytest.raises(UserError, match="one is a suite of KUnit's and a kselftest as well"):
        proof_run.run(each_commit=False)
