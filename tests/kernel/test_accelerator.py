# SPDX-License-Identifier: GPL-2.0-only
"""Which accelerator is taken: of the real QEMU, and of QEMUs that lie."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dmabuf_patchgen.errors import MissingTool, UserError
from dmabuf_patchgen.kernel import accelerator as accelerators
from dmabuf_patchgen.kernel import qemu
from dmabuf_patchgen.kernel.accelerator import HostFiles, host, probe
from dmabuf_patchgen.kernel.architecture import Architecture, here
from dmabuf_patchgen.kernel.console import Boot, BootStatus
from dmabuf_patchgen.kernel.guest import Guest
from dmabuf_patchgen.kernel.silence import Patience

X86 = here().named("x86_64")
#: As it is on a machine of its kind.
NATIVE = replace(X86, native=True)
#: Seconds that a loaded machine may take for what TCG does in one.
AMPLE = 60.0

ON_KVM = 'case "$*" in *"-accel kvm"*) {kvm};; *) {tcg};; esac'
HONEST = "printf ok; exit 33"
#: A guest that comes to its end.
WHOLE = "echo dmabuf-patchgen: up; echo dmabuf-patchgen: power off"


def needs_qemu(architecture: Architecture) -> None:
    try:
        qemu.version(architecture)
    except MissingTool as missing:
        pytest.skip(f"{missing.message}: {missing.hint}")


@pytest.fixture
def files(tmp_path: Path) -> HostFiles:
    """A host that has a KVM, for all that can be seen of it."""
    files = HostFiles(kvm=tmp_path / "kvm", boot_id=tmp_path / "boot_id")
    files.kvm.touch()
    files.boot_id.write_text("one\n")
    return files


def be_quick_on_kvm(lie: Callable[[str], Path], files: HostFiles, script: str) -> None:
    """Put a script in the place of QEMU whose {probe} is so much quicker on KVM that it is taken.

    It takes no time there, which a busy machine may need some seconds for.
    """
    for seconds in (3, 15, 60):
        probe = f"{ON_KVM.format(kvm=':', tcg=f'sleep {seconds}')}; {HONEST}"
        lie(script.format(probe=probe))
        files.boot_id.write_text(f"{seconds}\n")
        if host(NATIVE, files).accelerator == "kvm":
            break


class TestProbe:
    @pytest.mark.parametrize("architecture", here().known, ids=lambda one: one.name)
    def test_program_does_what_it_should(self, architecture: Architecture) -> None:
        needs_qemu(architecture)
        took = probe(architecture, "tcg", AMPLE)
        # It computes, or it would measure how quickly QEMU starts.
        assert took and took.computed > architecture.qemu.probe_seconds / 20

    @pytest.mark.parametrize("architecture", here().known, ids=lambda one: one.name)
    def test_another_program_does_not(self, architecture: Architecture) -> None:
        needs_qemu(architecture)
        halts = {"x86_64": "f4ebfd", "arm64": "7f2003d5ffffff17"}[architecture.name]
        wrong = replace(architecture, qemu=replace(architecture.qemu, probe=halts))
        assert not probe(wrong, "tcg", 1.0)
        silent = replace(architecture, qemu=replace(architecture.qemu, probe_says="no"))
        assert not probe(silent, "tcg", AMPLE)

    @pytest.mark.parametrize(
        ("script", "believed"),
        [
            (HONEST, True),
            ("printf ok; exit 0", False),
            ("exit 33", False),
            ("printf okok; exit 33", False),
            ("printf booting; exec sleep 600", False),
            ("printf ok; kill -KILL $$", False),
            ("echo 'failed to set MSR' >&2; exit 1", False),
            ("printf ok; sleep 60; exit 33", False),
            ("printf ok; (trap '' TERM; sleep 60) & wait; exit 33", False),
            ("yes", False),
        ],
    )
    def test_only_the_whole_truth_is_believed(
        self, lie: Callable[[str], Path], script: str, believed: bool
    ) -> None:
        lie(script)
        # A machine that is busy with other tests gets an honest script through all the same.
        assert bool(probe(X86, "kvm", AMPLE if believed else 1.0)) is believed

    def test_the_machine_is_that_of_kernels(
        self, lie: Callable[[str], Path], tmp_path: Path
    ) -> None:
        arguments = lie(HONEST)
        for one in accelerators.NAMES:
            probe(X86, one, AMPLE)
            probed = arguments.read_text().partition(" -device ")[0]
            assert f"-accel {one}" in probed and "-machine pc" in probed
            assert ("-cpu host" in probed) is (one == "kvm")
            qemu.boot(Guest(X86, tmp_path, tmp_path, one, Patience(), AMPLE))
            assert arguments.read_text().startswith(f"{probed} ")


class TestHost:
    @pytest.mark.parametrize(
        "script",
        [
            # Both take as long, as on a machine whose KVM is emulated itself.
            "sleep 3",
            ON_KVM.format(kvm="sleep 3", tcg=""),
            ON_KVM.format(kvm="exit 1", tcg=""),
        ],
    )
    def test_kvm_is_not_taken_where_it_is_no_quicker(
        self, lie: Callable[[str], Path], files: HostFiles, script: str
    ) -> None:
        lie(f"{script}; {HONEST}")
        assert host(NATIVE, files).accelerator == "tcg"

    def test_kvm_is_taken_where_it_is_several_times_quicker(
        self, lie: Callable[[str], Path], files: HostFiles
    ) -> None:
        be_quick_on_kvm(lie, files, "{probe}")
        assert host(NATIVE, files).accelerator == "kvm"

    def test_it_is_not_tried_where_it_cannot_be(
        self, lie: Callable[[str], Path], files: HostFiles
    ) -> None:
        arguments = lie(ON_KVM.format(kvm="", tcg="sleep 3") + f"; {HONEST}")
        files.kvm.unlink()
        found = host(NATIVE, files)
        assert found.trouble == f"{files.kvm} is not there or not for this user"
        files.boot_id.write_text("another\n")
        files.kvm.touch()
        found = host(replace(NATIVE, native=False), files)
        assert found.trouble == "this machine is not of x86_64"
        assert "-accel tcg" in arguments.read_text()

    def test_it_is_measured_once_while_the_host_is_up(
        self, lie: Callable[[str], Path], files: HostFiles
    ) -> None:
        arguments = lie(f"sleep 1; {HONEST}")
        first = host(NATIVE, files)
        arguments.unlink()
        assert host(NATIVE, files) == first and not arguments.exists()
        files.boot_id.write_text("another\n")
        host(NATIVE, files)
        assert arguments.exists()

    def test_an_emulator_that_does_nothing_is_not_remembered(
        self, lie: Callable[[str], Path], files: HostFiles
    ) -> None:
        lie("exit 9")
        assert host(NATIVE, files).trouble == "nothing runs on TCG"
        lie(ON_KVM.format(kvm="exit 1", tcg="") + f"; {HONEST}")
        assert "fails on KVM" in host(NATIVE, files).trouble


def test_the_real_one_is_taken_only_if_it_runs_something(fresh: None) -> None:
    needs_qemu(X86)
    found = host(X86)
    assert found.pace > 0
    assert found.accelerator == "tcg" or probe(X86, "kvm", AMPLE)


class TestBoot:
    @pytest.fixture
    def boot(
        self, lie: Callable[[str], Path], files: HostFiles, tmp_path: Path
    ) -> Callable[..., Boot]:
        self.told: list[str] = []

        def run(kvm: str, tcg: str, wanted: str | None = None) -> Boot:
            """Boots on what the script does for each accelerator, and is quick on KVM."""
            guest = ON_KVM.format(kvm=kvm, tcg=tcg)
            if not self.told:
                be_quick_on_kvm(
                    lie, files, f'case "$*" in *-kernel*) {guest};; *) {{probe}};; esac'
                )

            def booted(accelerator: str, patience: Patience) -> Boot:
                short = replace(patience, least=3.0, longest=(0.1, 0.1))
                return qemu.boot(Guest(X86, tmp_path, tmp_path, accelerator, short, AMPLE))

            return accelerators.boot(NATIVE, booted, wanted, self.told.append, files)

        return run

    def test_a_guest_that_comes_to_its_end_is_not_booted_twice(
        self, boot: Callable[..., Boot]
    ) -> None:
        done = boot(WHOLE, "exit 1")
        assert (done.accelerator, done.status) == ("kvm", BootStatus.POWER_OFF)
        assert not self.told

    @pytest.mark.parametrize(
        ("kvm", "cause"),
        [
            (
                "echo FPU; exec sleep 600",
                r"hang: nothing was said while it computed \d+ s, slept \d",
            ),
            (
                "echo FPU; echo 'KVM internal error. Suberror: 1' >&2; exec sleep 600",
                r"lost: KVM internal error\. Suberror: 1",
            ),
            ("echo 'failed to set MSR 0x10a' >&2; kill -ABRT $$", "was killed by signal 6"),
            ("echo 'Could not access KVM' >&2; exit 1", "ended before the guest began"),
            ("echo 'Kernel panic - not syncing: bad page state'", "panic: Kernel panic"),
        ],
    )
    def test_what_kvm_may_be_at_fault_for_is_booted_on_tcg(
        self, boot: Callable[..., Boot], files: HostFiles, kvm: str, cause: str
    ) -> None:
        done = boot(kvm, WHOLE)
        assert (done.accelerator, done.status) == ("tcg", BootStatus.POWER_OFF)
        (told,) = self.told
        assert re.search(cause, told) and told.endswith("booting again on TCG")
        # It is not believed again before the host boots again.
        assert re.search(cause, host(NATIVE, files).trouble)
        assert boot(kvm, WHOLE).accelerator == "tcg"
        assert len(self.told) == 1

    def test_a_kernel_that_hangs_on_tcg_as_well_is_no_fault_of_kvm(
        self, boot: Callable[..., Boot], files: HostFiles
    ) -> None:
        done = boot("echo FPU; exec sleep 600", "echo FPU; exec sleep 600")
        assert (done.accelerator, done.status) == ("tcg", BootStatus.HANG)
        assert host(NATIVE, files).accelerator == "kvm"

    def test_a_panic_of_tests_is_the_kernel_s(self, boot: Callable[..., Boot]) -> None:
        up = "echo dmabuf-patchgen: up; echo 'Kernel panic - not syncing: Fatal exception'"
        done = boot(up, WHOLE)
        assert (done.accelerator, done.status) == ("kvm", BootStatus.PANIC)

    def test_the_user_s_choice(self, boot: Callable[..., Boot]) -> None:
        assert boot(WHOLE, "exit 1", "kvm").accelerator == "kvm"
        assert boot("exit 1", WHOLE, "tcg").accelerator == "tcg"
        with pytest.raises(UserError, match="KVM of this host may not run this kernel: hang: "):
            boot("echo FPU; exec sleep 600", WHOLE, "kvm")
