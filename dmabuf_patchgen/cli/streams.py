# SPDX-License-Identifier: GPL-2.0-only
"""Standard input, output and error, as whoever starts the command leaves them."""

import contextlib
import io
import json
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def settle() -> None:
    """Have all three streams, whatever was closed, and let no reader who left be an error."""
    for handle in range(3):
        try:
            os.fstat(handle)
        except OSError:
            # The lowest that is free: what is opened next would be taken for it.
            os.open(os.devnull, os.O_RDONLY if handle == 0 else os.O_WRONLY)
    if sys.stdin is None:
        # It stays open for as long as the program runs, as what it stands for does.
        sys.stdin = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)  # noqa: SIM115
    sys.stdout = _settled(sys.stdout, 1, "standard output")
    sys.stderr = _settled(sys.stderr, 2, "standard error")


def _settled(stream: TextIO | None, handle: int, name: str) -> TextIO:
    if stream is not None:
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Output(handle, name)),
        encoding=stream.encoding if stream else "utf-8",
        # Paths come out as they went in.
        errors="backslashreplace" if handle == 2 else "surrogateescape",
        line_buffering=handle == 2 or os.isatty(handle),
    )


def as_json(value: object) -> str:
    """A value for machines. A byte that is not UTF-8, as a path may have, is told by its number.

    That is an escape of JSON, which Python reads as the path that it was.
    """
    return (
        json.dumps(value, indent=1, ensure_ascii=False).encode(errors="backslashreplace").decode()
    )


class _Output(io.FileIO):
    """An output whose reader may leave: what is said to nobody is no failure of the work."""

    def __init__(self, handle: int, name: str) -> None:
        super().__init__(handle, "w", closefd=False)
        self._label = name

    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            # Nothing is tried again when the program ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            if isinstance(error, BrokenPipeError):
                return memoryview(data).nbytes
            raise OSError(error.errno, error.strerror, self._label) from None
