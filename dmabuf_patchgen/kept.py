# SPDX-License-Identifier: GPL-2.0-only
"""A file that saves the next run some time: taken as it was written, or not at all.

A directory that is kept has a seal of its own, see kernel/seal.py.
"""

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

_DIGEST = hashlib.sha256().digest_size


def load(place: Path) -> bytes | None:
    """What a file was written with; None if there is none, or it is damaged."""
    try:
        whole = place.read_bytes()
    except OSError:
        return None
    body = whole[_DIGEST:]
    return body if whole[:_DIGEST] == hashlib.sha256(body).digest() else None


def save(place: Path, body: bytes, *, siblings: int | None = None) -> None:
    """Write a file, whole or not at all; where nothing can be kept, nothing is.

    siblings: so many files of its directory are kept, those written last; None for all.
    """
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=place.parent, prefix=".kept-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(body).digest() + body)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(place)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        if siblings is not None:
            _evict(place.parent, siblings)


def _evict(directory: Path, most: int) -> None:
    written = sorted(directory.iterdir(), key=lambda path: path.stat().st_mtime)
    for old in written[:-most]:
        old.unlink(missing_ok=True)
