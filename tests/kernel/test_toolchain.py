# SPDX-License-Identifier: GPL-2.0-only
"""The compiler that the user's environment chooses, and what it is good for."""

from pathlib import Path

import pytest

from dmabuf_patchgen.errors import MissingTool, UserError
from dmabuf_patchgen.kernel import kbuild
from dmabuf_patchgen.kernel.architecture import here
from dmabuf_patchgen.kernel.kbuild import Toolchain

#: This machine's, and another one.
OWN, OTHER, *_ = sorted(here().known, key=lambda one: not one.native)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory on PATH: this machine's gcc, cross compilers of all and of riscv, a clang."""
    place = tmp_path / "bin"
    place.mkdir()
    for name in ("make", "perl", "sparse", "flex", "bison", "bc"):
        (place / name).write_text("#!/bin/sh\n")
    triples = ("riscv64-linux-gnu", *(one.triple for one in here().known))
    for prefix, triple in [("", OWN.triple), *((f"{one}-", one) for one in triples)]:
        (place / f"{prefix}gcc").write_text(
            f"#!/bin/sh\n[ $1 = -dumpmachine ] && echo {triple} || echo {prefix}gcc 12\n"
        )
    (place / "clang").write_text("#!/bin/sh\necho clang version 19\n")
    for program in place.iterdir():
        program.chmod(0o755)
    for name in kbuild.CHOICES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", f"{place}:/usr/bin:/bin")
    return place


def chosen(monkeypatch: pytest.MonkeyPatch, choices: str) -> Toolchain:
    for choice in choices.split():
        name, value = choice.split("=")
        monkeypatch.setenv(name, value)
    return kbuild.toolchain()


@pytest.mark.parametrize(
    ("choices", "version"),
    [
        ("", "gcc 12"),
        (f"ARCH={OWN.names[0]}", "gcc 12"),
        (f"ARCH={OWN.names[-1]}", "gcc 12"),
        (f"ARCH={OTHER.name} CROSS_COMPILE={OTHER.triple}-", f"{OTHER.triple}-gcc 12"),
        (f"ARCH={OTHER.name} CC={OTHER.triple}-gcc", f"{OTHER.triple}-gcc 12"),
        # There is no file of it, and checking goes on.
        ("ARCH=riscv CROSS_COMPILE=riscv64-linux-gnu-", "riscv64-linux-gnu-gcc 12"),
        # kbuild tells it what to compile for.
        (f"ARCH={OTHER.name} LLVM=1", "clang version 19"),
        # It compiles for this machine only, whatever it is.
        ("HOSTCC=clang", "gcc 12"),
    ],
)
def test_choice(machine: Path, monkeypatch: pytest.MonkeyPatch, choices: str, version: str) -> None:
    found = chosen(monkeypatch, choices)
    assert found.version == version
    assert sorted(found.choices) == sorted(choices.split())


def test_what_a_compiler_leaves_its_work_to_counts(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (machine / "cc1").write_text("#!/bin/sh\n")
    (machine / "cc1").chmod(0o755)
    (machine / "gcc").write_text(
        "#!/bin/sh\n"
        f"case $1 in -print-prog-name=cc1) echo {machine}/cc1 ;;"
        " -dumpmachine) ;; *) echo gcc 12 ;; esac\n"
    )
    first = kbuild.toolchain()
    assert kbuild.toolchain() == first
    (machine / "cc1").write_text("#!/bin/sh\n:\n")
    second = kbuild.toolchain()
    assert second != first
    assert second.version == first.version
    (machine / "gcc").write_text((machine / "gcc").read_text() + ":\n")
    assert kbuild.toolchain() not in (first, second)


def test_a_cross_compiler_that_is_missing(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine / "aarch64-linux-gnu-gcc").unlink()
    monkeypatch.setenv("PATH", str(machine))
    with pytest.raises(MissingTool) as error:
        chosen(monkeypatch, "ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu-")
    assert error.value.hint == "install it: apt-get install gcc-aarch64-linux-gnu"


@pytest.mark.parametrize(
    ("choices", "said", "hint"),
    [
        (f"ARCH={OTHER.name}", f"gcc compiles for {OWN.name}, and the kernel is for {OTHER.name}",
         f"set CROSS_COMPILE={OTHER.triple}-, or ARCH={OWN.name}"),
        (f"CROSS_COMPILE={OTHER.triple}-",
         f"{OTHER.triple}-gcc compiles for {OTHER.name}, and the kernel is for {OWN.name}",
         f"set CROSS_COMPILE={OWN.triple}-, or ARCH={OTHER.name}"),
    ],
)  # fmt: skip
def test_a_compiler_of_another_architecture(
    machine: Path, monkeypatch: pytest.MonkeyPatch, choices: str, said: str, hint: str
) -> None:
    with pytest.raises(UserError) as error:
        chosen(monkeypatch, choices)
    assert (error.value.message, error.value.hint) == (said, hint)
