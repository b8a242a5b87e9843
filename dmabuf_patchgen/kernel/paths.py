# SPDX-License-Identifier: GPL-2.0-only
"""Paths in which kernels are configured and built: not every one will do."""

import os
from pathlib import Path

from dmabuf_patchgen.errors import UserError

#: What make, the shell or a variable of kbuild's takes for something else.
_ODD = frozenset(" \t\n:;#$%&'\"`\\|<>()[]{}*?")


def must_be_plain(place: Path, hint: str) -> None:
    """Refuse a path that make and the shell would not take as it stands. Raises UserError."""
    odd = next((letter for letter in str(place) if letter in _ODD), None)
    if odd is not None:
        raise UserError(f"{place}: make and the shell take no path with {odd!r} in it", hint)


def must_execute(place: Path, hint: str) -> None:
    """Refuse a directory whose programs the system does not run. Raises UserError."""
    if os.statvfs(place).f_flag & os.ST_NOEXEC:
        raise UserError(f"{place}: mounted noexec, and programs in it have to be run", hint)
