# SPDX-License-Identifier: GPL-2.0-only
"""Which programs a result came from: by what is in them, as two may tell one version."""

import functools
import hashlib
import os
import shutil
from pathlib import Path


def named(variable: str) -> str:
    """What the environment has for a variable of make that names programs, empty for nothing.

    A path from the current directory is told from the root, as make and Kconfig run elsewhere.
    """
    value = os.environ.get(variable, "")
    first, space, rest = value.partition(" ")
    return (
        f"{Path.cwd() / first}{'/' * first.endswith('/')}{space}{rest}" if "/" in first else value
    )


def digest(*names: str) -> str:
    """A hash of the content of some programs; of a name that is none there, its lack counts.

    names: as a shell would take them, or paths.
    """
    state = hashlib.sha256()
    for name in names:
        found = shutil.which(name)
        state.update(f"{name}\0{_content(Path(found).resolve()) if found else ''}\0".encode())
    return state.hexdigest()


def _content(path: Path) -> str:
    stat = path.stat()
    return _hash(path, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


@functools.cache
def _hash(path: Path, *_state: int) -> str:
    """Once a run: 0.05 s for a compiler."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
