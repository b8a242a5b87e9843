# SPDX-License-Identifier: GPL-2.0-only
"""Line ends: a tree that was committed with CRLF is edited as one with LF, and given back so."""

import difflib


def has_crlf(body: bytes) -> bool:
    """Whether any line ends in CRLF."""
    return b"\r\n" in body


def mostly_crlf(body: bytes) -> bool:
    """Whether more of the lines end in CRLF than do not, so that a new one should."""
    return 2 * body.count(b"\r\n") > body.count(b"\n")


def with_lf(body: bytes) -> bytes:
    """The file with LF for every line end."""
    return body.replace(b"\r\n", b"\n")


def with_crlf(body: bytes) -> bytes:
    """The file, which has LF, with CRLF for every line end."""
    return body.replace(b"\n", b"\r\n")


def as_before(before: bytes, after: bytes) -> bytes:
    """An edited file, which has LF, with the line ends of the file before it.

    Lines that are the same keep theirs, and new ones get what most lines have: a file of
    both kinds differs in no line that the edit did not touch.
    """
    if not has_crlf(before):
        return after
    new = with_crlf if mostly_crlf(before) else bytes
    if before.count(b"\r\n") == before.count(b"\n"):
        return with_crlf(after)
    had, now = _lines(before), _lines(after)
    old = [with_lf(line) for line in had]
    lines: list[bytes] = []
    for kind, i, j, k, m in difflib.SequenceMatcher(None, old, now, autojunk=False).get_opcodes():
        lines += had[i:j] if kind == "equal" else [new(line) for line in now[k:m]]
    return b"".join(lines)


def _lines(body: bytes) -> list[bytes]:
    # Not splitlines(), for which a CR in mid-line ends one as well.
    lines = [line + b"\n" for line in body.split(b"\n")]
    return [*lines[:-1], lines[-1][:-1]]
