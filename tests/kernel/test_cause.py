# SPDX-License-Identifier: GPL-2.0-only
"""Of what make says where it fails, the line is told that is the cause.

makes/ holds what it said of 6.12 with one thing spoilt or taken away, as it was.
"""

from pathlib import Path

import pytest

from dmabuf_patchgen.kernel.cause import cause
from dmabuf_patchgen.kernel.diagnostics import parse_build
from dmabuf_patchgen.kernel.kbuild import MakeResult

MAKES = Path(__file__).parent / "makes"
ROOT = "/cache/build/src"

RECORDED = {
    "build-absent": "scripts/Makefile.build: No such file or directory",
    "fixdep": "scripts/basic/fixdep.c:1: 'x' undeclared (first use in this function)",
    "flex": "/bin/sh: 1: nosuchflex: not found",
    "hostld": "/usr/bin/ld: cannot find -lnothere: No such file or directory",
    "include-absent": "Makefile:366: scripts/Kbuild.include: No such file or directory",
    "kconfig-absent": 'Kconfig:32: can\'t open file "Documentation/Kconfig"',
    "kconfig-syntax": "drivers/dma-buf/Kconfig:2: syntax error",
    "no-config": 'Configuration file ".config" not found!',
    "objtool": "objtool.c:1: gelf_none.h: No such file or directory",
    "option": "gcc: unrecognized command-line option '-mnosuch'",
    "parser": "scripts/kconfig/lexer.l:3: fatal parse error",
    "stop": "there is no compiler for this board",
    "undefined": "dma-buf.c: undefined reference to `nothere'",
    "unclean": "The source tree is not clean, please run 'make mrproper'",
}


def made(output: str) -> MakeResult:
    return MakeResult(2, output, parse_build(output, ROOT), cause(output, ROOT))


def test_each_record_has_an_answer() -> None:
    assert {path.stem for path in MAKES.iterdir()} == {*RECORDED}


@pytest.mark.parametrize("name", RECORDED)
def test_the_cause_is_told_and_not_the_end(name: str) -> None:
    output = (MAKES / f"{name}.log").read_text()
    assert made(output).reason == RECORDED[name]


GAVE_UP = "make[3]: *** [/cache/build/src/scripts/Makefile.build:229: a.o] Error 1\n"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        # Python says last what it was.
        ("  GEN     a.c\nTraceback (most recent call last):\n  File \"x.py\", line 1, in <module>\n"
         f"ModuleNotFoundError: No module named 'yaml'\n{GAVE_UP}",
         "ModuleNotFoundError: No module named 'yaml'"),
        # What another target warned of is nothing to this one.
        (f"  CC      b.o\nb.c:1:1: warning: unused\nnone: not found\n  CC      a.o\n{GAVE_UP}",
         "make[3]: *** [scripts/Makefile.build:229: a.o] Error 1"),
        # A lone word of a program that says no more.
        (f"  GEN     a.o\nit does not work\n{GAVE_UP}", "it does not work"),
        (f"  CC      a.o\nKilled\n{GAVE_UP}", "Killed"),
        # What make waits for is no cause.
        ("make[1]: *** Waiting for unfinished jobs....\n"
         f"  CC      a.o\na.c:7:1: error: no\n{GAVE_UP}", "a.c:7: no"),
        ("make[3]: *** No rule to make target 'c.o', needed by 'built-in.a'.  Stop.\n",
         "No rule to make target 'c.o', needed by 'built-in.a'"),
        ("/bin/sh: 1: scripts/x.sh: Permission denied\n" + GAVE_UP,
         "/bin/sh: 1: scripts/x.sh: Permission denied"),
        ("  LD      vmlinux\nld.lld: error: undefined symbol: x\n" + GAVE_UP,
         "ld.lld: undefined symbol: x"),
        # In whose function it is, and of what a linker warns, is no cause.
        ("  LD      vmlinux\nld: x.o: in function `f':\nld: x.o: warning: relocation\n"
         "ld: warning: y.o: missing .note.GNU-stack\nld: NOTE: This is deprecated\n"
         f"ld: x.c:(.text+0x1d): undefined reference to `g'\n{GAVE_UP}",
         "ld: x.c:(.text+0x1d): undefined reference to `g'"),
        ("  HOSTLD  a\n/usr/bin/x86_64-linux-gnu-ld.bfd: x.o: in function `f':\n"
         f"x.c:(.text+0x5): undefined reference to `g'\n{GAVE_UP}",
         "x.c: undefined reference to `g'"),
        ("Kconfig:12: warning: ignored\ndrivers/Kconfig:3:warning: ignored\n"
         f"drivers/Kconfig:7: syntax error\n{GAVE_UP}", "drivers/Kconfig:7: syntax error"),
        ("", "make: exit code 2"),
    ],
)  # fmt: skip
def test_whatever_fails(said: str, told: str) -> None:
    assert made(said).reason == told


def test_what_lacks_is_that_which_it_failed_for() -> None:
    lacking = made((MAKES / "flex.log").read_text()).missing
    assert lacking and lacking.tool == "nosuchflex"
    fatal = "elf.h:10:10: fatal error: gelf.h: No such file or directory\n"
    library = made(f"  HOSTCC  a.o\n{fatal}{GAVE_UP}").missing
    assert library and library.package == "libelf-dev"
    # A program that something else got on without, and a file of the tree, are none.
    noise = "/bin/sh: 1: pahole: not found\n  CC      a.o\na.c:7:1: error: no\n"
    assert made(noise + GAVE_UP).missing is None
    assert made(f"/bin/sh: 1: ./scripts/x: not found\n{GAVE_UP}").missing is None
