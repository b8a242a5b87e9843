# SPDX-License-Identifier: GPL-2.0-only
"""Places in C by syntax: functions, structs, fields, cases, comments, found with tree-sitter.

Macros leave local ERROR nodes in most kernel files, so "the file parses" is no condition;
what is asked is that no error lies on a place, and that an edit adds none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING

from dmabuf_patchgen.errors import UserError, Why
from dmabuf_patchgen.tree import flow
from dmabuf_patchgen.tree.lexical import CONDITIONALS, Branch, Doubt, Kind, Lexical, Word
from dmabuf_patchgen.tree.tokens import Span, Tokens, line_number, words

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

#: Bytes. The syntax tree of a file is some 80 times as large; mainline's largest file with code
#: has less than 1 MB, and only generated tables of registers have more than this.
_LARGEST = 4 << 20
# Nodes that may hold definitions of file scope.
_HOLDERS = frozenset(
    {
        "translation_unit",
        "preproc_if",
        "preproc_ifdef",
        "preproc_else",
        "preproc_elif",
        "linkage_specification",
        "declaration_list",
        "ERROR",
    }
)
_TAGGED = {
    "struct_specifier": "struct",
    "union_specifier": "union",
    "enum_specifier": "enum",
}
# Parents whose children are statements, one after the other.
_BLOCKS = frozenset(
    {
        "compound_statement",
        "case_statement",
        "labeled_statement",
        "preproc_if",
        "preproc_ifdef",
        "preproc_else",
        "preproc_elif",
    }
)
# What may stand right before a statement, and before a member of a struct or an enum.
_ENDED = (b";", b"{", b"}", b":")
_MEMBER_ENDED = (b";", b"{", b"}", b",")
# What the kernel writes and C's grammar has not: annotations, and loops made by macros. They
# are blanked for the parser, byte for byte, so that offsets stay right.
_ANNOTATION = re.compile(
    rb"(?:__(?:user|iomem|percpu|rcu|force|must_check|always_inline|maybe_unused"
    rb"|(?:mem|net_)?init|(?:mem|net_)?exit|sched|ref|cold|always_unused)"
    rb"|noinline_for_stack|noinline|asmlinkage|notrace)\b"
)
# A slot of a struct whose layout a vendor has frozen, which is a macro and no member to the parser.
_SLOT = re.compile(rb"^[ \t]+\w*KABI_(?:RESERVE|USE)\w*\([^()\n]*\)[ \t]*;?", re.M)
_COMMENT = re.compile(rb"/\*.*?\*/", re.S)
# A type as an argument of a macro, such as container_of() and min_t(), or a parameter without
# a name: as one word it is an expression as well.
_TYPE = re.compile(
    rb"([(,]\s*)((?:const[ \t]+)?(?:(?:struct|union|enum)[ \t]+\w+"
    rb"|(?:(?:unsigned|signed|long|short|int|char)\b[ \t]*)+)[ \t*]*)(?=\s*[,)])"
)
_LOOP = re.compile(rb"^\t+\w*for_each\w*(?=\()", re.M)
_DEFINE = re.compile(rb"#\s*define\s+(\w+)")
_INCLUDED = re.compile(r"<[^>]+>|\"[^\"]+\"")
_BLANK_LINE = re.compile(rb"\n[ \t\r]*\n")


@cache
def _parser() -> Parser:
    import tree_sitter_c
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_c.language()))


def _plain(body: bytes) -> bytes:
    body = _ANNOTATION.sub(_blank_word, body)
    if b"KABI_" in body:
        body = _SLOT.sub(_blank_word, body)
    body = _TYPE.sub(_one_word, body)
    if b"for_each" not in body:
        return body
    return _LOOP.sub(lambda match: b"if".ljust(len(match.group())), body)


def _is_word(byte: bytes) -> bool:
    return byte.isalnum() or byte == b"_"


def _blank_word(match: re.Match[bytes]) -> bytes:
    # Asked here, as a pattern that begins with a sign is found quickly.
    part = _is_word(match.string[max(match.start() - 1, 0) : match.start()])
    return match[0] if part else b" " * len(match[0])


def _one_word(match: re.Match[bytes]) -> bytes:
    before = match.string[max(match.start() - 1, 0) : match.start()]
    if match[0].startswith(b"(") and not _is_word(before):
        # A cast, and no call.
        return match[0]
    word = re.sub(rb"[ \t*]", b"_", match[2].rstrip())
    return match[1] + (word[:1].upper() + word[1:]).ljust(len(match[2]))


@dataclass(frozen=True, slots=True)
class Definition:
    """Something that a file defines or declares at file scope.

    kind: function, declaration, struct, union, enum, typedef, define, enumerator or variable.
    span: the whole of it; a comment above it is not part of it.
    """

    kind: str
    name: str
    span: Span
    node: Node


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
        self._root = _parser().parse(_plain(self.lexical.without_dead())).root_node

    @cached_property
    def definitions(self) -> tuple[Definition, ...]:
        """What the file defines and declares at file scope, in order, where it is compiled."""
        return tuple(self._walk(self._root))

    @cached_property
    def errors(self) -> tuple[Span, ...]:
        """Stretches that do not parse."""
        return tuple(_errors(self._root))

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

    # Where a definition begins and ends.

    def check(self, definition: Definition) -> None:
        """Raise Doubt where it is not certain how far a function, struct, union or enum goes.

        The parser passes over what it cannot read, and may so take in what follows. So its
        reading has to be that of the braces, none of which may stand in column 0 in between.
        """
        body = definition.node.child_by_field_name("body")
        if body is None:
            return
        lexical, opening = self.lexical, body.start_byte
        if lexical.opening(definition.span.start) != opening:
            raise Doubt(
                Why.UNCLEAR_END,
                "has another body to the parser than behind its name",
                definition.span.start,
            )
        closing = lexical.closing(opening)
        if closing is None or closing != body.end_byte - 1:
            read = f"line {line_number(self.body, closing)}" if closing else "no line"
            parsed = line_number(self.body, body.end_byte - 1)
            raise Doubt(
                Why.UNCLEAR_END,
                f"ends in line {parsed} to the parser, and in {read} by its braces",
                definition.span.start,
            )
        early = lexical.in_column_0(opening, closing)
        if early is not None:
            line = line_number(self.body, early)
            raise Doubt(
                Why.UNCLEAR_END,
                f"has a brace in column 0 before its end, line {line}",
                definition.span.start,
            )
        if lexical.branches(opening) != lexical.branches(closing):
            raise Doubt(
                Why.CONDITIONAL, "does not begin and end under the same #if", definition.span.start
            )

    def before(self, definition: Definition) -> int:
        """The line before a definition and all that belongs to it. Raises Doubt.

        That is a type, an attribute or a macro on a line of its own above the name, and the
        comments above.
        """
        if definition.kind == "define":
            directive = self._directive(definition)
            start = directive.start
        else:
            self._one_heading(definition)
            start = self._heading(definition.span.start)
        return self.lexical.outside(self.lexical.with_comments(start), (), after=False)

    def after(self, definition: Definition) -> int:
        """The line behind a definition, its semicolon and the comment behind it. Raises Doubt."""
        if definition.kind == "define":
            end = self._directive(definition).end
        else:
            self._one_heading(definition)
            body = definition.node.child_by_field_name("body")
            end = body.end_byte if body is not None else definition.span.end
            if definition.kind != "function":
                end = self._semicolon(end)
        return self.lexical.outside(self.lexical.line_after(end), (), after=True)

    def _directive(self, definition: Definition) -> Span:
        directive = self.lexical.directive(definition.span.start)
        if directive is None:
            raise Doubt(Why.DOES_NOT_PARSE, "is no directive", definition.span.start)
        return directive.span

    def _one_heading(self, definition: Definition) -> None:
        body = definition.node.child_by_field_name("body")
        opening = body.start_byte if body is not None else definition.span.end
        for directive in self.lexical.directives_in(definition.span.start, opening):
            if directive.name in CONDITIONALS:
                raise Doubt(Why.CONDITIONAL, "has an #if in its heading", directive.span.start)

    def _heading(self, start: int) -> int:
        """The first line of the code that a definition begins with. Raises Doubt."""
        lexical = self.lexical
        first = self.body.rfind(b"\n", 0, start) + 1
        if not _ANNOTATION.sub(b"", self.body[first:start]).strip():
            # The parser does not see an annotation that stands first.
            start = first
        while True:
            line = lexical.line_before(start)
            last = lexical.code_before(line)
            if last < 0 or self.body[last : last + 1] in (b";", b"{", b"}"):
                return line
            gap = lexical.plain(last + 1, line)
            if b"#" not in gap and not _BLANK_LINE.search(gap):
                start = lexical.code_after(max(0, self.body.rfind(b"\n", 0, last) + 1))
                continue
            if self.body[last : last + 1] == b")" and not self._is_attribute(last):
                # A macro that stands for itself, such as module_init(), though without `;`.
                return line
            raise Doubt(Why.UNCLEAR_END, "may begin further up", start)

    def _is_attribute(self, last: int) -> bool:
        """Whether the parenthesis that ends at a byte is that of an attribute."""
        depth = 0
        for at in range(last, -1, -1):
            depth += {b")": 1, b"(": -1}.get(self.body[at : at + 1], 0)
            if not depth:
                word = self.lexical.word_at(self.lexical.code_before(at))
                return word.startswith(b"__") or word == b"asm"
        return True

    def _semicolon(self, end: int) -> int:
        """The byte behind the semicolon that ends what has a body, initial values included."""
        at = self.lexical.code_after(end)
        while self.body[at : at + 1] not in (b";", b"", b"}"):
            if self.body[at : at + 1] == b"{":
                closing = self.lexical.closing(at)
                if closing is None:
                    break
                at = closing
            at = self.lexical.code_after(at + 1)
        if self.body[at : at + 1] != b";":
            raise Doubt(Why.UNCLEAR_END, "has no semicolon behind it", end)
        return at + 1

    def kernel_doc(self, name: str) -> list[Span]:
        """Kernel-doc comments that describe a name, or the DOC: section of that title.

        Rule: Documentation/doc-guide/kernel-doc.rst, a comment that opens with two stars
        and whose first line names what it describes.
        """
        if name.startswith("DOC:"):
            title = rb"DOC:\s*" + re.escape(name[4:].strip().encode()) + rb"\s*\n"
        else:
            title = rb"(?:(?:struct|union|enum|typedef)\s+)?" + re.escape(name.encode()) + rb"\b"
        opening = re.compile(rb"^[ \t]*/\*\*\s*\n?[ \t]*\*?[ \t]*" + title, re.M)
        found = []
        for match in opening.finditer(self.body):
            comment = self.lexical.comment(self.body.index(b"/", match.start()) + 1)
            if comment and comment.start >= match.start() and self.lexical.live(comment.start):
                found.append(Span(match.start(), comment.end))
        return found

    def members(self, definition: Definition) -> list[tuple[str, Span]]:
        """Fields of a struct or union, enumerators of an enum: name and whole lines."""
        found: list[tuple[str, Span]] = []
        for node in _body_nodes(definition.node):
            span = Span(node.start_byte, node.end_byte)
            if node.type == "field_declaration":
                found += [(name, span) for name in _declared_names(node)]
            elif node.type == "enumerator":
                name_node = node.child_by_field_name("name")
                if name_node is not None:
                    found.append((_text(name_node), span))
        return found

    def before_member(self, definition: Definition, member: Span) -> int:
        """The line before a member and the comments that belong to it. Raises Doubt."""
        last = self.lexical.code_before(member.start)
        if self.body[last : last + 1] not in _MEMBER_ENDED:
            raise Doubt(Why.NOT_ALONE, "begins behind something that has not ended", member.start)
        start = self.lexical.with_comments(self.lexical.line_before(member.start))
        return self.lexical.outside(start, self._base(definition), after=False)

    def after_member(self, definition: Definition, member: Span) -> int:
        """The line behind a member, its comma and the comment behind it. Raises Doubt."""
        end = member.end
        if definition.kind == "enum":
            comma = self.lexical.code_after(end)
            end = comma + 1 if self.body[comma : comma + 1] == b"," else end
        elif self.body[end - 1 : end] != b";":
            raise Doubt(Why.UNCLEAR_END, "has no semicolon behind it", member.start)
        return self.lexical.outside(
            self.lexical.line_after(end), self._base(definition), after=True
        )

    def _base(self, definition: Definition) -> tuple[Branch, ...]:
        return self.lexical.branches(definition.span.start)

    def base(self, offset: int) -> tuple[Branch, ...]:
        """The #if that the function, struct, union or enum around a byte stands under."""
        for definition in self.definitions:
            inside = definition.span.start <= offset < definition.span.end
            if inside and definition.kind in ("function", "struct", "union", "enum"):
                return self._base(definition)
        return ()

    # Tokens.

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

    def beside_line(self, line: Span, after: bool) -> int:
        """The line before or behind a line, which has to be whole. Raises Doubt."""
        lexical, body = self.lexical, self.body
        first = (
            line.start
            + len(body[line.start : line.end])
            - len(body[line.start : line.end].lstrip())
        )
        if lexical.kind(first) is Kind.COMMENT:
            return line.end if after else line.start
        directive = lexical.directive(first)
        span = (
            directive.span
            if directive
            else Span(first, line.start + len(body[line.start : line.end].rstrip()))
        )
        point = lexical.line_after(span.end) if after else lexical.line_before(span.start)
        return lexical.outside(point, self.base(first), after)

    def tokens(self, span: Span) -> Tokens:
        """Tokens of a stretch of this file."""
        return Tokens(self.body, span)

    # Statements.

    def before_statement(self, function: Definition, code: Span) -> int:
        """The line before the statement around some code. Raises Doubt."""
        statement = self.statement(function, code)
        start = self.lexical.line_before(statement.start)
        return self.lexical.outside(start, self._base(function), after=False)

    def after_statement(self, function: Definition, code: Span) -> int:
        """The line behind the statement around some code. Raises Doubt."""
        statement = self.statement(function, code)
        self.ended(statement.end)
        return self.lexical.outside(
            self.lexical.line_after(statement.end), self._base(function), after=True
        )

    def statement(self, function: Definition, code: Span) -> Span:
        """The statement around some code of a function, one that others may stand beside.

        Raises Doubt where there is none, or the code is of several.
        """
        body = function.node.child_by_field_name("body")
        node = self._root.descendant_for_byte_range(code.start, code.end - 1)
        if body is None or node is None or code.start <= body.start_byte:
            raise Doubt(Why.MISSING, "stands in no statement", code.start)
        if node.type in _BLOCKS and node.start_byte < code.start:
            raise Doubt(Why.NOT_ALONE, "is of more than one statement", code.start)
        while node.parent is not None and node.parent.type not in _BLOCKS:
            node = node.parent
        if node.start_byte <= body.start_byte or not flow.is_statement(node):
            raise Doubt(Why.MISSING, "stands in no statement", code.start)
        self.begins(node.start_byte)
        return Span(node.start_byte, node.end_byte)

    def begins(self, start: int) -> None:
        """Raise Doubt where a statement is all that an `if`, a loop or an `else` has for a body.

        Macros that loop are no loops to the parser; so the sign before it has to be an end.
        """
        last = self.lexical.code_before(start)
        word = self.lexical.word_at(last)
        if word not in _ENDED:
            line = line_number(self.body, max(last, 0))
            raise Doubt(Why.NOT_ALONE, f"belongs to what stands in line {line}", start)

    def ended(self, end: int) -> None:
        """Raise Doubt where what ends there goes on with an `else`, or does not end at all."""
        following = self.lexical.code_after(end)
        if self.body[end - 1 : end] not in (b";", b"}"):
            raise Doubt(Why.NOT_ALONE, "does not end there", end - 1)
        if re.match(rb"else\b", self.body[following : following + 5]):
            raise Doubt(Why.NOT_ALONE, "goes on with an else", following)

    def innermost(self, code: Span) -> Node | None:
        """The smallest node of the syntax around a stretch."""
        return self._root.descendant_for_byte_range(code.start, code.end - 1)

    def after_declarations(self, function: Definition) -> int:
        """Where the first statement of a function may stand, after its declarations.

        Raises Doubt.
        """
        block = function.node.child_by_field_name("body")
        if block is None:
            raise Doubt(Why.DOES_NOT_PARSE, "has no body that parses", function.span.start)
        last = block.children[0].end_byte
        for node in block.named_children:
            if node.type not in ("declaration", "comment"):
                break
            if node.type == "declaration":
                last = node.end_byte
        return self.lexical.outside(self.lexical.line_after(last), self._base(function), after=True)

    def switch_labels(self, function: Definition, subject: str) -> list[tuple[str, Span]]:
        """Labels of every `switch (subject)` in a function: `case X` or `default`."""
        found = []
        for node in _descend(function.node, "switch_statement"):
            condition = node.child_by_field_name("condition")
            body = node.child_by_field_name("body")
            if condition is None or body is None:
                continue
            if words(condition.text or b"") != words(f"({subject})".encode()):
                continue
            for label in _cases(body):
                value = label.child_by_field_name("value")
                name = f"case {_text(value)}" if value is not None else "default"
                found.append((name, Span(label.start_byte, label.end_byte)))
        return found

    def before_label(self, function: Definition, label: Span) -> int:
        """The line before a label of a switch, and its comments.

        Raises Doubt, also where what stands above runs into it: a new case would catch that.
        """
        node = self._root.descendant_for_byte_range(label.start, label.start + 1)
        while node is not None and node.type != "case_statement":
            node = node.parent
        if node is None or flow.runs_into(node):
            raise Doubt(Why.FALLS_THROUGH, "is run into from above", label.start)
        start = self.lexical.with_comments(self.lexical.line_before(label.start))
        return self.lexical.outside(start, self._base(function), after=False)

    def includes(self) -> list[tuple[str, Span]]:
        """#include lines that are under no #if: the path with its signs, and the line."""
        found = []
        for directive in self.lexical.directives:
            if directive.name == b"include" and self.lexical.live(directive.span.start):
                path = _INCLUDED.match(self.lexical.expression(directive))
                if path and not self.lexical.branches(directive.span.start):
                    found.append((path[0], directive.span))
        return found

    def _walk(self, holder: Node) -> Iterator[Definition]:
        for node in holder.named_children:
            span = Span(node.start_byte, node.end_byte)
            match node.type:
                case "function_definition":
                    for name in _declared_names(node)[:1]:
                        yield Definition("function", name, span, node)
                case "declaration":
                    yield from _tagged(node)
                    for name in _declared_names(node):
                        kind = "declaration" if _is_prototype(node) else "variable"
                        yield Definition(kind, name, span, node)
                case "type_definition":
                    yield from _tagged(node)
                    for name in _declared_names(node):
                        yield Definition("typedef", name, span, node)
                case "struct_specifier" | "union_specifier" | "enum_specifier":
                    yield from _tag(node)
                case "preproc_def" | "preproc_function_def":
                    # A comment in the macro's body can make the parser call it by another word.
                    said = _DEFINE.match(node.text or b"")
                    if said:
                        yield Definition("define", said[1].decode(), span, node)
                case _ if node.type in _HOLDERS:
                    yield from self._walk(node)


def _text(node: Node) -> str:
    return (node.text or b"").decode(errors="replace")


def _tagged(node: Node) -> Iterator[Definition]:
    kind = node.child_by_field_name("type")
    if kind is not None and kind.type in _TAGGED:
        yield from _tag(kind)


def _tag(node: Node) -> Iterator[Definition]:
    body = node.child_by_field_name("body")
    if body is None:
        return
    name = node.child_by_field_name("name")
    if name is not None:
        # Up to the semicolon, so that "after struct X" is after the whole of it.
        after = node.next_sibling
        end = after.end_byte if after is not None and after.type == ";" else node.end_byte
        span = Span(node.start_byte, end)
        yield Definition(_TAGGED[node.type], _text(name), span, node)
    if node.type == "enum_specifier":
        for entry in _body_nodes(node):
            value = entry.child_by_field_name("name")
            if entry.type == "enumerator" and value is not None:
                span = Span(entry.start_byte, entry.end_byte)
                yield Definition("enumerator", _text(value), span, entry)


def _body_nodes(node: Node) -> Iterator[Node]:
    body = node.child_by_field_name("body")
    pending = list(body.named_children) if body is not None else []
    while pending:
        child = pending.pop(0)
        if child.type.startswith("preproc_") or child.type == "ERROR":
            pending[:0] = child.named_children
        else:
            yield child


def _declared_names(node: Node) -> list[str]:
    names = []
    for declarator in node.children_by_field_name("declarator"):
        inner: Node | None = declarator
        while inner is not None and inner.type not in (
            "identifier",
            "field_identifier",
            "type_identifier",
        ):
            deeper = inner.child_by_field_name("declarator")
            if deeper is None:
                # parenthesized_declarator and attributed_declarator name no field.
                deeper = next(
                    (c for c in inner.named_children if "declarator" in c.type), None
                ) or next((c for c in inner.named_children if "identifier" in c.type), None)
            inner = deeper
        if inner is not None:
            names.append(_text(inner))
    return names


def _is_prototype(node: Node) -> bool:
    return any(
        declarator.type == "function_declarator"
        or any(child.type == "function_declarator" for child in declarator.named_children)
        for declarator in node.children_by_field_name("declarator")
    )


def _descend(node: Node, kind: str) -> Iterator[Node]:
    for child in node.named_children:
        if child.type == kind:
            yield child
        yield from _descend(child, kind)


def _cases(body: Node) -> Iterator[Node]:
    for child in body.named_children:
        if child.type == "case_statement":
            yield child
            # tree-sitter hangs a label that follows a label below it.
            yield from (c for c in _cases(child) if c.type == "case_statement")
        elif child.type.startswith("preproc_") or child.type == "ERROR":
            # A label between #if and #endif sits below them.
            yield from _cases(child)


def _errors(node: Node) -> Iterator[Span]:
    if node.type == "ERROR" or node.is_missing:
        yield Span(node.start_byte, node.end_byte)
    elif node.has_error:
        for child in node.children:
            yield from _errors(child)
