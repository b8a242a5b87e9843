# SPDX-License-Identifier: GPL-2.0-only
"""The trailers below a commit's message: git-interpret-trailers(1), as b4 reads and adds them."""

import re

_TRAILER = re.compile(r"^[A-Za-z][\w-]*: \S")
#: What stands among trailers without being one: a folded line, and a maintainer's note.
_AMONG = re.compile(r"^(\s+\S|\[.*\]$)")
#: What somebody says of the very patch that they were shown, submitting-patches.rst; a name that
#: is made of several, as Reviewed-and-tested-by, says all of it.
_VOUCHES = re.compile(r"^(?:[A-Za-z]+-)*(?:acked|reviewed|tested)(?:-and-\w+)*-by: ", re.I)


def split(message: str) -> tuple[str, tuple[str, ...]]:
    """A message without its trailers, and these; a folded one is one.

    The subject is never taken for a trailer.
    """
    text = message.strip("\n")
    body, gap, last = text.rpartition("\n\n")
    lines = last.split("\n")
    if not gap or not _TRAILER.match(lines[0]):
        return text, ()
    found: list[str] = []
    for line in lines:
        if _TRAILER.match(line) or line.startswith("["):
            found.append(line)
        elif _AMONG.match(line):
            found[-1] += f"\n{line}"
        else:
            return text, ()
    return body, tuple(found)


def joined(body: str, trailers: tuple[str, ...]) -> str:
    """A message of both, which ends with a newline."""
    return "\n\n".join(filter(None, [body, "\n".join(trailers)])) + "\n"


def vouches(trailer: str) -> bool:
    """Whether a trailer holds for the patch that its giver saw, and for no other."""
    return bool(_VOUCHES.match(trailer))


def merged(old: tuple[str, ...], theirs: tuple[str, ...], new: tuple[str, ...]) -> tuple[str, ...]:
    """Trailers that both sides want, in the order of the user's side.

    old: before either side touched them. What is new on the other side stands where it does there:
    behind that which it follows, else at the end.
    """
    if theirs == old:
        return new
    kept = [one for one in theirs if one in new or one not in old]
    for at, one in enumerate(new):
        if one not in old and one not in kept:
            before = (kept.index(other) for other in reversed(new[:at]) if other in kept)
            kept.insert(next(before, len(kept) - 1) + 1, one)
    return tuple(kept)
