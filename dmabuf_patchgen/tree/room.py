# SPDX-License-Identifier: GPL-2.0-only
"""Room for one file of many, which is searched where it was read: most are not worth a copy."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from io import BufferedReader

#: No link is followed, and what is no file at all, a pipe say, keeps nobody waiting.
_READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

#: memmem(3), which takes two thirds of the time of bytes.find() for words as short as these.
_memmem = ctypes.CDLL(None).memmem
_memmem.restype = ctypes.c_void_p
_memmem.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t)


class Room:
    """Room for a file of at most so many bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._buffer = bytearray(most + 1)
        self._view = memoryview(self._buffer)
        self._at = ctypes.addressof(ctypes.c_char.from_buffer(self._buffer))
        self._size = 0

    @property
    def content(self) -> memoryview:
        """What was read last, until something else is."""
        return self._view[: self._size]

    def read(self, place: str) -> str:
        """Take in a file; the reason why not, empty if it is there."""
        size = 0
        try:
            file = os.open(place, _READING)
            try:
                while size <= self._most and (more := os.readv(file, [self._view[size:]])):
                    size += more
            finally:
                os.close(file)
        except OSError as error:
            return error.strerror or "cannot be read"
        self._size = size
        return "" if size <= self._most else "it has grown meanwhile"

    def take(self, stream: BufferedReader, size: int) -> bool:
        """Take in the next so many bytes of a stream; whether it had them."""
        self._size = size
        with self._view[:size] as part:
            return stream.readinto(part) == size

    def has(self, words: Sequence[bytes]) -> bool:
        """Whether one of some words stands in it."""
        return any(_memmem(self._at, self._size, word, len(word)) for word in words)
