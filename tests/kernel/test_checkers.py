# SPDX-License-Identifier: GPL-2.0-only
"""Kernels that check themselves: what they are asked to have, and what their guests get."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dmabuf_patchgen.kernel import (
    architecture,
    boots,
    checkers,
    configuration,
    console,
    image,
    reports,
)
from dmabuf_patchgen.kernel.guest import MEMORY, Guest
from dmabuf_patchgen.kernel.initramfs import SCRIPTS
from dmabuf_patchgen.kernel.reports import Kind
from dmabuf_patchgen.kernel.silence import Patience
from dmabuf_patchgen.render.environment import Environment
from tests.kernel.runner import Runner

#: What a demanding reader of dma-buf patches has switched on.
WANTED = {
    "PROVE_LOCKING", "PROVE_RCU", "DEBUG_ATOMIC_SLEEP", "KASAN", "UBSAN", "DMA_API_DEBUG",
    "DEBUG_LIST", "DEBUG_OBJECTS", "SLUB_DEBUG_ON", "DEBUG_KMEMLEAK", "FAULT_INJECTION",
}  # fmt: skip
Booted = Callable[..., Guest]


def test_the_checkers_are_asked_for() -> None:
    environment, x86 = Environment(), architecture.here().named("x86_64")
    asked = {one.choices[0].line for one in configuration.debugging(environment)}
    assert {f"CONFIG_{name}=y" for name in WANTED} <= asked
    usual = configuration.requests(environment, ["dma-buf-pfnmap"], x86)
    debug = configuration.requests(environment, ["dma-buf-pfnmap"], x86, debug=True)
    assert debug[: len(usual)] == usual
    assert not {one.choices[0].name for one in usual} & WANTED


@pytest.fixture
def booted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent_qemu: Path) -> Booted:
    """Boots a kernel, with checkers or without; the guest that it is."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tests = image.Tests(tmp_path, "tests")
    tests.directory.mkdir()
    runner = Runner()

    def run(*, debug: bool) -> Guest:
        guests = boots.Boots(
            architecture.here().named("x86_64"), runner, 9, silent_qemu, tmp_path, print,
            accelerator="tcg", debug=debug,
        )  # fmt: skip
        guests.boot("base", image.Kernel(tmp_path, "kernel"), tests, ["a:b"])
        return runner.guests[-1]

    return run


def test_their_guests_get_more_memory_and_time(booted: Booted) -> None:
    usual, debug = booted(debug=False), booted(debug=True)
    # One is not taken for the other, though the kernel has the same key here.
    assert usual is not debug
    assert (usual.memory, debug.memory) == (MEMORY, checkers.MEMORY)
    assert usual.arguments == ("proof_tests=a:b",)
    assert debug.arguments == (*checkers.ARGUMENTS, "proof_tests=a:b")
    for testing in (False, True):
        short = usual.patience.limits(testing=testing)
        assert all(
            a < b for a, b in zip(short, debug.patience.limits(testing=testing), strict=True)
        )


def test_a_test_may_sleep_for_as_long_as_it_may_take() -> None:
    patience = checkers.patience(Patience())
    assert patience.limits(testing=True)[1] == Patience().runner * checkers.SLOWER


def test_a_test_may_take_longer() -> None:
    argv = ["busybox", "sh", str(SCRIPTS["usr/bin/timeout"]), "1", "sh", "-c", "sleep 2; echo end"]
    env = {"PATH": "/usr/bin:/bin", "proof_slower": "60"}
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("end\n", 0)


#: As the guest's init prints them: the log, then what nothing refers to.
LEAKS = """\
[   10.000000] dmabuf-patchgen: running dma-buf-pfnmap
[   11.000000] BUG: KASAN: slab-use-after-free in toy_read+0x40/0x90
[   19.000000] kmemleak: 2 new suspected memory leaks (see /sys/kernel/debug/kmemleak)
dmabuf-patchgen: leaks
unreferenced object 0xffff888003b5a000 (size 64):
  comm "toy", pid 87, jiffies 4294894321 (age 12.345s)
  hex dump (first 32 bytes):
    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  ................
  backtrace:
    [<00000000f7a2b1c3>] kmalloc_trace+0x22/0x60
    [<00000000f7a2b1c4>] toy_open+0x22/0x60
unreferenced object 0xffff888003b5b000 (size 64):
  comm "toy", pid 88, jiffies 4294894321
  hex dump (first 32 bytes):
    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  ................
  backtrace (crc 1234):
    kmalloc_trace+0x22/0x60
    toy_write+0x22/0x60
"""


def test_leaks_are_told_of_no_test() -> None:
    found = [(one.kind, one.function, one.test) for one in reports.read(LEAKS)]
    assert found == [
        (Kind.KASAN, "toy_read", "dma-buf-pfnmap"),
        (Kind.KMEMLEAK, "toy_open", ""),
        (Kind.KMEMLEAK, "toy_write", ""),
    ]
    assert "\n\tsay leaks\n" in SCRIPTS["init"].read_text()


PLANTED = Path(__file__).parent / "planted"
LOCKS = ("CONFIG_PROVE_LOCKING", "CONFIG_PROVE_RCU")


@pytest.mark.parametrize(
    ("line", "symbols"),
    [
        ("turning off the locking correctness validator.", LOCKS),
        ("Disabling lock debugging due to kernel taint", LOCKS),
        ("DMA-API: debugging out of memory - disabling", ("CONFIG_DMA_API_DEBUG",)),
        ("DMA-API: cacheline tracking ENOMEM, dma-debug disabled", ("CONFIG_DMA_API_DEBUG",)),
        ("kmemleak: Kernel memory leak detector disabled", ("CONFIG_DEBUG_KMEMLEAK",)),
        (
            "ODEBUG: Out of memory. ODEBUG disabled",
            tuple(
                f"CONFIG_DEBUG_OBJECTS{which}"
                for which in ("", "_FREE", "_TIMERS", "_WORK", "_RCU_HEAD")
            ),
        ),
    ],
)
def test_a_checker_that_gives_up_is_told(line: str, symbols: tuple[str, ...]) -> None:
    log = f"[    0.000000] Linux version 6.12\n[   10.000000] {line}\n[   11.000000] end\n"
    assert checkers.turned_off(log) == dict.fromkeys(symbols, line)
    # What a test says is no word of the kernel.
    assert not checkers.turned_off(f"# {line}\n")
    asked = {
        f"CONFIG_{one.name}"
        for request in configuration.debugging(Environment())
        for one in request.choices
    }
    assert {*symbols} <= asked


def test_a_recorded_report_turns_lockdep_off() -> None:
    """By the taint that KASAN leaves, and by the first report of its own."""
    gone = {path.stem: checkers.turned_off(path.read_text()) for path in PLANTED.iterdir()}
    taint, first = "Disabling lock debugging due to kernel taint", "bad unlock balance detected!"
    assert {name: off for name, off in gone.items() if off} == {
        "use_after_free": dict.fromkeys(LOCKS, taint),
        "unbalanced_lock": dict.fromkeys(LOCKS, f"WARNING: {first}"),
    }


@pytest.mark.parametrize("name", ["good-5.10", "good-7.3", "good-arm64"])
def test_none_gives_up_in_a_kernel_without_fault(name: str) -> None:
    log = (Path(__file__).parent / f"consoles/{name}.log").read_bytes()
    assert not checkers.turned_off(console.clean(log))
