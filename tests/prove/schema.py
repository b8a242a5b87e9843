# SPDX-License-Identifier: GPL-2.0-only
"""The published schema of evidence, as other readers hold a file against it."""

import json
from pathlib import Path

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from dmabuf_patchgen import prove

TEXT = (Path(prove.__file__).parent / "data/evidence.schema.json").read_text(encoding="utf-8")
SCHEMA = Draft202012Validator(json.loads(TEXT))
