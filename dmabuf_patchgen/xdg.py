# SPDX-License-Identifier: GPL-2.0-only
"""Where this project keeps files of its own (XDG Base Directory Specification)."""

import os
from pathlib import Path


def cache() -> Path:
    """What was fetched and built, and can be again: dmabuf-patchgen under XDG_CACHE_HOME."""
    said = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The specification has a relative path ignored.
    return (said if said.is_absolute() else Path.home() / ".cache") / "dmabuf-patchgen"
