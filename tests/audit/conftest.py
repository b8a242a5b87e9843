# SPDX-License-Identifier: GPL-2.0-only
"""Audits of toys are kept beside nobody's own."""

from pathlib import Path

import pytest

#: Fixtures that are a whole tree, whose audit the next run may have.
_WHOLE = {"linux_612", "row", "oldest_510", "oldest_61"}


@pytest.fixture(autouse=True)
def cache(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of its own for a test that audits no whole tree."""
    if not _WHOLE & {*request.fixturenames}:
        monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
