# SPDX-License-Identifier: GPL-2.0-only
"""prep with the checks as they are: run once for a series, and heeded."""

import shutil
from pathlib import Path

import pytest

from tests import repos
from tests.conftest import CACHE, Cli

BRANCH = "b4/dma-buf-pfnmap"


@pytest.fixture
def repo(kernel_repo: Path, tmp_path: Path, identity: str) -> Path:
    """A user's clone that can be built from."""
    repo = tmp_path / "linux"
    repos.git(tmp_path, "clone", "-q", "--shared", "--no-checkout", str(kernel_repo), str(repo))
    # A name of its own makes patches that no earlier run has a verdict on.
    repos.git(repo, "config", "user.name", f"A. Developer {tmp_path.name} {repo.stat().st_ino}")
    return repo


def test_a_series_is_checked_once(repo: Path, cli: Cli) -> None:
    verdicts = CACHE / "verdicts"
    before = {*verdicts.glob("*/")}
    try:
        done = cli("-C", repo, "prep", "dma-buf-pfnmap")
        assert done.returncode == 0, done.stderr
        assert "checked before" not in done.stdout
        # The table, with a column per check.
        assert "checkpatch" in done.stdout and "sparse" in done.stdout and "seconds" in done.stdout
        cover = repos.git(repo, "config", f"branch.{BRANCH}.description")
        assert "a build\nwith W=1" in cover or "a build with W=1" in cover
        assert len({*verdicts.glob("*/")} - before) == 1
        again = cli("-C", repo, "prep", "dma-buf-pfnmap")
        assert again.returncode == 0, again.stderr
        assert "checked before, nothing found: checkpatch, kernel-doc, build" in again.stdout
        assert repos.git(repo, "config", f"branch.{BRANCH}.description") == cover
    finally:
        for place in {*verdicts.glob("*/")} - before:
            shutil.rmtree(place)
