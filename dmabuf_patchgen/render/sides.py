# SPDX-License-Identifier: GPL-2.0-only
"""The two sides of a hunk in a file: where its old lines are, and where its new ones are already.

Tokens of C are compared as what they are: code with code, comments with comments.
"""

import re
from functools import cached_property

from dmabuf_patchgen.render.patch_text import Hunk
from dmabuf_patchgen.render.place import Place, Source
from dmabuf_patchgen.tree.lexical import Lexical, Word, kinds
from dmabuf_patchgen.tree.tokens import Span, Tokens

#: A line within a comment, as the kernel writes it, or what opens one.
_OPENS = re.compile(rb"/\*|//")
_STARRED = re.compile(rb"\s*\*(?:\s|/|$)")


class Sides:
    """Where a file has the old and the new side of a hunk, within the scope of its place.

    old, new: matches, each with the places of its tokens.
    """

    def __init__(self, hunk: Hunk, source: Source, place: Place) -> None:
        self._hunk = hunk
        self._source = source
        self._scope = place.scope
        self._begins_in_comment = False
        if source.is_c:
            self._begins_in_comment = place.comment or _within_comment(hunk)
        self.old = self._found(" -")
        self.new = self._found(" +")
        if not self.old and not self.new and self._begins_in_comment:
            # A line may begin with a star that multiplies.
            self._begins_in_comment = False
            self.old, self.new = self._found(" -"), self._found(" +")

    def in_comment(self, start: int, end: int) -> bool:
        """Whether the + lines among start..end of the hunk begin within a comment."""
        at = 0
        for index, (sign, text) in enumerate(self._hunk.lines):
            if sign == "+" and start <= index < end:
                break
            at += len(text) + 1 if sign in " +" else 0
        return self._new.comment(at + len(self._opened)) is not None

    @property
    def _opened(self) -> bytes:
        return b"/*\n" if self._begins_in_comment else b""

    @cached_property
    def _new(self) -> Lexical:
        return Lexical(self._opened + self._hunk.text(" +"))

    def _found(self, signs: str) -> list[list[Span]]:
        if not self._source.is_c:
            return Tokens(self._source.body, self._scope).find(self._hunk.side(signs))
        typed: list[Word] = kinds(self._hunk.text(signs), self._begins_in_comment)
        return self._source.c.matches(typed, self._scope) if typed else []


def _within_comment(hunk: Hunk) -> bool:
    """Whether the first lines of a hunk are those of a comment that was opened above them."""
    for _, text in hunk.lines:
        if _STARRED.match(text) or (b"*/" in text and b"/*" not in text):
            return True
        if _OPENS.search(text):
            return False
    return False
