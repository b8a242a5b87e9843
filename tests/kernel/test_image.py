# SPDX-License-Identifier: GPL-2.0-only
"""A kernel is built once for the same files, wherever they lie, and again when it was damaged."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.kernel import architecture, cache, seal
from dmabuf_patchgen.kernel.bootable import State
from dmabuf_patchgen.kernel.configuration import COMMON
from dmabuf_patchgen.kernel.image import Kernels
from dmabuf_patchgen.tree.source import DirectoryTree, GitTree, KernelTree
from tests import damage, faults, repos, tiny
from tests.tools import Toolchain

#: Of a kernel whose image is its source.
MAKEFILE = """\
VERSION = 6
PATCHLEVEL = 12
SUBLEVEL = 0
EXTRAVERSION =
olddefconfig: ;
bzImage:
	@echo '  LD      image'
	@mkdir -p $(O)/arch/x86/boot
	@cat source >$(O)/arch/x86/boot/bzImage
	@[ ! -e {meanwhile} ] || sh {meanwhile}
"""
KCONFIG = 'mainmenu "Small"\nconfig A\n\tbool "A"\n'

Built = Callable[..., int]


@pytest.fixture
def tree(tmp_path: Path) -> DirectoryTree:
    place = tmp_path / "tree"
    place.mkdir()
    (place / "Makefile").write_text(MAKEFILE.format(meanwhile=tmp_path / "meanwhile"))
    (place / "Kconfig").write_text(KCONFIG)
    (place / "source").write_text("one\n")
    return DirectoryTree(place)


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tree: DirectoryTree) -> Built:
    """Builds the kernel of a tree; how often make was asked for one up to now."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tools = Toolchain(tmp_path / "bin", monkeypatch)
    templates = tiny.environment(tmp_path / "templates", {COMMON: "CONFIG_A=y\n"})
    x86 = replace(architecture.here().named("x86_64"), config=())
    said: list[str] = []

    def run(of: KernelTree = tree, gcc: str = "gcc", **options: Any) -> int:
        tools.choose(gcc)

        def progress(line: str) -> None:
            if line.endswith("LD image"):
                said.append(line)

        with Kernels(templates, of, x86, (), (), progress, jobs=1, **options) as kernels:
            kernel = kernels.kernel(State("base", {}))
            assert kernel.image.read_bytes() == of.read("source")
            assert kernel.config.endswith("\nCONFIG_A=y\n")
            assert "LD" in kernel.log
        return len(said)

    return run


def test_a_kernel_is_built_once(built: Built, tree: DirectoryTree) -> None:
    assert [built(), built()] == [1, 1]
    assert [built(kept=False), built()] == [2, 2]
    (tree.root / "source").write_text("two\n")
    assert [built(), built()] == [3, 3]


def test_what_changes_while_it_is_built_is_not_kept(
    built: Built, tree: DirectoryTree, tmp_path: Path
) -> None:
    meanwhile = tmp_path / "meanwhile"
    meanwhile.write_text(f"echo two >{tree.root}/source")
    with pytest.raises(UserError, match="files in it were changed while it was built"):
        built()
    meanwhile.unlink()
    (tree.root / "source").write_text("one\n")
    number = built()
    assert built() == number


def test_kernels_with_kunit_are_built_beside_the_others(built: Built) -> None:
    built()
    assert len([*cache.directory("bootable").glob("*/first")]) == 1
    built(kunit=True, kept=False)
    assert len([*cache.directory("bootable").glob("*/first")]) == 2
    built(kept=False)
    assert len([*cache.directory("bootable").glob("*/first")]) == 2


def test_another_compiler_of_the_same_version_builds_it_again(built: Built) -> None:
    assert [built(), built(gcc="another"), built()] == [1, 2, 2]


def test_the_same_files_in_a_repository_are_the_same_kernel(
    built: Built, tree: DirectoryTree, tmp_path: Path
) -> None:
    built()
    repo = tmp_path / "repo"
    repo.mkdir()
    repos.git(repo, "init", "-q", "--initial-branch=main")
    names = ("Kconfig", "Makefile", "source")
    files = {name: faults.new((tree.root / name).read_text()) for name in names}
    faults.commit(repo, {"base": files})
    assert built(GitTree(repo, "main")) == 1
    faults.commit(repo, {"another": {"source": faults.new("two\n")}})
    assert built(GitTree(repo, "main")) == 2
    (tree.root / "source").write_text("two\n")
    assert built() == 2


@pytest.mark.parametrize("what", damage.DAMAGES)
def test_what_was_damaged_is_built_again(built: Built, tmp_path: Path, what: str) -> None:
    number = built()
    kernels = tmp_path / "cache/dmabuf-patchgen/kernels"
    kept = [path for path in damage.files(kernels) if (path.parent / "image").exists()]
    assert {path.name for path in kept} == {"image", "config", "symbols", "build.log", seal.NAME}
    for path in kept:
        damage.DAMAGES[what](path)
        number += 1
        assert [built(), built()] == [number, number]
    # What was configured is worked out again as well.
    for path in [*damage.files(kernels)]:
        damage.DAMAGES[what](path)
    assert built() == number + 1
