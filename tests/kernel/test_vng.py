# SPDX-License-Identifier: GPL-2.0-only
"""virtme-ng as the runner: what it is asked, and what is made of its answer."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dmabuf_patchgen.errors import MissingTool, UserError
from dmabuf_patchgen.kernel import initramfs, vng
from dmabuf_patchgen.kernel.architecture import Architecture, here
from dmabuf_patchgen.kernel.console import Boot, BootStatus
from dmabuf_patchgen.kernel.guest import Guest
from dmabuf_patchgen.kernel.silence import Patience
from tests.conftest import CHECKOUT
from tests.kernel.runner import patient

X86 = replace(here().named("x86_64"), native=True)


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    vng.version.cache_clear()
    yield
    vng.version.cache_clear()


@pytest.fixture
def answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts a vng on PATH that answers with a command; tells where its arguments can be read."""

    def put(command: str) -> Path:
        place = tmp_path / "bin"
        place.mkdir(exist_ok=True)
        asked = tmp_path / "asked"
        (place / "vng").write_text(
            '#!/bin/sh\nif [ "$1" = --version ]; then echo virtme-ng 9.9; exit; fi\n'
            f'for one; do echo "$one"; done >{asked}\nfind . >{tmp_path / "root"}\n'
            f"cat <<'END'\n{command}\nEND\n"
        )
        (place / "vng").chmod(0o755)
        monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")
        return asked

    return put


@pytest.fixture
def boot(tmp_path: Path) -> Callable[..., Boot]:
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("needs busybox")
    tests = tmp_path / "tests"
    tests.mkdir()
    (tests / "run_kselftest.sh").write_text("#!/bin/sh\n")
    initramfs.write(tmp_path / "initramfs", busybox=Path(busybox), tests=tests)

    def run(
        *arguments: str,
        architecture: Architecture = X86,
        accelerator: str = "tcg",
        limit: float = 60.0,
    ) -> Boot:
        image, archive = tmp_path / "image", tmp_path / "initramfs"
        log = tmp_path / "console.log"
        return vng.boot(
            Guest(architecture, image, archive, accelerator, Patience(), limit, log, arguments)
        )

    return run


def test_what_it_answers_is_run(
    answer: Callable[[str], Path], boot: Callable[..., Boot], tmp_path: Path
) -> None:
    said = 'echo dmabuf-patchgen: up; echo "$1"; echo dmabuf-patchgen: power off >&2'
    asked = answer(f"sh -c '{said}' -append 'a init=/bin/sh -- -c b'")
    done = boot("proof_tests=a:b")
    line = done.console.splitlines()[1]
    assert re.fullmatch("a .*oops=panic .*proof_tests=a:b init=/bin/sh -- -c b", line)
    assert (done.status, done.started, done.trouble) == (BootStatus.POWER_OFF, True, "")
    assert done.runner.startswith("qemu ") and done.runner.endswith(" by virtme-ng 9.9")
    assert done.accelerator == "tcg"
    options = asked.read_text().splitlines()
    assert options[0] == "--dry-run"
    assert "--disable-kvm" in options
    # The root directory, which has gone since.
    laid = (tmp_path / "root").read_text().splitlines()
    assert {"./init", "./bin/sh", "./bin/mount", "./etc/fstab", "./run", "./proc"} <= {*laid}
    assert "./kselftest/run_kselftest.sh" in laid
    assert not Path(options[options.index("--root") + 1]).exists()


def test_kvm_is_left_on(answer: Callable[[str], Path], boot: Callable[..., Boot]) -> None:
    asked = answer("sh -c 'echo said' -append 'a init=b -- c'")
    assert boot(accelerator="kvm").accelerator == "kvm"
    assert "--disable-kvm" not in asked.read_text().splitlines()


def test_a_hang_is_ended(answer: Callable[[str], Path], boot: Callable[..., Boot]) -> None:
    answer("sh -c 'echo said; sleep 600' -append 'a init=b -- c'")
    done = patient(lambda limit: boot(limit=limit), "said")
    assert re.fullmatch(r"no end within \d+ s; the last lines: said", done.trouble)


def test_refusals(
    answer: Callable[[str], Path],
    boot: Callable[..., Boot],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    answer("no command at all")
    with pytest.raises(UserError, match="vng tells no command to run"):
        boot()
    # As it says where it has put the rest into a file.
    answer("sh -c true -append 'a init=/bin/sh /virtme-init-x'")
    with pytest.raises(UserError, match="vng tells no command to run"):
        boot()
    answer(f"sh -c true -append '{'long ' * 500} init=b -- c'")
    with pytest.raises(UserError, match="2047 fit"):
        boot()
    with pytest.raises(UserError, match="not for x86_64"):
        boot(architecture=replace(X86, native=False))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingTool) as missing:
        vng.version(X86)
    assert missing.value.package == "virtme-ng"


def test_options_are_written_as_all_options_are() -> None:
    lines = vng.CONFIG.read_text().splitlines()
    assert lines[0] == "# SPDX-License-Identifier: GPL-2.0-only"
    for line in lines:
        assert re.fullmatch(r"#.*|CONFIG_[A-Z0-9_]+=y|", line)
    common = (CHECKOUT / "templates/common/kselftest.config").read_text().splitlines()
    assert not {line for line in lines if line.startswith("CONFIG")} & {*common}
