# SPDX-License-Identifier: GPL-2.0-only
"""A kernel that was committed with what a build left of it is exported without."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.kernel import cache
from dmabuf_patchgen.tree.source import GitTree
from tests import tiny
from tests.repos import git

#: Of sources and of what looks like a product and is none.
SOURCES = {
    "scripts/basic/fixdep.c": "int main(void);\n",
    "scripts/checkpatch.pl": "#!/usr/bin/perl\n",
    "scripts/extract-cert": "#!/bin/sh\n",
    "include/linux/config.h": "/* */\n",
    "drivers/wifi/blob.o_shipped": "blob",
    "drivers/dma-buf/modules.c": "int x;\n",
    "arch/arm64/include/asm/generated.h": "/* */\n",
    "usr/include/Makefile": "# headers\n",
}
PRODUCTS: Mapping[str, str | bytes] = {
    ".config": "CONFIG_ARM64=y\n",
    "include/config/auto.conf": "CONFIG_ARM64=y\n",
    "include/generated/autoconf.h": "#define CONFIG_ARM64 1\n",
    # Of another architecture than the one that is built.
    "arch/arm64/include/generated/asm/dma.h": "#include <asm-generic/dma.h>\n",
    "drivers/dma-buf/dma-buf.o": b"\x7fELF",
    "drivers/dma-buf/.dma-buf.o.cmd": "cmd\n",
    "drivers/dma-buf/built-in.a": b"!<arch>\n",
    "drivers/dma-buf/modules.order": "",
    "drivers/dma-buf/a.mod.c": "",
    "scripts/basic/fixdep": b"\x7fELF...",
    "scripts/kconfig/conf": "#!/bin/sh\n",
    "scripts/kconfig/.conf.cmd": "cmd\n",
    "scripts/kconfig/parser.tab.c": "",
}


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    place = tiny.write(tmp_path / "linux", {**SOURCES, **PRODUCTS})
    git(place, "init", "-q", "--initial-branch=main")
    git(place, "add", "-A", "-f")
    git(place, "-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "-q", "-m", "all")
    return place


def test_sources_stay(repo: Path) -> None:
    tree = GitTree(repo, "main")
    with cache.source_of(tree) as (root, name):
        found = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
        assert found - {"seal.json"} == {*SOURCES}
        assert not (root / "include/config").exists()
    # It is that tree all the same, which is read as it was committed.
    assert name == tree.id and tree.read(".config") == b"CONFIG_ARM64=y\n"
    assert git(repo, "status", "--porcelain") == ""


def test_an_export_that_fails_leaves_nothing(repo: Path, tmp_path: Path) -> None:
    lost = git(repo, "rev-parse", "main:scripts/basic/fixdep.c").strip()
    (repo / ".git/objects" / lost[:2] / lost[2:]).unlink()
    with (
        pytest.raises(UserError, match="checkout-index failed"),
        cache.source_of(GitTree(repo, "main")),
    ):
        pass
    left = tmp_path / "cache/dmabuf-patchgen/trees"
    assert [path.name for path in left.iterdir() if path.is_dir()] == []
