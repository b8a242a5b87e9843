# SPDX-License-Identifier: GPL-2.0-only
"""A repository that is made of a source is there as a whole, or it is told why not."""

import os
import shutil
from pathlib import Path

import pytest

from dmabuf_patchgen.debian.repository import imported
from dmabuf_patchgen.errors import UserError
from tests.tools import put


@pytest.mark.parametrize(
    ("end", "why"),
    [("kill -9 $$", "exit code -9"), ("echo 'fatal: no space' >&2; exit 128", "fatal: no space")],
)
def test_a_git_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str, why: str
) -> None:
    """One that is killed has no last word."""
    real = shutil.which("git")
    put(
        tmp_path / "bin",
        "git",
        f'case " $* " in *" fast-import "*) {end} ;; esac\nexec {real} "$@"',
    )
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    root = tmp_path / "root"
    root.mkdir()
    (root / "Makefile").write_text("VERSION = 6\n")
    place = tmp_path / "made/repository"
    with pytest.raises(UserError, match=f"git fast-import failed: {why}$"):
        imported(root, place, "Linux 6.1")
    assert not [*place.parent.iterdir()]
    monkeypatch.undo()
    assert imported(root, place, "Linux 6.1") == place and place.is_dir()
