# SPDX-License-Identifier: GPL-2.0-only
"""What a build of an earlier run is worth to the next one."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.kernel import seal
from dmabuf_patchgen.kernel.bootable import Bootable, DoesNotBuild, KernelConfig, State
from dmabuf_patchgen.kernel.kbuild import Toolchain
from dmabuf_patchgen.tree.source import DirectoryTree
from tests import calls, damage

#: As kbuild: an object is made again where the configuration is not what it was made from.
MAKEFILE = """\
olddefconfig: ;
image:
	@cmp -s $(O)/.config $(O)/object || { echo '  CC      object'; cp $(O)/.config $(O)/object; }
	@cp $(O)/object $(O)/image
"""

Compiled = Callable[[str], bool]


@pytest.fixture
def compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compiled:
    """Builds the kernel of a small tree with a configuration; whether that took the compiler."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "Makefile").write_text(MAKEFILE)

    def run(config: str) -> bool:
        with ExitStack() as stack:
            bench = Bootable(
                stack,
                DirectoryTree(tree),
                Toolchain((), "cc 1", ""),
                frozenset(),
                lambda _: None,
                1,
            )
            made = bench.build(State("base", {}), KernelConfig(config, ()), "image")
            assert (made / "image").read_text() == config == (made / "config").read_text()
            return "CC" in (made / "build.log").read_text()

    return run


def test_the_sources_in_a_state_are_a_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made of links, and Kconfig reads it as one that its user has."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tree = tmp_path / "tree"
    (tree / "mm").mkdir(parents=True)
    (tree / "Makefile").write_text("VERSION = 6\nPATCHLEVEL = 1\nSUBLEVEL = 0\nEXTRAVERSION =\n")
    (tree / "mm/Kconfig").write_text("config MMU\n")
    (tree / "mm/mmap.c").write_text("before\n")
    (tree / "out").symlink_to("/etc/hostname")
    tools = Toolchain((), "cc 1", "")
    with ExitStack() as stack:
        touched = frozenset({"mm/mmap.c"})
        bench = Bootable(stack, DirectoryTree(tree), tools, touched, lambda _: None, 1)
        shown = bench.show(State("after", {"mm/mmap.c": b"after\n"}))
        assert shown.version == "6.1.0"
        assert shown.read("mm/Kconfig") == b"config MMU\n"
        assert shown.read("mm/mmap.c") == b"after\n"
        assert shown.names("mm") == ("Kconfig", "mmap.c")
        # What leads out of the tree is no part of it here either.
        assert not shown.exists("out")


def test_an_earlier_build_is_taken_up(compiled: Compiled) -> None:
    assert compiled("CONFIG_A=y\n")
    assert not compiled("CONFIG_A=y\n")


def test_an_earlier_build_of_another_state_is_no_build_of_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A header that a series changes is older than its objects where it is not changed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tree = tmp_path / "tree"
    (tree / "include").mkdir(parents=True)
    (tree / "include/header.h").write_text("as in the tree")
    (tree / "Makefile").write_text(
        "olddefconfig: ;\nimage: $(O)/image\n$(O)/image: include/header.h\n\tcp $< $@\n"
    )

    def image(files: dict[str, bytes | None]) -> bytes:
        with ExitStack() as stack:
            bench = Bootable(
                stack,
                DirectoryTree(tree),
                Toolchain((), "cc 1", ""),
                frozenset(files),
                lambda _: None,
                1,
            )
            made = bench.build(State("", files), KernelConfig("CONFIG_A=y\n", ()), "image")
            return (made / "image").read_bytes()

    assert image({"include/header.h": b"as patched"}) == b"as patched"
    assert image({}) == b"as in the tree"
    assert image({"include/header.h": b"as patched"}) == b"as patched"


def test_what_a_run_built_in_is_gone_with_it(compiled: Compiled, tmp_path: Path) -> None:
    compiled("CONFIG_A=y\n")
    (place,) = (tmp_path / "cache/dmabuf-patchgen/bootable").glob("*/")
    assert not (place / "out").exists() and (place / "first").is_dir()


def test_another_configuration_is_built_once(compiled: Compiled) -> None:
    compiled("CONFIG_A=y\n")
    assert compiled("CONFIG_B=y\n")
    assert not compiled("CONFIG_B=y\n")


def test_a_kill_while_it_is_kept_costs_a_build(compiled: Compiled, tmp_path: Path) -> None:
    compiled("CONFIG_A=y\n")
    # As late as can be: the old one is gone.
    with calls.failing("os.rename", KeyboardInterrupt()), pytest.raises(KeyboardInterrupt):
        compiled("CONFIG_B=y\n")
    (place,) = (tmp_path / "cache/dmabuf-patchgen/bootable").glob("*/")
    assert not (place / "first").exists()
    assert compiled("CONFIG_B=y\n")
    assert not compiled("CONFIG_B=y\n")


@pytest.mark.parametrize("what", damage.DAMAGES)
def test_a_damaged_build_is_made_anew(compiled: Compiled, tmp_path: Path, what: str) -> None:
    compiled("CONFIG_A=y\n")
    (first,) = (tmp_path / "cache/dmabuf-patchgen/bootable").glob("*/first")
    kept = [*damage.files(first)]
    assert {path.name for path in kept} == {
        ".config", "object", "image", "dmabuf-patchgen-touched.json", seal.NAME,
    }  # fmt: skip
    for path in kept:
        damage.DAMAGES[what](path)
        assert compiled("CONFIG_A=y\n")
        assert not compiled("CONFIG_A=y\n")


def test_a_symbol_that_is_lost_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What olddefconfig made of the configuration is there to be read."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "Makefile").write_text("olddefconfig:\n\t@echo CONFIG_A=y >$(O)/.config\n")
    # One that is to be off may also be one that there is not.
    symbols = ("CONFIG_A=y", "# CONFIG_C is not set", "CONFIG_B=y")
    with ExitStack() as stack:
        tools = Toolchain((), "cc 1", "")
        bench = Bootable(stack, DirectoryTree(tree), tools, frozenset(), lambda _: None, 1)
        with pytest.raises(UserError, match=r"^tip: 'CONFIG_B=y' is not what") as error:
            bench.build(State("tip", {}), KernelConfig("CONFIG_B=y\n", symbols), "image")
    (left,) = (tmp_path / "cache").rglob("failed.config")
    assert error.value.hint == f"see dmabuf-patchgen config, and {left}"
    assert left.read_text() == "CONFIG_A=y\n"


#: Of kselftests in one collection: what make installs them by.
TESTS = """\
install:
	@echo '{said}'
	@mkdir -p $(KSFT_INSTALL_PATH)/drivers/dma-buf
	@{listed} >$(KSFT_INSTALL_PATH)/kselftest-list.txt
	@{then}
"""


@pytest.mark.parametrize(
    ("said", "listed", "then", "why"),
    [
        ("a.c:3:1: error: no y", "echo drivers/dma-buf:a", "false", "a.c:3: no y"),
        ("ld: a.o: in function f:", "echo drivers/dma-buf:a", "echo ld: no x; false", "ld: no x"),
        ("quiet", "echo drivers/dma-buf:a", "true", "drivers/dma-buf:a was not built"),
        ("quiet", "true", "true", "none is installed"),
    ],
)
def test_kselftests_that_do_not_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, listed: str, then: str, why: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tree = tmp_path / "tree"
    (tree / "tools/testing/selftests/drivers/dma-buf").mkdir(parents=True)
    (tree / "Makefile").write_text("headers:\n\t@mkdir -p $(O)/usr/include\n")
    makefile = TESTS.format(said=said, listed=listed, then=then)
    (tree / "tools/testing/selftests/Makefile").write_text(makefile)
    with ExitStack() as stack:
        tools = Toolchain((), "cc 1", "")
        bench = Bootable(stack, DirectoryTree(tree), tools, frozenset(), lambda _: None, 1)
        with pytest.raises(DoesNotBuild) as error:
            bench.install(State("tip", {}))
    assert error.value.message == f"the kselftests do not build, tip: {why}"
    assert f"{said}\n" in error.value.log
