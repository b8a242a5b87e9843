# SPDX-License-Identifier: GPL-2.0-only
"""What guests said and how they ended, from consoles that QEMU recorded."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmabuf_patchgen.kernel import console
from dmabuf_patchgen.kernel.console import Boot, BootStatus
from dmabuf_patchgen.kernel.initramfs import SCRIPTS
from dmabuf_patchgen.prove import ktap
from tests.growth import is_linear

CONSOLES = Path(__file__).parent / "consoles"

#: Console -> how QEMU ended, whether the time was over, how the guest ended, and the trouble.
RECORDED = {
    "good-5.10": (0, False, BootStatus.POWER_OFF, ""),
    "good-7.3": (0, False, BootStatus.POWER_OFF, ""),
    "good-arm64": (0, False, BootStatus.POWER_OFF, ""),
    # A test that writes 8 KiB of random bytes to the console: the guest ends all the same.
    "garbage": (0, False, BootStatus.POWER_OFF, ""),
    # A kernel whose udmabuf forgets VM_PFNMAP.
    "kernel-bug": (0, False, BootStatus.PANIC, "kernel BUG at mm/memory.c:2411!"),
    # rdinit names what is not there.
    "panic": (
        0,
        False,
        BootStatus.PANIC,
        'Kernel panic - not syncing: VFS: Unable to mount root fs on "" or unknown-block(0,0)',
    ),
    "hang": (
        None,
        True,
        BootStatus.HANG,
        "no end within 8 s; the last lines: # TAP version 13 | # 1..2 | # ok 1 before",
    ),
    "killed": (-9, False, BootStatus.LOST, "why"),
    # A test that resets the machine, which reboot=t does by a triple fault.
    "triple-fault": (0, False, BootStatus.LOST, "why"),
}


def recorded(name: str) -> str:
    return console.clean((CONSOLES / f"{name}.log").read_bytes())


def boot(said: str, ended: BootStatus = BootStatus.POWER_OFF, cause: str = "") -> Boot:
    return Boot(said, ended, 8.0, "qemu 7.2", "tcg", cause)


def test_all_recorded_consoles_are_tested() -> None:
    assert {path.stem for path in CONSOLES.glob("*.log")} == RECORDED.keys()


@pytest.mark.parametrize("name", RECORDED)
def test_end_and_trouble_of_recorded_consoles(name: str) -> None:
    returncode, late, how, trouble = RECORDED[name]
    said = recorded(name)
    assert console.status(said, returncode, late=late) is how
    cause = "why" if how is BootStatus.LOST else ""
    assert boot(said, how, cause).trouble == trouble
    assert boot(said, how).started is (name != "panic")


@pytest.mark.parametrize("name", ["good-5.10", "good-7.3"])
def test_parts_of_a_whole_console(name: str) -> None:
    one = boot(recorded(name))
    found = re.findall(r"^# ok (\d+) ", one.tests, re.MULTILINE)
    assert [int(number) for number in found] == [*range(1, 34)]
    assert console.MARK not in one.tests
    assert "Linux version" not in one.tests
    assert f"Linux version {name[5:]}" in one.kernel_log.splitlines()[0]
    assert "kselftest: Running tests in drivers/dma-buf" in one.kernel_log
    assert ktap.parse(one.tests).tests


@pytest.mark.parametrize("name", ["good-5.10", "good-7.3"])
def test_what_comes_before_the_first_process(name: str) -> None:
    one = boot(recorded(name))
    assert "Linux version" in one.kunit.splitlines()[0]
    assert console.MARK not in one.kunit and "selftests: " not in one.kunit


def test_tests_and_log_of_a_crash_go_to_the_end() -> None:
    one = boot(recorded("kernel-bug"), BootStatus.PANIC)
    # What a test says before it crashes is there.
    before = one.tests[: one.tests.index("kernel BUG")].splitlines()
    assert before[-2].startswith("# #  RUN           pfnmap.udmabuf.shared")
    assert "vmf_insert_pfn_prot" in one.tests
    assert one.kernel_log == one.console


def test_a_guest_that_never_came_up_has_no_tests() -> None:
    one = boot(recorded("panic"), BootStatus.PANIC)
    assert one.tests == ""
    assert one.kunit == one.console
    assert one.kernel_log == one.console


def test_the_whole_console_ends_in_a_power_off_only_if_qemu_ended_by_itself() -> None:
    said = recorded("good-7.3")
    assert console.status(said, None, late=True) is BootStatus.HANG
    assert console.status(said, -9, late=False) is BootStatus.LOST


@pytest.mark.parametrize("name", ["good-5.10", "kernel-bug", "garbage"])
def test_no_part_of_a_console_passes_for_the_whole(name: str) -> None:
    said = recorded(name)
    off = said.find(f"\n{console.MARK}power off\n")
    for end in range(0, off if off > 0 else len(said), 997):
        assert console.status(said[:end], 0, late=False) is not BootStatus.POWER_OFF


def test_a_panic_after_the_end_of_the_tests_is_one() -> None:
    said = recorded("good-7.3") + "[    9.000000] Kernel panic - not syncing: at the end\n"
    assert console.status(said, 0, late=False) is BootStatus.PANIC


def test_a_panic_that_hangs_is_a_panic() -> None:
    assert console.status(recorded("kernel-bug"), None, late=True) is BootStatus.PANIC


def test_tests_that_speak_of_panics_do_not_panic() -> None:
    said = f"{console.MARK}up\n# Kernel panic - not syncing: said a test\n"
    assert console.status(said, None, late=True) is BootStatus.HANG
    torn = f"{console.MARK}up\n# ok 1 so[    1.000000] Kernel panic - not syncing: torn\n"
    assert console.status(torn, 0, late=False) is BootStatus.PANIC
    assert boot(torn, BootStatus.PANIC).trouble == "Kernel panic - not syncing: torn"


def test_what_a_kernel_says_of_its_hang_comes_first() -> None:
    said = "[   60.000000] watchdog: BUG: soft lockup - CPU#0 stuck for 26s!\n# ok 1\n"
    trouble = boot(said, BootStatus.HANG).trouble
    assert trouble == "no end within 8 s; watchdog: BUG: soft lockup - CPU#0 stuck for 26s!"
    silent = boot(said, BootStatus.HANG, "nothing was said for long").trouble
    assert silent.startswith("nothing was said for long; watchdog: BUG: soft lockup")
    assert boot("", BootStatus.HANG).trouble == "no end within 8 s; nothing was said"


def test_firmware_and_controls_are_removed() -> None:
    # SeaBIOS and iPXE, as they come on a serial console.
    said = b"\x1bc\x1b[?7l\x1b[2J\x1b[0mSeaBIOS\r\n\x1b]0;title\x07\x1b(BiPXE\r\n\0a\tb\x08\xff\r\n"
    assert console.clean(said) == "SeaBIOS\niPXE\na\tb\\xff\n"


@given(st.binary())
def test_anything_can_be_read(said: bytes) -> None:
    text = console.clean(said)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)
    how = console.status(text, 0, late=False)
    one = boot(text, how, "why")
    assert isinstance(one.tests + one.kernel_log + one.trouble, str)


@pytest.mark.parametrize(
    "piece", ["x", "[", "[ ", "[ 1.", "[    1.000000]", "# ", "Kernel panic - ", "\r"]
)
def test_a_line_of_any_length_is_read_in_time(piece: str) -> None:
    def console_of(length: int) -> str:
        return f"{piece * length}\n[    1.000000] Kernel panic - not syncing: no init\n"

    def read(said: str) -> str:
        assert console.status(said, None, late=False) is BootStatus.PANIC
        return Boot(said, BootStatus.PANIC, 1.0, "qemu 1", "tcg").trouble

    assert read(console_of(9)) == "Kernel panic - not syncing: no init"
    assert is_linear(console_of, read, 10_000)


def test_the_guest_prints_the_lines_that_are_looked_for() -> None:
    said = re.findall(r'^\s*say "?([^"\n]*)', SCRIPTS["init"].read_text(), re.MULTILINE)
    assert [line.split(" $")[0] for line in said] == [
        "up", "tests begin", "tests end", "log begin", "leaks", "log end", "taint", "power off",
    ]  # fmt: skip
