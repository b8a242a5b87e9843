# SPDX-License-Identifier: GPL-2.0-only
"""A build that is prepared once serves until it, its tree or its tools are another."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dmabuf_patchgen.kernel import kbuild
from dmabuf_patchgen.tree.source import DirectoryTree
from tests import damage
from tests.tools import Toolchain, put

#: Of a kernel with one object, which is a copy of its source.
MAKEFILE = """\
.PHONY: drivers/dma-buf/
tinyconfig olddefconfig prepare headers: ;
drivers/dma-buf/:
	@cp source $(O)/object
"""

Prepared = Callable[..., int]


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prepared:
    """Opens the build of a small tree; how often one was prepared up to now."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tools = Toolchain(tmp_path / "bin", monkeypatch)
    tree = tmp_path / "tree"
    (tree / "scripts").mkdir(parents=True)
    (tree / "Makefile").write_text(MAKEFILE)
    put(tree / "scripts/kconfig", "merge_config.sh")
    said: list[str] = []

    def progress(line: str) -> None:
        if line.startswith("preparing a build of "):
            said.append(line)

    def run(source: str = "1", gcc: str = "gcc", sparse: str = "sparse") -> int:
        tools.choose(gcc, sparse)
        (tree / "source").write_text(source)
        with kbuild.prepared(DirectoryTree(tree), (), progress) as (build, _):
            assert (build.out / "object").read_text() == source
            # What is done to it is done to a copy.
            (build.out / "object").write_text("spoilt")
        return len(said)

    return run


def test_it_is_prepared_once(prepared: Prepared) -> None:
    assert [prepared(), prepared()] == [1, 1]
    assert [prepared("2"), prepared("2"), prepared()] == [2, 2, 3]


def test_other_tools_of_the_same_version_prepare_it_again(prepared: Prepared) -> None:
    assert [prepared(), prepared(gcc="another"), prepared(sparse="another")] == [1, 2, 3]


@pytest.mark.parametrize("what", damage.DAMAGES)
def test_what_was_damaged_is_prepared_again(prepared: Prepared, tmp_path: Path, what: str) -> None:
    number = prepared()
    (ready,) = (tmp_path / "cache/dmabuf-patchgen/build").glob("*/ready")
    for path in [*damage.files(ready)]:
        damage.DAMAGES[what](path)
        number += 1
        assert [prepared(), prepared()] == [number, number]
    assert number == 4
