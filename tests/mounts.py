# SPDX-License-Identifier: GPL-2.0-only
"""A program in a mount namespace of its own, with a small file system where a test wants one."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT

_NO_MOUNT = 77


def python(place: Path, options: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run Python where a file system in memory is mounted on a directory.

    options: of the mount; arguments: of Python. Skips the test where nothing may be mounted.
    """
    if not shutil.which("unshare"):
        pytest.skip("unshare is not installed")
    mount = shlex.join(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)])
    mapped = [] if os.geteuid() == 0 else ["--map-root-user"]
    done = subprocess.run(
        ["unshare", "--mount", *mapped, "sh", "-c", f'{mount} || exit {_NO_MOUNT}; exec "$@"',
         "sh", sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    # unshare says 1 where it may not, and so may Python, but not with these words.
    if done.returncode == _NO_MOUNT or done.stderr.startswith("unshare:"):
        pytest.skip("no right to mount a file system")
    return done
