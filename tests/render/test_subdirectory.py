# SPDX-License-Identifier: GPL-2.0-only
"""A series for a kernel in a subdirectory: a branch and patches of the whole repository."""

import json
from pathlib import Path

import pytest

from tests import repos, tiny
from tests.conftest import Cli
from tests.repos import git
from tests.tiny import Toy

PREFIX = "vendor/ä linux"
CHANGED = ("drivers/dma-buf/Makefile", "drivers/dma-buf/dma-buf.c", "drivers/dma-buf/dma-toy.c")


@pytest.fixture
def kernel(tmp_path: Path, identity: str) -> Path:
    return repos.below(tiny.repo(tmp_path), tmp_path / "project", PREFIX)


@pytest.fixture
def toy(cli: Cli, tmp_path: Path) -> Toy:
    return tiny.toy(cli, tmp_path)


def test_the_branch_has_all_of_the_repository(kernel: Path, toy: Toy, tmp_path: Path) -> None:
    alone = tmp_path / "linux"
    for place in (kernel, alone):
        done = toy("-C", place, "render", "toy", "--branch", "topic")
        assert done.returncode == 0, done.stderr
    # In it the kernel is as it would be by itself, and the rest as it was.
    assert git(kernel, "rev-parse", f"topic:{PREFIX}") == git(alone, "rev-parse", "topic:")
    changed = git(kernel, "diff", "-z", "--name-only", "master", "topic~1").split("\0")[:-1]
    assert changed == [f"{PREFIX}/{path}" for path in CHANGED]
    assert git(kernel, "status", "--porcelain") == ""
    assert git(kernel, "merge-base", "topic", "master") == git(kernel, "rev-parse", "master")


def test_patches_are_those_of_the_branch(kernel: Path, toy: Toy, tmp_path: Path) -> None:
    done = toy("-C", kernel, "render", "toy", "--branch", "topic", "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert f"paths are from the repository's root, below {PREFIX}: " in done.stdout
    git(kernel, "checkout", "-q", "-b", "applied")
    patches = sorted((tmp_path / "out").glob("*.patch"))
    who = ("-c", "user.name=T", "-c", "user.email=t@example.org")
    git(kernel.parent.parent, *who, "am", "-q", *map(str, patches))
    assert git(kernel, "rev-parse", "applied^{tree}") == git(kernel, "rev-parse", "topic^{tree}")
    # What is told for other trees is so: a kernel by itself takes them.
    assert "elsewhere, git am -p3" in done.stdout
    alone = tmp_path / "linux"
    git(alone, *who, "am", "-q", "-p3", *map(str, patches))
    assert git(alone, "rev-parse", "HEAD:") == git(kernel, "rev-parse", f"topic:{PREFIX}")


def test_diff_shows_the_same(kernel: Path, toy: Toy, tmp_path: Path) -> None:
    done = toy("-C", kernel, "render", "toy", "--diff")
    assert f"\n--- a/{PREFIX}/drivers/dma-buf/dma-buf.c\t\n" in done.stdout
    assert f"\n+++ b/{PREFIX}/drivers/dma-buf/dma-toy.c\t\n" in done.stdout
    written = toy("-C", kernel, "render", "toy", "-o", tmp_path / "out", "--json")
    assert json.loads(written.stdout)["tree"] == f"{kernel} at HEAD"
    patches = sorted((tmp_path / "out").glob("*.patch"))
    assert done.stdout == "".join(path.read_text() for path in patches)


def test_a_kernel_that_is_not_checked_out(kernel: Path, toy: Toy) -> None:
    whole = toy("-C", kernel, "render", "toy", "--diff").stdout
    git(kernel.parent.parent, "sparse-checkout", "set", "--no-cone", "/README")
    kernel.mkdir(parents=True, exist_ok=True)
    assert not any(kernel.iterdir())
    assert toy("-C", kernel, "render", "toy", "--diff").stdout == whole
