# SPDX-License-Identifier: GPL-2.0-only
"""Where this project keeps files of its own (XDG Base Directory Specification)."""

import os
from pathlib import Path

from dmabuf_patchgen.errors import UserError


def cache() -> Path:
    """What was fetched and built, and can be again: dmabuf-patchgen under XDG_CACHE_HOME.

    Raises UserError for a user without a home.
    """
    chosen = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The specification has a relative path ignored.
    if chosen.is_absolute():
        return chosen / "dmabuf-patchgen"
    try:
        return Path.home() / ".cache" / "dmabuf-patchgen"
    except RuntimeError:
        raise UserError(
            "no home directory: HOME is not set, and this user has no entry in passwd",
            "set HOME, or XDG_CACHE_HOME for what is kept between runs",
        ) from None
