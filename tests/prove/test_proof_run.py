# SPDX-License-Identifier: GPL-2.0-only
"""States of a tree booted one after the other, by a host that is not to be relied on."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

from dmabuf_patchgen.kernel.bootable import State
from dmabuf_patchgen.kernel.boots import Boots
from dmabuf_patchgen.kernel.console import Boot, BootStatus
from dmabuf_patchgen.kernel.image import Kernels
from dmabuf_patchgen.prove.expectation import Expectations
from dmabuf_patchgen.prove.proof import _ProofRun

STATES = (State("base", {}), State("tip", {}))


class Kept:
    """Kernels that are all there."""

    def kernel(self, state: State) -> Any:
        return SimpleNamespace(symbols=(), config="", key=state.label)

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


def run(fails: str) -> tuple[_ProofRun, Guests]:
    guests = Guests(fails)
    proof_run = _ProofRun(cast(Kernels, Kept()), cast(Boots, guests), Expectations((), ()), STATES)
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
