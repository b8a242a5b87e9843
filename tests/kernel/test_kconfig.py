# SPDX-License-Identifier: GPL-2.0-only
"""What a kernel configuration comes to on a tree, and why a symbol is not what was asked."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import kconfiglib  # type: ignore[import-untyped]
import pytest

from dmabuf_patchgen.debian.sources import Row
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.kernel import architecture, configuration, kbuild, kconfig
from dmabuf_patchgen.kernel.configuration import Configuration, configure
from dmabuf_patchgen.render.environment import Environment
from dmabuf_patchgen.tree.source import DirectoryTree, open_tree
from tests import calls, tiny
from tests.conftest import Cli
from tests.repos import Kind, git
from tests.tiny import Toy

KCONFIG = """\
mainmenu "Tiny"

success = $(shell,{ $(1); } > /dev/null 2>&1 && echo y || echo n)

config MODULES
	bool "Modules"
	modules

config CC_CAN
	def_bool $(success,$(CC) -x c -c -o .left-over /dev/null)

config CC_CANNOT
	def_bool $(success,$(CC) -fno-such-option-in-any-compiler -c -x c /dev/null -o /dev/null)

config BASE
	bool "Base"

config DMA_CMA
	bool "CMA for DMA"
	depends on BASE && HAVE_CMA

config HAVE_CMA
	bool

config SOME_BOARD
	bool "A board"
	select HAVE_CMA
	select SELECTED if BASE

config SELECTED
	bool

config ON_DRIVER
	tristate "On the driver"
	depends on DRIVER

config HEAPS_CMA
	bool "CMA heap"
	depends on DMA_CMA && BASE

config EITHER
	bool "Either"
	depends on BASE || SOME_BOARD

config NOT_BASE
	bool "Not with base"
	depends on !BASE

config MIXED
	bool "Mixed"
	depends on BASE || (SOME_BOARD && !CC_CAN)

config ELSEWHERE
	bool "Elsewhere"
	depends on NO_SUCH_SYMBOL

config NEW_CC
	bool "Wants a compiler"
	depends on $(success,false)

config OLD_CC
	bool "Wants another compiler"
	depends on !$(success,true) && "$(SRCARCH)" = "arm64"

config HIDDEN
	bool "Hidden" if BASE

config DRIVER
	tristate "Driver"

config ALWAYS
	def_bool y

config OLD_NAME
	bool
	transitional # for .config files of before

if BASE
config IN_IF
	bool "In an if"
	select SELECTED
endif

config BITS
	int "Bits"
	range 8 64
	default 16

config ADDRESS
	hex "Address"
	default 0x1000

config NAME
	string "Name"
	default "tiny"

choice
	prompt "One of two"
	default ONE

config ONE
	bool "One"

config TWO
	bool "Two"
endchoice

config CONDITIONAL
	bool "Conditional"
	depends on SOME_BOARD if BASE

config CONDITIONAL_ON_MORE
	bool "Conditional on an expression"
	depends on SOME_BOARD if (BASE && !NOT_BASE) || BITS = 32
"""

#: What the architectures ask for, which the command adds.
OF_MACHINES = sorted(
    {line[7:-2] for one in architecture.here().known for line in one.config if line.endswith("=y")}
)
#: What a tree has to have to be one, with that Kconfig.
FILES: Mapping[str, bytes] = {
    **tiny.FILES,
    "Kconfig": (
        KCONFIG + "".join(f'\nconfig {name}\n\tbool "{name}"\n' for name in OF_MACHINES)
    ).encode(),
}

FRAGMENT = """\
# SPDX-License-Identifier: GPL-2.0-only
CONFIG_BASE=y
CONFIG_OF_ANOTHER_TREE=y|CONFIG_EITHER=y
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return tiny.write(tmp_path / "a tree", FILES)


def planned(tree: Path, tmp_path: Path, fragment: str, **more: str) -> Configuration:
    """What the tree makes of a common fragment, and of that of the series toy."""
    files = {"common/kselftest.config": fragment}
    files |= {"toy/kernel.config": more["toy"]} if "toy" in more else {}
    environment = tiny.environment(tmp_path / "templates", files)
    bare = replace(architecture.here().chosen(), config=())
    return configure(environment, open_tree(tree), ["toy"], architecture=bare)


def reason(tree: Path, tmp_path: Path, name: str, fragment: str) -> str:
    found = {one.name: one for one in planned(tree, tmp_path, fragment).results}
    return found[name].reason


CASES = [
    ("DMA_CMA", "CONFIG_BASE=y\nCONFIG_DMA_CMA=y",
     "HAVE_CMA is off because it cannot be set, only be selected by SOME_BOARD"),
    ("HEAPS_CMA", "CONFIG_BASE=y\nCONFIG_HEAPS_CMA=y", "DMA_CMA is off because HAVE_CMA is off"),
    ("HEAPS_CMA", "CONFIG_BASE=y\nCONFIG_SOME_BOARD=y\nCONFIG_HEAPS_CMA=y",
     "DMA_CMA is off because nothing asks for it"),
    ("HEAPS_CMA", "CONFIG_HEAPS_CMA=y",
     "DMA_CMA is off because BASE is off and HAVE_CMA is off; "
     "BASE is off because nothing asks for it"),
    ("EITHER", "CONFIG_EITHER=y", "none of BASE or SOME_BOARD is on"),
    ("MIXED", "CONFIG_MIXED=y", "(BASE || (SOME_BOARD && !CC_CAN)) does not hold: "
     "BASE is off, CC_CAN is on, SOME_BOARD is off"),
    ("NOT_BASE", "CONFIG_BASE=y\nCONFIG_NOT_BASE=y", "BASE is on"),
    ("ELSEWHERE", "CONFIG_ELSEWHERE=y", "NO_SUCH_SYMBOL is not in this tree"),
    ("NEW_CC", "CONFIG_NEW_CC=y", "a test of the compiler or the machine says no"),
    ("OLD_CC", "CONFIG_OLD_CC=y",
     "a test of the compiler or the machine says no; (x86 = arm64) does not hold"),
    ("HIDDEN", "CONFIG_HIDDEN=y", "BASE is off because nothing asks for it"),
    ("IN_IF", "CONFIG_IN_IF=y", "BASE is off because nothing asks for it"),
    ("CC_CANNOT", "CONFIG_CC_CANNOT=y", "it cannot be set, and its default is n"),
    ("SELECTED", "CONFIG_SOME_BOARD=y\nCONFIG_SELECTED=y",
     "it cannot be set, only be selected by SOME_BOARD if BASE or IN_IF"),
    ("ON_DRIVER", "CONFIG_MODULES=y\nCONFIG_DRIVER=m\nCONFIG_ON_DRIVER=y",
     "DRIVER is m because nothing asks for more"),
    ("CC_CAN", "CONFIG_CC_CAN=y", ""),
    ("DRIVER", "CONFIG_DRIVER=m", "MODULES is off"),
    ("DRIVER", "CONFIG_MODULES=y\nCONFIG_DRIVER=m", ""),
    ("BASE", "CONFIG_MODULES=y\nCONFIG_BASE=m", "it is a bool, never m"),
    ("BASE", "CONFIG_BASE=4", "it is a bool, which '4' is no value of"),
    ("HAVE_CMA", "CONFIG_SOME_BOARD=y\n# CONFIG_HAVE_CMA is not set", "SOME_BOARD selects it"),
    ("ALWAYS", "CONFIG_ALWAYS=n", "it cannot be set here, and its default is y"),
    ("ONE", "CONFIG_ONE=n", "its choice takes it"),
    ("ONE", "CONFIG_TWO=y\nCONFIG_ONE=y", ""),
    ("TWO", "CONFIG_TWO=y\nCONFIG_ONE=y", "ONE is taken of the same choice"),
    ("OLD_NAME", "CONFIG_OLD_NAME=y", "it cannot be set, and nothing selects it"),
    ("NONE", "CONFIG_NONE=y", "this tree has no NONE"),
    ("NONE", "CONFIG_NONE=y|CONFIG_NOR_THIS=y", "this tree has no NONE nor NOR_THIS"),
    ("NONE", "CONFIG_NONE=n", ""),
    ("BITS", "CONFIG_BITS=32", ""),
    ("BITS", "CONFIG_BITS=7", "it takes a value from 8 to 64"),
    ("BITS", 'CONFIG_BITS="x"', "it takes a value from 8 to 64"),
    ("ADDRESS", "CONFIG_ADDRESS=0X2000", ""),
    ("ADDRESS", 'CONFIG_ADDRESS="x"', "it is hex, which 'x' is no value of"),
    ("NAME", 'CONFIG_NAME="a \\"b|c\\" \\\\"', ""),
    ("CONDITIONAL", "CONFIG_CONDITIONAL=y", ""),
    ("CONDITIONAL", "CONFIG_BASE=y\nCONFIG_CONDITIONAL=y",
     "(SOME_BOARD || BASE = n) does not hold: BASE is on, SOME_BOARD is off"),
    ("CONDITIONAL", "CONFIG_BASE=y\nCONFIG_SOME_BOARD=y\nCONFIG_CONDITIONAL=y", ""),
    ("CONDITIONAL_ON_MORE", "CONFIG_CONDITIONAL_ON_MORE=y", ""),
    ("CONDITIONAL_ON_MORE", "CONFIG_NOT_BASE=y\nCONFIG_CONDITIONAL_ON_MORE=y", ""),
    ("CONDITIONAL_ON_MORE", "CONFIG_BITS=32\nCONFIG_SOME_BOARD=y\nCONFIG_CONDITIONAL_ON_MORE=y",
     ""),
    ("CONDITIONAL_ON_MORE", "CONFIG_BITS=32\nCONFIG_CONDITIONAL_ON_MORE=y",
     "(SOME_BOARD || ((BASE = n || NOT_BASE = y) && !(BITS = 32))) does not hold: "
     "BASE is off, BITS is 32, NOT_BASE is off, SOME_BOARD is off"),
    ("CONDITIONAL_ON_MORE", "CONFIG_BASE=y\nCONFIG_CONDITIONAL_ON_MORE=y",
     "(SOME_BOARD || ((BASE = n || NOT_BASE = y) && !(BITS = 32))) does not hold: "
     "BASE is on, BITS is 16, NOT_BASE is off, SOME_BOARD is off"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "fragment", "said"), CASES)
def test_why(tree: Path, tmp_path: Path, name: str, fragment: str, said: str) -> None:
    assert reason(tree, tmp_path, name, fragment) == said


def test_alternatives_are_taken_in_order(tree: Path, tmp_path: Path) -> None:
    found = planned(tree, tmp_path, "CONFIG_NO=y|CONFIG_BASE=y|CONFIG_EITHER=y\n")
    (one,) = found.results
    assert (one.name, one.got, one.reason, one.instead_of) == ("BASE", "y", "", ("NO",))
    assert "CONFIG_BASE=y\n" in found.config
    assert "# CONFIG_EITHER is not set\n" in found.config, "the first is enough"
    (one,) = planned(tree, tmp_path, "CONFIG_BASE=y|CONFIG_EITHER=y\n").results
    assert (one.name, one.instead_of) == ("BASE", ())


def test_the_base_is_the_tiny_configuration_of_the_tree(tree: Path, tmp_path: Path) -> None:
    assert "CONFIG_BITS=16\n" in planned(tree, tmp_path, "CONFIG_BASE=y\n").config
    tiny.write(
        tree,
        {
            "kernel/configs/tiny-base.config": "CONFIG_SOME_BOARD=y\n",
            "kernel/configs/tiny.config": "CONFIG_BITS=8\n",
            "arch/x86/configs/tiny.config": "CONFIG_TWO=y\n",
        },
    )
    config = planned(tree, tmp_path, "CONFIG_BASE=y\n").config
    for line in ("CONFIG_BITS=8", "CONFIG_SOME_BOARD=y", "CONFIG_TWO=y", "CONFIG_BASE=y"):
        assert f"{line}\n" in config


def test_a_series_adds_to_what_all_want(tree: Path, tmp_path: Path) -> None:
    found = planned(tree, tmp_path, "CONFIG_BASE=y\n", toy="CONFIG_BASE=y\nCONFIG_EITHER=y\n")
    assert [(one.name, one.place) for one in found.results] == [
        ("BASE", "common/kselftest.config:1"),
        ("EITHER", "toy/kernel.config:2"),
    ]


def test_fragments_that_contradict_are_refused(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        planned(tree, tmp_path, "CONFIG_BASE=y\n", toy="\n# CONFIG_BASE is not set\n")
    assert error.value.message == (
        "toy/kernel.config:2: BASE is to be 'n', and 'y' in common/kselftest.config:1"
    )


def test_what_a_tree_may_lack(tree: Path, tmp_path: Path) -> None:
    fragment = "CONFIG_BASE=y | # since 9.9\nCONFIG_NO_SUCH=y|CONFIG_NOR_THIS=y|#since 9.9\n"
    found = planned(tree, tmp_path, fragment)
    assert not found.failed
    assert [(one.name, one.got, one.absent) for one in found.results] == [
        ("BASE", "y", ""),
        ("NO_SUCH", "n", "since 9.9"),
    ]
    assert "NO_SUCH n   since 9.9" in found.table()
    # One that is there and cannot be set is no symbol that the tree lacks.
    found = planned(tree, tmp_path, "CONFIG_HEAPS_CMA=y | # since 9.9\n")
    assert found.failed[0].reason.startswith("DMA_CMA is off")


def test_checkers_are_asked_for_besides(tree: Path, tmp_path: Path) -> None:
    files = {
        "common/kselftest.config": "CONFIG_BASE=y\n",
        "common/debug.config": "CONFIG_EITHER=y\n",
    }
    environment = tiny.environment(tmp_path / "templates", files)
    bare = replace(architecture.here().chosen(), config=())
    for debug, names in ((False, ["BASE"]), (True, ["BASE", "EITHER"])):
        found = configure(environment, open_tree(tree), ["toy"], architecture=bare, debug=debug)
        assert [one.name for one in found.results] == names


@pytest.mark.parametrize(
    "line",
    [
        "BASE=y", "CONFIG_BASE", "CONFIG_BASE=yes", "CONFIG_A=y|B=y", "CONFIG_A=y|CONFIG_B",
        "CONFIG_A=y|", "CONFIG_A=y|#", "CONFIG_A=y # since 9.9", "| # since 9.9",
    ],
)  # fmt: skip
def test_a_wrong_line_is_told(tree: Path, tmp_path: Path, line: str) -> None:
    with pytest.raises(UserError) as error:
        planned(tree, tmp_path, f"# A comment.\n\n{line}\n")
    place = tmp_path / "templates/common/kselftest.config"
    assert error.value.message == f"{place}:3: no line of a .config: {line!r}"


def test_a_wrong_kconfig_is_told(tree: Path, tmp_path: Path) -> None:
    (tree / "Kconfig").write_text("config A\n\tbool 'A'\n\tfrobnicate\n")
    before = dict(os.environ), Path.cwd()
    with pytest.raises(UserError, match=r"Kconfig cannot be read: .*Kconfig:3: .*frobnicate"):
        planned(tree, tmp_path, FRAGMENT)
    (tree / "Kconfig").write_text('source "nothing/Kconfig"\n')
    with pytest.raises(UserError, match="nothing/Kconfig' not found"):
        planned(tree, tmp_path, FRAGMENT)
    assert (dict(os.environ), Path.cwd()) == before


@pytest.mark.parametrize(
    "body",
    [
        b'config ODD\n\tbool "Andr\xe9 of another encoding"\n\tdefault y\n',
        b"config ODD\n\tbool\n\tdefault y\n\thelp\n\t  By Andr\xe9.\n",
        b"\xef\xbb\xbfconfig ODD\n\tbool\n\tdefault y\n",
        b"config ODD\n\tbool;\n\tdefault y;\n",
        "config ODD\n\tbool\n\tdefault y\u3002\n".encode(),
        b'config ODD\n\tbool "without its quote\n\tdefault y # "or not\n',
        b"config ODD\r\n\tbool\r\n\tdefault y\r\n",
    ],
)
def test_what_conf_lets_pass(tree: Path, tmp_path: Path, body: bytes) -> None:
    with (tree / "Kconfig").open("ab") as kconfig:
        kconfig.write(b'source "odd/Kconfig"\n')
    (tree / "odd").mkdir()
    (tree / "odd" / "Kconfig").write_bytes(body)
    # What has a prompt is off in a tiny configuration.
    value = "# CONFIG_ODD is not set\n" if b'"' in body else "CONFIG_ODD=y\n"
    assert value in planned(tree, tmp_path, FRAGMENT).config


@pytest.mark.parametrize("line", ["bool bool", "defaults y", "depends on (A", "default y y"])
def test_what_conf_rejects(tree: Path, tmp_path: Path, line: str) -> None:
    with (tree / "Kconfig").open("a") as kconfig:
        kconfig.write(f"config ODD\n\t{line};\n")
    with pytest.raises(UserError, match="Kconfig cannot be read"):
        planned(tree, tmp_path, FRAGMENT)


def test_another_property_with_an_if_is_still_wrong(tree: Path, tmp_path: Path) -> None:
    """The control: only `depends on` has learned it."""
    (tree / "Kconfig").write_text("if A if B\nendif\n")
    with pytest.raises(UserError, match="cannot be read"):
        planned(tree, tmp_path, FRAGMENT)


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.PARTIAL])
def test_a_revision_is_as_the_directory(tmp_path: Path, kind: Kind) -> None:
    plain = tiny.write(tmp_path / "6.12.9-tiny", FILES)
    expected = planned(plain, tmp_path, FRAGMENT)
    repo = tiny.repo(tmp_path, kind)
    assert planned(repo, tmp_path, FRAGMENT) == expected
    assert not expected.failed


def test_a_partial_clone_is_not_fetched_file_by_file(tmp_path: Path) -> None:
    tiny.write(tmp_path / "6.12.9-tiny", FILES)
    repo = tiny.repo(tmp_path, Kind.PARTIAL)
    with pytest.raises(UserError, match="a partial clone, 2 files of its Kconfig are not here"):
        planned(repo, tmp_path, FRAGMENT)
    git(repo, "checkout", "-q")
    assert not planned(repo, tmp_path, FRAGMENT).failed


def test_nothing_is_left_behind(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    temporary = tmp_path / "temporary"
    for place in (here, temporary):
        place.mkdir()
    monkeypatch.chdir(here)
    # For what it runs; it has asked for its own already.
    monkeypatch.setenv("TMPDIR", str(temporary))
    environment = dict(os.environ)
    before = tiny.snapshot(tree)
    with calls.named("tempfile.mkdtemp") as made:
        assert planned(tree, tmp_path, "CONFIG_CC_CAN=y\n").failed == ()
    assert made and not any(Path(one).exists() for one in made)
    assert tiny.snapshot(tree) == before
    assert tiny.snapshot(here, temporary) == {}
    assert (dict(os.environ), Path.cwd()) == (environment, here)


def test_variables_of_the_caller_do_not_matter(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = planned(tree, tmp_path, FRAGMENT)
    for name in ("CONFIG_", "KCONFIG_CONFIG", "KCONFIG_ALLCONFIG", "srctree", "SRCARCH"):
        monkeypatch.setenv(name, "nonsense")
    monkeypatch.setenv("ARCH", "x86_64")
    assert planned(tree, tmp_path, FRAGMENT) == expected


# The fragments of the series, on real trees.


#: Series that ask for nothing that they bring themselves.
SERIES = ("dma-buf-map-info", "dma-buf-pfnmap")


def all_as_asked(root: Path) -> Configuration:
    found = configure(Environment(), DirectoryTree(root), SERIES)
    assert [(one.name, one.reason) for one in found.failed] == []
    return found


#: Symbols that go by another name in some trees.
INSTEAD = {
    "5.10": {"DMA_SHARED_BUFFER": ("DMABUF_DEBUG",)},
    "6.1": {},
    "6.12": {},
    "7.2": {},
    "7.3": {"SYSCTL": ("PROC_SYSCTL",)},
}


def test_every_tree(row: Row) -> None:
    found = all_as_asked(row.path)
    if row.series in INSTEAD:
        instead = {one.name: one.instead_of for one in found.results if one.instead_of}
        assert instead == INSTEAD[row.series]


def settings(config: str) -> set[str]:
    return {line for line in config.splitlines() if "CONFIG_" in line}


def the_kernel_makes_the_same_of_it(root: Path, out: Path) -> None:
    """The tree's own tinyconfig, merge_config.sh and olddefconfig come to the same."""
    found = all_as_asked(root)
    out.mkdir()
    fragment = out / "fragment"
    fragment.write_text("".join(f"CONFIG_{one.name}={one.wanted}\n" for one in found.results))
    merge = root / "scripts/kconfig/merge_config.sh"
    for command in (
        ["make", "-C", str(root), f"O={out}", "tinyconfig"],
        [str(merge), "-m", "-O", str(out), str(out / ".config"), str(fragment)],
        ["make", "-C", str(root), f"O={out}", "olddefconfig"],
    ):
        subprocess.run(command, cwd=out, env=kbuild.environment(), check=True, capture_output=True)
    config = (out / ".config").read_text()
    theirs = settings(config)
    for one in found.results:
        off = f"# CONFIG_{one.name} is not set"
        assert (off if one.got == "n" else f"CONFIG_{one.name}={one.got}") in theirs
    assert settings(found.config) == theirs
    ours, title = (text.splitlines()[at] for text, at in ((found.config, 1), (config, 2)))
    assert ours == title


def test_the_kernel_makes_the_same_of_it(linux_612: Path, tmp_path: Path) -> None:
    the_kernel_makes_the_same_of_it(linux_612, tmp_path / "out")


def test_another_architecture(row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On every tree, with Debian's cross compiler."""
    monkeypatch.setenv("ARCH", "arm64")
    monkeypatch.setenv("CROSS_COMPILE", "aarch64-linux-gnu-")
    the_kernel_makes_the_same_of_it(row.path, tmp_path / "out")


def test_another_architecture_asks_for_its_own(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its console, its name and its tiny configuration; nothing of this machine's."""
    monkeypatch.setenv("ARCH", "arm64")
    monkeypatch.setenv("CC", "gcc")
    tiny.write(
        tree,
        {
            "arch/arm64/configs/tiny.config": "CONFIG_TWO=y\n",
            "arch/x86/configs/tiny.config": "CONFIG_ONE=y\n",
        },
    )
    environment = tiny.environment(
        tmp_path / "templates", {"common/kselftest.config": "CONFIG_BASE=y\nCONFIG_OLD_CC=y\n"}
    )
    found = configure(environment, open_tree(tree), ["toy"])
    assert found.architecture == found.as_dict()["arch"] == "arm64"
    assert found.table().startswith("Linux 6.12.9-rc1, arm64, for the kselftests of toy\n")
    (arm,) = (one for one in architecture.here().known if one.name == "arm64")
    own = [one for one in found.results if one.place == "architectures/arm64.toml"]
    assert [f"CONFIG_{one.name}={one.got}" for one in own] == [*arm.config]
    assert "CONFIG_TWO=y\n" in found.config
    # What a tree is for is in the configuration: OLD_CC asks for SRCARCH.
    assert [one.reason for one in found.failed] == ["a test of the compiler or the machine says no"]


def test_an_architecture_and_a_series_that_contradict(tree: Path, tmp_path: Path) -> None:
    one = replace(architecture.here().chosen(), config=("CONFIG_BASE=y",))
    files = {"common/kselftest.config": "", "toy/kernel.config": "# CONFIG_BASE is not set\n"}
    environment = tiny.environment(tmp_path / "templates", files)
    with pytest.raises(UserError) as error:
        configure(environment, open_tree(tree), ["toy"], architecture=one)
    assert error.value.message == (
        f"toy/kernel.config:1: BASE is to be 'n', and 'y' in architectures/{one.name}.toml"
    )


def test_the_reference_tree_as_a_revision(linux_612: Path, tmp_path: Path) -> None:
    """Only what is exported of a revision is there; it comes to the same as all of the tree."""
    expected = all_as_asked(linux_612)
    repo = tmp_path / "linux"
    kept = ("Kbuild", "Makefile", "drivers/dma-buf/dma-buf.c")
    for where, _, names in os.walk(linux_612):
        for name in names:
            path = (Path(where) / name).relative_to(linux_612)
            if path.as_posix() in kept or kconfig._READ.fullmatch(path.as_posix()):
                (repo / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(linux_612 / path, repo / path)
    git(repo, "init", "-q")
    git(repo, "add", "--all", "--force")
    git(repo, "-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "-qm", "6.12")
    assert configure(Environment(), open_tree(repo), SERIES) == expected


def test_a_line_too_few_is_told(linux_612: Path, tmp_path: Path) -> None:
    """The control: a fragment that lacks one of its lines does not come true, and why is said."""
    templates = tmp_path / "templates"
    shutil.copytree(Environment().root, templates)
    fragment = templates / configuration.COMMON
    text = fragment.read_text()
    assert text.count("CONFIG_DMA_CMA=y\n") == 1
    fragment.write_text(text.replace("CONFIG_DMA_CMA=y\n", ""))
    found = configure(Environment(templates), DirectoryTree(linux_612), ["dma-buf-pfnmap"])
    assert [(one.name, one.wanted, one.got, one.reason) for one in found.failed] == [
        ("DMABUF_HEAPS_CMA", "y", "n", "DMA_CMA is off because nothing asks for it")
    ]


def test_kconfiglib_alone_does_not_read_it(
    linux_612: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the day it does, the hooks can go."""
    monkeypatch.chdir(tmp_path)
    for name, value in {"srctree": str(linux_612), "ARCH": "x86", "SRCARCH": "x86"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CC", "gcc")
    monkeypatch.setenv("LD", "ld")
    with pytest.raises(kconfiglib.KconfigError, match="modules"):
        kconfiglib.Kconfig(warn=False)


# The verb.


@pytest.fixture
def toy(cli: Cli, tmp_path: Path) -> Toy:
    return tiny.toy(cli, tmp_path / "toy", {"common/kselftest.config": FRAGMENT})


#: With this machine's compiler, which tells no test here what it compiles for.
ARM64 = {"ARCH": "arm64", "CC": "gcc"}


def test_all_is_as_asked(toy: Toy, tree: Path) -> None:
    done = toy("-C", tree, "config", "toy", env=ARM64)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "Linux 6.12.9-rc1, arm64, for the kselftests of toy\n"
        "  BASE                      y\n"
        "  EITHER                    y   this tree has no OF_ANOTHER_TREE\n"
        "  SERIAL_AMBA_PL011         y\n"
        "  SERIAL_AMBA_PL011_CONSOLE y\n"
        "all 4 symbols are as asked\n"
    )


def test_one_is_not_as_asked(cli: Cli, tree: Path, tmp_path: Path) -> None:
    fragment = f"{FRAGMENT}CONFIG_HEAPS_CMA=y\n"
    toy = tiny.toy(cli, tmp_path / "toy", {"common/kselftest.config": fragment})
    done = toy("-C", tree, "config", "toy", env=ARM64)
    assert (done.returncode, done.stderr) == (2, "")
    assert done.stdout.endswith(
        "1 of 5 symbols are not as asked:\n"
        "  HEAPS_CMA wants y, got n: DMA_CMA is off because HAVE_CMA is off "
        "(common/kselftest.config:4)\n"
    )
    done = toy("-C", tree, "config", "toy", "--json", env=ARM64)
    assert done.returncode == 2
    said = json.loads(done.stdout)
    assert said["arch"] == "arm64"
    assert said["as_asked"] is False and said["file"] is None and said["version"] == "6.12.9-rc1"
    assert said["symbols"][1]["instead_of"] == ["OF_ANOTHER_TREE"]
    assert said["symbols"][2] == {
        "name": "HEAPS_CMA",
        "wanted": "y",
        "got": "n",
        "reason": "DMA_CMA is off because HAVE_CMA is off",
        "place": "common/kselftest.config:4",
        "instead_of": [],
        "absent": "",
    }


def test_the_configuration_is_written(toy: Toy, tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for _ in range(2):
        # Its own file may be written again.
        done = toy("-C", tree, "config", "toy", "-o", ".config", cwd=out)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.endswith("configuration: .config\n")
        assert [path.name for path in out.iterdir()] == [".config"]
    text = (out / ".config").read_text()
    assert text.startswith("# Written by dmabuf-patchgen config: toy\n")
    assert "CONFIG_BASE=y\n" in text and "# CONFIG_SOME_BOARD is not set\n" in text


def test_what_is_not_its_own_is_not_overwritten(toy: Toy, tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    tiny.write(out, {".config": "CONFIG_MINE=y\n"})
    (out / "link").symlink_to("nowhere")
    before = tiny.snapshot(out)
    for name, said in {
        ".config": "is there, and not this tool's; choose another -o, or move the file away",
        "link": "not an ordinary file; choose another -o",
        ".": "not an ordinary file; choose another -o",
        "no/file": f"no directory {out}/no; make it, or choose another -o",
    }.items():
        done = toy("-C", tree, "config", "toy", "-o", out / name)
        assert done.returncode == 1
        assert done.stderr == f"dmabuf-patchgen: {out / name}: {said}\n"
    assert tiny.snapshot(out) == before


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / ".config"
    configuration.write_file(file, f"{configuration.MARK}: toy\n")
    before = tiny.snapshot(tmp_path)
    full = OSError(28, "No space left on device")
    with (
        calls.failing("os.rename", full),
        pytest.raises(UserError, match="No space left on device"),
    ):
        configuration.write_file(file, "new\n")
    assert tiny.snapshot(tmp_path) == before


@pytest.mark.parametrize(
    ("env", "code", "said"),
    [
        ({"ARCH": "aarch64"}, 1, "ARCH aarch64: nothing is known of it; "
         "set ARCH to one of arm64, x86_64"),
        ({"CC": "no-such-cc"}, 3, "no-such-cc is not installed; "
         "install it: apt-get install no-such-cc"),
        ({"CROSS_COMPILE": "no-such-"}, 3, "no-such-gcc is not installed; "
         "install it: apt-get install no-such-gcc"),
        ({"LLVM": "-99"}, 3, "clang-99 is not installed; install it: apt-get install clang-99"),
    ],
)  # fmt: skip
def test_errors(toy: Toy, tree: Path, env: Mapping[str, str], code: int, said: str) -> None:
    done = toy("-C", tree, "config", "toy", env=env)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr == f"dmabuf-patchgen: {said}\n"


def test_a_series_that_is_not_there(toy: Toy, tree: Path) -> None:
    done = toy("-C", tree, "config", "tyo")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "dmabuf-patchgen: no series is named 'tyo'; there are: toy\n"
