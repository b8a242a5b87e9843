# SPDX-License-Identifier: GPL-2.0-only
"""Where the templates are: in the wheel, or in the checkout that is being worked on."""

from functools import cache
from importlib.resources import files
from pathlib import Path

import dmabuf_patchgen
from dmabuf_patchgen.errors import UserError


@cache
def templates() -> Path:
    """The directory of templates. Raises UserError if neither wheel nor checkout has it."""
    inside = Path(str(files(dmabuf_patchgen))) / "_data" / "templates"
    checkout = Path(dmabuf_patchgen.__file__).parent.parent / "templates"
    for place in (inside, checkout):
        if place.is_dir():
            return place
    raise UserError(f"no templates at {inside}", "install dmabuf-patchgen again")
