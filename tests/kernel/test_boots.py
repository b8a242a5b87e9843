# SPDX-License-Identifier: GPL-2.0-only
"""A boot is done once, and again when anything that it came from is another."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dmabuf_patchgen.kernel import architecture, boots, cache, image
from dmabuf_patchgen.kernel.console import BootStatus
from tests import damage
from tests.kernel.runner import Runner

Booted = Callable[..., int]


@pytest.fixture
def booted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent_qemu: Path) -> Booted:
    """Boots a kernel that says something; how often a guest was run up to now."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    runner = Runner()
    busybox = tmp_path / "busybox"
    busybox.write_text("busybox")
    tests = image.Tests(tmp_path, "tests")
    (tests.directory).mkdir()

    def run(key: str = "kernel", *, ends: BootStatus = BootStatus.POWER_OFF) -> int:
        runner.ends = ends
        guests = boots.Boots(
            architecture.here().named("x86_64"), runner, 1, busybox, tmp_path, lambda _: None
        )
        assert (
            guests.boot("base", image.Kernel(tmp_path, key), tests, ["a:b"]).console
            == "all is well\n"
        )
        return len(runner.guests)

    return run


def test_the_same_input_is_booted_once(booted: Booted) -> None:
    assert [booted(), booted(), booted("another"), booted("another")] == [1, 1, 2, 2]


def test_another_emulator_of_the_same_version_boots_again(
    booted: Booted, silent_qemu: Path
) -> None:
    booted()
    silent_qemu.write_text("#!/bin/sh\n:\n")
    assert booted() == 2


def test_what_may_end_otherwise_the_next_time_is_not_kept(booted: Booted) -> None:
    assert [booted(ends=BootStatus.HANG), booted(ends=BootStatus.LOST), booted()] == [1, 2, 3]


def test_what_the_kernel_runs_by_itself_is_not_asked_of_the_guest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent_qemu: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    runner = Runner()
    (tmp_path / "busybox").write_text("busybox")
    tests = image.Tests(tmp_path, "tests")
    tests.directory.mkdir()
    x86 = architecture.here().named("x86_64")
    guests = boots.Boots(x86, runner, 1, tmp_path / "busybox", tmp_path, lambda _: None)
    guests.boot("base", image.Kernel(tmp_path, "k"), tests, ["a:b", "a:c", "kunit:toy"])
    assert runner.guests[-1].arguments[-1] == "proof_tests=a:b,a:c"
    # The same kernel runs the same suites: what is heard of them is no part of the boot.
    guests.boot("base", image.Kernel(tmp_path, "k"), tests, ["a:b", "a:c"])
    assert len(runner.guests) == 1


@pytest.mark.parametrize("what", damage.DAMAGES)
def test_what_was_damaged_is_booted_again(booted: Booted, what: str) -> None:
    number = booted()
    for path in [*damage.files(cache.directory("boots"))]:
        damage.DAMAGES[what](path)
        number += 1
        assert [booted(), booted()] == [number, number]
    assert number == 3
