# SPDX-License-Identifier: GPL-2.0-only
"""A boot is done once, and again when anything that it came from is another."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dmabuf_patchgen.kernel import accelerator, architecture, boots, cache, image
from dmabuf_patchgen.kernel.console import Boot, BootStatus
from tests import damage

Booted = Callable[..., int]


@pytest.fixture
def qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program by the name of QEMU for x86_64."""
    place = tmp_path / "bin/qemu-system-x86_64"
    place.parent.mkdir()
    place.write_text("#!/bin/sh\n")
    place.chmod(0o755)
    monkeypatch.setenv("PATH", str(place.parent))
    return place


@pytest.fixture
def booted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qemu: Path) -> Booted:
    """Boots a kernel that says something; how often a guest was run up to now."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    said: list[str] = []

    def boot(*_: Any, **__: Any) -> Boot:
        said.append("")
        return Boot("all is well\n", status, 1.0, "qemu 1", "tcg")

    monkeypatch.setattr(accelerator, "host", lambda _: accelerator.Host(1.0, "no KVM"))
    status = BootStatus.POWER_OFF
    runner: Any = SimpleNamespace(__name__="runner", version=lambda _: "1", boot=boot)
    busybox = tmp_path / "busybox"
    busybox.write_text("busybox")
    tests = image.Tests(tmp_path, "tests")
    (tests.directory).mkdir()

    def run(key: str = "kernel", *, ends: BootStatus = BootStatus.POWER_OFF) -> int:
        nonlocal status
        status = ends
        guests = boots.Boots(
            architecture.here().named("x86_64"), runner, 1, busybox, tmp_path, lambda _: None
        )
        assert (
            guests.boot("base", image.Kernel(tmp_path, key), tests, ["a:b"]).console
            == "all is well\n"
        )
        return len(said)

    return run


def test_the_same_input_is_booted_once(booted: Booted) -> None:
    assert [booted(), booted(), booted("another"), booted("another")] == [1, 1, 2, 2]


def test_another_emulator_of_the_same_version_boots_again(booted: Booted, qemu: Path) -> None:
    booted()
    qemu.write_text("#!/bin/sh\n:\n")
    assert booted() == 2


def test_what_may_end_otherwise_the_next_time_is_not_kept(booted: Booted) -> None:
    assert [booted(ends=BootStatus.HANG), booted(ends=BootStatus.LOST), booted()] == [1, 2, 3]


@pytest.mark.parametrize("what", damage.DAMAGES)
def test_what_was_damaged_is_booted_again(booted: Booted, what: str) -> None:
    number = booted()
    for path in [*damage.files(cache.directory("boots"))]:
        damage.DAMAGES[what](path)
        number += 1
        assert [booted(), booted()] == [number, number]
    assert number == 3
