# SPDX-License-Identifier: GPL-2.0-only
"""Compiled templates, kept between runs: compiling them takes longer than rendering."""

import hashlib
import marshal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from jinja2 import BytecodeCache, __version__
from jinja2.bccache import Bucket

_DIGEST = hashlib.sha256().digest_size


class Compiled(BytecodeCache):
    """Templates as code in a directory, a file for each.

    A file begins with a hash of the template's source, of the Python and Jinja that compiled it
    and of the code. What has another one, was cut short or cannot be read is compiled again.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def load_bytecode(self, bucket: Bucket) -> None:
        with suppress(OSError, ValueError, EOFError, TypeError):
            kept = self._path(bucket).read_bytes()
            code = kept[_DIGEST:]
            if kept[:_DIGEST] == _digest(bucket, code):
                bucket.code = marshal.loads(code)  # noqa: S302 - code of our own

    def dump_bytecode(self, bucket: Bucket) -> None:
        code = marshal.dumps(bucket.code)
        # Without it, rendering only takes longer.
        with suppress(OSError):
            self._directory.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._directory, delete=False) as file:
                file.write(_digest(bucket, code) + code)
            Path(file.name).replace(self._path(bucket))

    def _path(self, bucket: Bucket) -> Path:
        return self._directory / bucket.key


def _digest(bucket: Bucket, code: bytes) -> bytes:
    compilers = f"{sys.version} {__version__} {bucket.checksum}"
    return hashlib.sha256(compilers.encode() + b"\0" + code).digest()
