# SPDX-License-Identifier: GPL-2.0-only
"""Compiled templates, kept between runs: compiling them takes longer than rendering."""

import hashlib
import marshal
import sys
from pathlib import Path

from jinja2 import BytecodeCache, __version__
from jinja2.bccache import Bucket

from dmabuf_patchgen import kept


class Compiled(BytecodeCache):
    """Templates as code in a directory, a file for each.

    A file begins with a hash of the template's source and of the Python and Jinja that compiled
    it. What has another one, or is damaged, is compiled again.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def load_bytecode(self, bucket: Bucket) -> None:
        whole, key = kept.load(self._path(bucket)), _key(bucket)
        if whole and whole.startswith(key):
            bucket.code = marshal.loads(whole[len(key) :])  # noqa: S302 - code of our own

    def dump_bytecode(self, bucket: Bucket) -> None:
        kept.save(self._path(bucket), _key(bucket) + marshal.dumps(bucket.code))

    def _path(self, bucket: Bucket) -> Path:
        return self._directory / bucket.key


def _key(bucket: Bucket) -> bytes:
    about = f"{sys.version} {__version__} {bucket.checksum}"
    return hashlib.sha256(about.encode()).digest()
