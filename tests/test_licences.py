# SPDX-License-Identifier: GPL-2.0-only
"""Every file says under which licence it is, and none records where something was downloaded."""

import fnmatch
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT

LICENCE = "GPL-2.0-only"


def tracked() -> list[str]:
    said = subprocess.run(
        # A checkout of another owner, as in a container, is read all the same.
        ["git", "-c", "safe.directory=*", "-C", str(CHECKOUT), "ls-files", "-z"],
        capture_output=True,
        text=True,
        check=False,
    )
    if said.returncode:
        pytest.skip("not a git checkout")
    return [name for name in said.stdout.split("\0") if name and (CHECKOUT / name).is_file()]


def unlicensed(root: Path, names: list[str]) -> list[str]:
    """Names of the files with neither a line of their own nor an annotation in REUSE.toml."""
    noted = tomllib.loads((root / "REUSE.toml").read_text())["annotations"]
    assert {entry["SPDX-License-Identifier"] for entry in noted} == {LICENCE}
    said = re.compile(rf"SPDX-License-Identifier: {re.escape(LICENCE)}\b".encode())
    return [
        name
        for name in names
        if not name.startswith("LICENSES/")
        and not any(fnmatch.fnmatch(name, path) for entry in noted for path in entry["path"])
        and not said.search(b"\n".join((root / name).read_bytes().split(b"\n")[:5]))
    ]


def test_every_file_names_its_licence() -> None:
    assert unlicensed(CHECKOUT, tracked()) == []


def test_a_file_without_licence_is_found(tmp_path: Path) -> None:
    (tmp_path / "REUSE.toml").write_text((CHECKOUT / "REUSE.toml").read_text())
    (tmp_path / "bare.py").write_text("pass\n")
    (tmp_path / "late.py").write_text("\n" * 9 + f"# SPDX-License-Identifier: {LICENCE}\n")
    (tmp_path / "good.py").write_text(f"# SPDX-License-Identifier: {LICENCE}\n")
    names = ["bare.py", "late.py", "good.py", "patches/x/0001-y.patch"]
    assert unlicensed(tmp_path, names) == ["bare.py", "late.py"]


def test_the_licence_text_is_here() -> None:
    text = (CHECKOUT / "LICENSES" / f"{LICENCE}.txt").read_text()
    assert "Version 2, June 1991" in text and "END OF TERMS AND CONDITIONS" in text


def test_no_lock_file() -> None:
    """A lock file records the addresses of whatever mirror its author happened to use."""
    names = {Path(name).name for name in tracked()}
    assert not {
        name for name in names if re.search(r"(^|[.-])lock(\.|$)|lock\.(json|ya?ml)$", name)
    }
