# SPDX-License-Identifier: GPL-2.0-only
"""QEMU itself with programs of a few bytes, and QEMUs that lie."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dmabuf_patchgen import process
from dmabuf_patchgen.errors import MissingTool, UserError
from dmabuf_patchgen.kernel import qemu
from dmabuf_patchgen.kernel.architecture import Architecture, here
from dmabuf_patchgen.kernel.console import Boot, BootStatus
from dmabuf_patchgen.kernel.guest import Guest
from dmabuf_patchgen.kernel.silence import Patience
from tests.conftest import CHECKOUT
from tests.kernel.runner import patient

X86 = here().named("x86_64")
#: Seconds that a loaded machine may take for what TCG does in a tenth of one.
AMPLE = 60.0

RESET = "the machine was reset or switched off, and the kernel said nothing of a panic"

#: A boot sector in hexadecimal: says something on the serial port, then goes on as below.
SAY = "baf803" + "".join(f"b0{byte:02x}ee" for byte in b"hello\n")
#: lidt from where the sector is zero, then int3: no interrupt can be taken.
TRIPLE_FAULT = "0f011e007dcc"
FOR_EVER = "ebfe"
FLOOD = "b061eeebfd"


@pytest.fixture
def boot(tmp_path: Path) -> Callable[..., Boot]:
    """Boots files that are there, with a log."""
    (tmp_path / "image").touch()
    (tmp_path / "initramfs").touch()

    def run(
        limit: float = AMPLE,
        arguments: tuple[str, ...] = (),
        patience: Patience = Patience(),  # noqa: B008 - it does not change
    ) -> Boot:
        image, archive = tmp_path / "image", tmp_path / "initramfs"
        log = tmp_path / "console.log"
        return qemu.boot(Guest(X86, image, archive, "tcg", patience, limit, log, arguments))

    return run


def needs_qemu(architecture: Architecture) -> None:
    try:
        qemu.version(architecture)
    except MissingTool as missing:
        pytest.skip(f"{missing.message}: {missing.hint}")


@pytest.mark.usefixtures("fresh")
class TestBoot:
    def test_power_off(self, lie: Callable[[str], Path], boot: Callable[..., Boot]) -> None:
        arguments = lie("printf 'dmabuf-patchgen: up\\r\\ndmabuf-patchgen: power off\\r\\n'")
        done = boot(arguments=("proof_tests=a:b,c:d",))
        assert (done.status, done.trouble, done.started) == (BootStatus.POWER_OFF, "", True)
        assert (done.runner, done.accelerator) == ("qemu 9.9.9", "tcg")
        assert done.console == "dmabuf-patchgen: up\ndmabuf-patchgen: power off\n"
        said = arguments.read_text()
        for option in ("-no-reboot", "-nodefaults", "console=ttyS0", "panic=-1", "oops=panic"):
            assert option in said
        assert said.endswith("proof_tests=a:b,c:d\n")

    def test_killed(self, lie: Callable[[str], Path], boot: Callable[..., Boot]) -> None:
        lie("echo some; kill -KILL $$")
        done = boot()
        assert done.status is BootStatus.LOST
        assert done.trouble == "qemu-system-x86_64 was killed by signal 9"

    def test_ended_by_itself(self, lie: Callable[[str], Path], boot: Callable[..., Boot]) -> None:
        lie("echo some; echo 'out of memory' >&2; exit 1")
        assert boot().trouble == "qemu-system-x86_64 ended with exit code 1: out of memory"
        lie("echo some")
        assert boot().trouble == RESET
        lie("echo some; echo 'terminating on signal 15' >&2")
        assert boot().trouble == "terminating on signal 15"

    def test_does_not_begin(self, lie: Callable[[str], Path], boot: Callable[..., Boot]) -> None:
        lie("echo 'could not load the kernel' >&2; exit 1")
        with pytest.raises(UserError, match="ended before the guest began: could not load"):
            boot()

    def test_hang_ends_with_all_that_it_started(
        self, lie: Callable[[str], Path], boot: Callable[..., Boot], tmp_path: Path
    ) -> None:
        lie(f"sleep 600 & echo $! >{tmp_path / 'child'}; trap '' TERM; echo before; sleep 600")
        done = patient(boot, "before")
        assert done.status is BootStatus.HANG
        assert re.fullmatch(r"no end within \d+ s; the last lines: before", done.trouble)
        assert _gone(int((tmp_path / "child").read_text()))

    @pytest.mark.parametrize(
        ("said", "told"),
        [
            ("KVM internal error. Suberror: 1", "KVM internal error. Suberror: 1"),
            ("error: kvm run failed Bad address", "error: kvm run failed Bad address"),
            ("KVM: entry failed, hardware error 0x7", "KVM: entry failed, hardware error 0x7"),
        ],
    )
    def test_a_guest_that_kvm_gives_up_is_ended_at_once(
        self, lie: Callable[[str], Path], boot: Callable[..., Boot], said: str, told: str
    ) -> None:
        # QEMU stays, and a dump of the registers follows.
        lie(f"echo some; printf '{said}\\nEAX=00000000\\n' >&2; exec sleep 600")
        done = boot()
        assert (done.status, done.trouble) == (BootStatus.LOST, told)

    def test_silence_is_a_hang(
        self, lie: Callable[[str], Path], boot: Callable[..., Boot], tmp_path: Path
    ) -> None:
        # All of it is one process, whose queueing for a processor does not count.
        guest = tmp_path / "guest.py"
        lie(f"exec {sys.executable} {guest}")
        patience = Patience(least=4.0, longest=(0.1, 0.1), runner=600.0)
        speaks = "import time\nfor i in range(6):\n    print(i, flush=True)\n    time.sleep(0.8)\n"
        begins = f"{speaks}print('dmabuf-patchgen: tests begin', flush=True)\n"
        ends = "print('dmabuf-patchgen: tests end 0', flush=True)\n"
        # A test may be silent for as long as its runner lets it.
        guest.write_text(f"{begins}time.sleep(5)\n{ends}time.sleep(600)\n")
        done = boot(patience=patience)
        assert done.status is BootStatus.HANG
        assert re.fullmatch(
            r"nothing was said while it computed \d+ s, slept \d+ s; the last lines: "
            r"5 \| dmabuf-patchgen: tests begin \| dmabuf-patchgen: tests end 0",
            done.trouble,
        )
        guest.write_text(f"{begins.replace('range(6)', 'range(1)')}time.sleep(600)\n")
        done = boot(patience=replace(patience, runner=0.0))
        assert done.status is BootStatus.HANG
        assert done.trouble.endswith("0 | dmabuf-patchgen: tests begin")

    def test_a_flood_is_bounded(
        self, lie: Callable[[str], Path], boot: Callable[..., Boot], tmp_path: Path
    ) -> None:
        lie("exec yes")
        done = boot()
        assert done.status is BootStatus.LOST
        assert done.trouble == "the guest said more than 4 MiB and was ended"
        assert (tmp_path / "console.log").stat().st_size < 5 << 20

    def test_log_that_cannot_be_written(
        self, lie: Callable[[str], Path], boot: Callable[..., Boot], tmp_path: Path
    ) -> None:
        lie(f"echo $$ >{tmp_path / 'child'}; echo some; exec sleep 600")
        (tmp_path / "console.log").symlink_to("/dev/full")
        with pytest.raises(UserError, match=r"console\.log: No space left on device"):
            boot()
        assert _gone(int((tmp_path / "child").read_text()))

    def test_arguments_that_a_kernel_would_cut_off(self, boot: Callable[..., Boot]) -> None:
        with pytest.raises(UserError, match="command line would have"):
            boot(arguments=("proof_tests=" + "drivers/dma-buf:one," * 100,))

    def test_missing_qemu(
        self, boot: Callable[..., Boot], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(MissingTool) as missing:
            boot()
        assert missing.value.hint == "install it: apt-get install qemu-system-x86"

    @pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
    def test_nothing_outlives_the_prover(
        self, lie: Callable[[str], Path], tmp_path: Path, how: signal.Signals
    ) -> None:
        # It speaks when all that is looked for then is there.
        lie(f"echo $$ >{tmp_path / 'child'}; echo said; exec sleep 600")
        prover = (
            "from pathlib import Path\n"
            "from dmabuf_patchgen.kernel import qemu\n"
            "from dmabuf_patchgen.kernel.architecture import here\n"
            "from dmabuf_patchgen.kernel.guest import Guest\n"
            "from dmabuf_patchgen.kernel.silence import Patience\n"
            "qemu.boot(Guest(here().named('x86_64'), Path('image'), Path('initramfs'), 'tcg',\n"
            "                Patience(100), 600,\n"
            f"                Path({str(tmp_path / 'console.log')!r})))\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", prover],
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
            stderr=subprocess.DEVNULL,
        ) as child:
            assert _until(
                lambda: child.poll() is not None or "said\n" in _read(tmp_path / "console.log")
            )
            guest = int(_read(tmp_path / "child"))
            child.send_signal(how)
        assert _gone(guest)
        assert _read(tmp_path / "console.log") == "said\n"


class TestMachine:
    """The real QEMU, which runs programs of a few bytes in the place of a kernel."""

    @pytest.fixture(autouse=True)
    def real(self) -> None:
        needs_qemu(X86)

    def run(self, program: str, tmp_path: Path, limit: float, most: int = 4 << 20) -> Boot:
        sector = bytes.fromhex(SAY + program).ljust(510, b"\0") + b"\x55\xaa"
        (tmp_path / "disk").write_bytes(sector)
        argv = [
            *qemu.machine(X86, "tcg", 64),
            "-drive", f"format=raw,if=ide,snapshot=on,file={tmp_path / 'disk'}",
        ]  # fmt: skip
        guest = Guest(
            X86, tmp_path, tmp_path, "tcg", Patience(), limit, tmp_path / "log", most=most
        )
        return qemu.watched(argv, "qemu", guest)

    def test_triple_fault(self, tmp_path: Path) -> None:
        done = self.run(TRIPLE_FAULT, tmp_path, AMPLE)
        assert (done.status, done.console) == (BootStatus.LOST, "hello\n")
        assert done.trouble == RESET

    def test_hang(self, tmp_path: Path) -> None:
        done = patient(lambda limit: self.run(FOR_EVER, tmp_path, limit), "hello")
        assert done.status is BootStatus.HANG
        assert done.trouble.endswith(" s; the last lines: hello")

    def test_flood(self, tmp_path: Path) -> None:
        done = self.run(FLOOD, tmp_path, AMPLE, most=1 << 16)
        assert done.status is BootStatus.LOST
        assert len(done.console) < 1 << 18

    def test_what_is_no_kernel(self, boot: Callable[..., Boot], tmp_path: Path) -> None:
        (tmp_path / "image").write_bytes(b"no kernel")
        with pytest.raises(UserError, match="ended before the guest began: "):
            boot()


def test_stream_takes_the_end_of_stderr_only() -> None:
    done = process.stream(
        ["sh", "-c", "yes words | head -c 9000000 >&2; echo last >&2; exit 3"],
        take=lambda piece: True,
        timeout=AMPLE,
    )
    assert (done.returncode, done.late, done.last_words) == (3, False, "last")


def test_stream_ends_what_closes_its_output_and_stays() -> None:
    argv = ["sh", "-c", "exec >&- 2>&-; sleep 600"]
    done = process.stream(argv, take=lambda piece: True, timeout=1)
    assert (done.returncode, done.late) == (None, True)


def _gone(pid: int) -> bool:
    """Whether a process ends within some seconds, if only as one that its parent looks for."""

    def ended() -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except (FileNotFoundError, ProcessLookupError):
            return True

    return _until(ended)


def _until(condition: Callable[[], bool]) -> bool:
    # A machine that is busy takes its time to start a program.
    for _ in range(2400):
        if condition():
            return True
        time.sleep(0.05)
    return False


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""
