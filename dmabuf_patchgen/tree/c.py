# SPDX-License-Identifier: GPL-2.0-only
"""A C file, parsed: what is defined in it, what does not parse, where tokens are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property, lru_cache

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.tree import parser
from dmabuf_patchgen.tree.conditionals import Branch
from dmabuf_patchgen.tree.definition import Definition, definitions
from dmabuf_patchgen.tree.lexical import Lexical, Word
from dmabuf_patchgen.tree.tokens import Span, Tokens, words

#: Bytes. The syntax tree of a file is some 80 times as large; mainline's largest file with code
#: has less than 1 MB, and only generated tables of registers have more than this.
_LARGEST = 4 << 20
_COMMENT = re.compile(rb"/\*.*?\*/", re.S)
_INCLUDED = re.compile(r"<[^>]+>|\"[^\"]+\"")


@lru_cache(maxsize=64)
def parse(body: bytes) -> CFile:
    """A C file, parsed once however often it is asked about: most patches leave most files be.

    Raises UserError for one that is larger than any that people write.
    """
    if len(body) > _LARGEST:
        raise UserError(
            f"a C file of {len(body) / (1 << 20):.1f} MB is not parsed",
            f"the largest that is has {_LARGEST >> 20} MB",
        )
    return CFile(body)


class CFile:
    """A C file and where things are in it; `parse` makes them."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        #: The same file as its characters are read.
        self.lexical = Lexical(body)
        #: The root of its syntax.
        self.root = parser.syntax(self.lexical.without_dead())

    @cached_property
    def definitions(self) -> tuple[Definition, ...]:
        """What the file defines and declares at file scope, in order, where it is compiled."""
        return tuple(definitions(self.root))

    @cached_property
    def errors(self) -> tuple[Span, ...]:
        """Stretches that do not parse."""
        return tuple(parser.errors(self.root))

    def named(self, kind: str, name: str) -> list[Definition]:
        """Definitions of a kind and name; more than one under #ifdef, say."""
        return [d for d in self.definitions if d.kind == kind and d.name == name]

    def defined_more_than_once(self) -> Counter[tuple[str, str]]:
        """How often each thing is defined, for what may be defined only once."""
        once = ("function", "struct", "union", "enum", "define", "typedef")
        found = Counter((d.kind, d.name) for d in self.definitions if d.kind in once)
        return Counter({key: count for key, count in found.items() if count > 1})

    def in_error(self, span: Span) -> Span | None:
        """The error that touches a stretch, if any; one of no width touches its end as well."""
        for error in self.errors:
            # What is missing at the end of a definition is reported right behind it.
            end = span.end + (error.start == error.end)
            if error.start < end and span.start < max(error.end, error.start + 1):
                return error
        return None

    def error_words(self, error: Span) -> tuple[bytes, ...]:
        """The tokens of an error, comments aside: what tells it from another one."""
        return tuple(words(_COMMENT.sub(b" ", self.body[error.start : error.end])))

    def base(self, offset: int) -> tuple[Branch, ...]:
        """The #if that the function, struct, union or enum around a byte stands under."""
        for definition in self.definitions:
            inside = definition.span.start <= offset < definition.span.end
            if inside and definition.kind in ("function", "struct", "union", "enum"):
                return self.lexical.branches(definition.span.start)
        return ()

    def matches(self, wanted: Sequence[Word], scope: Span) -> list[list[Span]]:
        """Where a stretch has tokens, each in code, a comment or a string as it is wanted.

        What is never compiled has none.
        """
        tokens = self.tokens(scope)
        found = []
        for spans in tokens.find([word for word, _ in wanted]):
            if self.lexical.live(spans[0].start) and all(
                self.lexical.kind(span.start) is kind
                for span, (_, kind) in zip(spans, wanted, strict=True)
            ):
                found.append(spans)
        return found

    def in_directive(self, span: Span) -> bool:
        """Whether a stretch begins in a line of the preprocessor."""
        return self.lexical.directive(span.start) is not None

    def tokens(self, span: Span) -> Tokens:
        """Tokens of a stretch of this file."""
        return Tokens(self.body, span)

    def includes(self) -> list[tuple[str, Span]]:
        """#include lines that are under no #if: the path with its signs, and the line."""
        found = []
        for directive in self.lexical.directives:
            if directive.name == b"include" and self.lexical.live(directive.span.start):
                path = _INCLUDED.match(directive.expression)
                if path and not self.lexical.branches(directive.span.start):
                    found.append((path[0], directive.span))
        return found
