# SPDX-License-Identifier: GPL-2.0-only
"""What a repository's configuration would have git run is not run by prep either."""

from pathlib import Path

import pytest

from tests.conftest import SmallRepo
from tests.developer import BRANCH, REF, Developer
from tests.planted import Planted
from tests.repos import Kind, git


@pytest.fixture
def developer(small_repo: SmallRepo, home: Path, identity: str) -> Developer:
    return Developer(small_repo(kind=Kind.UNCHECKED), home)


def test_two_versions_run_none(developer: Developer, tmp_path: Path) -> None:
    """At a next version patches are compared, which is where textconv ran."""
    planted = Planted(developer.repo, tmp_path / "planted")
    developer.prep()
    assert planted.run() == set()
    developer.tag_as_sent()
    developer.prep("-n", "-p", "severity=debug")
    assert planted.run() == set()
    said = developer.prep("-p", "severity=debug")
    assert planted.run() == set()
    assert f"branch {BRANCH} is v2" in said
    assert "- changed: dma-buf: warn about" in developer.config()["description"]
    # The control: git itself runs it for each file of these patches.
    git(developer.repo, "-c", "log.showSignature=false", "log", "-p", "--no-ext-diff",
        f"master..{REF}")  # fmt: skip
    assert planted.run() >= {"diff.planted.textconv"}
