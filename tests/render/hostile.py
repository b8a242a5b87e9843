# SPDX-License-Identifier: GPL-2.0-only
"""Hostile C made from real files, with the right result known by construction.

A place is taken from a file of a kernel tree by plain text: a statement, a member, a label,
a definition or a #define that stands alone on its line. Marks are put where new text would
go before it and behind it. Then the text around is changed as vendors and decades change it,
and the marks move along, or go where no place is left that could be right. So what has to
come out is known without asking the code under test. The judge compares what the compiler's
preprocessor makes of both, on the configurations with and without what was added.
"""

import re
import subprocess
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from hypothesis import strategies as st

BEFORE, BEHIND = "\x01", "\x02"
#: Files above are cut, so that ten thousand cases take minutes.
_LARGE = 30_000
_MARKS = re.compile(f"[{BEFORE}{BEHIND}]")

# What the new text is; nothing in a kernel is called so.
STATEMENT = "patchgen_new(1);"
FUNCTION = "static int patchgen_new(void)\n{\n\treturn 1;\n}"
MEMBER = "long patchgen_new;"
ENUMERATOR = "PATCHGEN_NEW,"
DEFINE = "#define PATCHGEN_NEW 1"
LABEL = "case PATCHGEN_NEW:\n\t\treturn 1;"


class Form(Enum):
    """What a hunk does at a place, with the lines that it adds."""

    STATEMENT_BEFORE = STATEMENT
    STATEMENT_AFTER = STATEMENT + " "
    CONTEXT_AFTER = STATEMENT + "  "
    CONTEXT_BEFORE = STATEMENT + "   "
    REPLACED = "patchgen_new(2);"
    REPLACED_BY_TWO = "patchgen_new(3);\n\tpatchgen_new(4);"
    FUNCTION_BEFORE = FUNCTION
    FUNCTION_AFTER = FUNCTION + " "
    MEMBER_BEFORE = MEMBER
    MEMBER_AFTER = MEMBER + " "
    DEFINE_AFTER = DEFINE
    LABEL_BEFORE = LABEL

    @property
    def new(self) -> str:
        return self.value.rstrip()


_STATEMENT_FORMS = [
    Form.STATEMENT_BEFORE, Form.STATEMENT_AFTER, Form.CONTEXT_AFTER, Form.CONTEXT_BEFORE,
    Form.REPLACED, Form.REPLACED_BY_TWO,
]  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A place in a file under change.

    text: the file, with the marks; item: the line or definition itself, without indentation;
    owner: the function or struct that it is in; done: what was changed.
    """

    form: Form
    text: str
    item: str
    owner: str
    subject: str = ""
    done: tuple[str, ...] = ()
    crlf: bool = False

    @property
    def body(self) -> bytes:
        """The file as the tool gets it."""
        return self._ends(_MARKS.sub("", self.text))

    @property
    def expected(self) -> bytes | None:
        """The file as it has to be, but for lines and comments; None if it must be refused."""
        if BEFORE not in self.text:
            return None
        if self.form in (Form.REPLACED, Form.REPLACED_BY_TWO):
            # What is replaced is the item alone, wherever the marks went.
            if self.text.count(f"\x03{self.item}\x04") != 1:
                return None
            text = self.text.replace(f"\x03{self.item}\x04", self.form.new)
        else:
            mark = BEFORE if self.form.name.endswith("BEFORE") else BEHIND
            text = self.text.replace(mark, f"\n{self.form.new}\n")
        return self._ends(_MARKS.sub("", text))

    @property
    def patch(self) -> str:
        """The hunk, with its place."""
        item = re.sub(r"\s+", " ", self.item)
        added = "".join(f"+{line}\n" for line in self.form.new.split("\n"))
        match self.form:
            case Form.STATEMENT_BEFORE:
                return f"@@ function {self.owner}, before {item} @@\n{added}"
            case Form.STATEMENT_AFTER:
                return f"@@ function {self.owner}, after {item} @@\n{added}"
            case Form.CONTEXT_AFTER:
                return f"@@ function {self.owner} @@\n {item}\n{added}"
            case Form.CONTEXT_BEFORE:
                return f"@@ function {self.owner} @@\n{added} {item}\n"
            case Form.REPLACED | Form.REPLACED_BY_TWO:
                return f"@@ function {self.owner} @@\n-{item}\n{added}"
            case Form.FUNCTION_BEFORE:
                return f"@@ before function {self.owner} @@\n{added}"
            case Form.FUNCTION_AFTER:
                return f"@@ after function {self.owner} @@\n{added}"
            case Form.MEMBER_BEFORE | Form.MEMBER_AFTER:
                side = "before" if self.form is Form.MEMBER_BEFORE else "after"
                return f"@@ struct {self.owner}, {side} field {self.subject} @@\n{added}"
            case Form.DEFINE_AFTER:
                return f"@@ after last #define {self.owner} @@\n{added}"
            case Form.LABEL_BEFORE:
                return (
                    f"@@ function {self.owner}, switch ({self.subject}), before "
                    f"{self.item.rstrip(':')} @@\n{added}"
                )

    def _ends(self, text: str) -> bytes:
        text = text.replace("\x03", "").replace("\x04", "")
        return text.replace("\n", "\r\n" if self.crlf else "\n").encode("latin-1")

    def changed(self, what: str, text: str) -> "Case":
        return replace(self, text=text, done=(*self.done, what))

    def around(self, what: str, head: str, tail: str, outside: bool = True) -> "Case":
        """The item with text before and behind it; outside: whether the marks go around that."""
        item = f"\x03{self.item}\x04"
        old = f"{BEFORE}{item}{BEHIND}"
        if old not in self.text:
            return self
        new = f"{BEFORE}{head}{item}{tail}{BEHIND}"
        if not outside:
            new = f"{head}{old}{tail}"
        return self.changed(what, self.text.replace(old, new))

    def hopeless(self, what: str, head: str, tail: str) -> "Case":
        """The item with text around it that leaves no right place."""
        item = f"\x03{self.item}\x04"
        old = f"{BEFORE}{item}{BEHIND}"
        return self.changed(what, self.text.replace(old, f"{head}{item}{tail}"))


# Places in real files.

_FUNCTION = re.compile(
    r"^(?P<head>(?:static |const |struct |unsigned |int |long |void |bool |[a-z_]\w+ )[^\n;{}#=]*?"
    r"\b(?P<name>[a-z_]\w+)\([^;{}#]*?\))\n\{\n(?P<body>(?:[^}\n][^\n]*\n|\n)*)\}\n",
    re.M,
)
_PLAIN = re.compile(
    r"^\t+(?P<item>(?:\w[\w.>-]*\([^\n{}\"'/]*\)|[\w.>-]+ = [^\n{}\"'/?:]+);)$", re.M
)
_STRUCT = re.compile(r"^struct (?P<name>\w+) \{\n(?P<body>(?:[^}\n][^\n]*\n|\n)*)\};\n", re.M)
_FIELD = re.compile(r"^\t(?P<item>[a-z_][\w ]*[ *](?P<field>\w+);)$", re.M)
_DEFINE = re.compile(r"^(?P<item>#define (?P<name>[A-Z]\w+)[ \t]+[^\n\\/]+)$", re.M)
_SWITCH = re.compile(
    r"^\tswitch \((?P<subject>[\w.>-]+)\) \{\n(?P<body>(?:(?!\t\}\n)[^\n]*\n)*)", re.M
)
_CASE = re.compile(
    r"(?:^\t\t+(?:break|return\b[^\n;{]*|goto \w+|continue);\n\n?|^\tswitch [^\n]*\n)"
    r"^\t(?P<item>case [A-Z]\w*:|default:)$",
    re.M,
)


def cases(path: Path) -> Iterator[Case]:
    """Places of a file, each with what stands around it."""
    text = path.read_bytes().decode("latin-1")
    if BEFORE not in text and "\r" not in text:
        for case in _cases(text):
            if (cut := _cut(case.text)) is not None:
                yield replace(case, text=cut)


def _cut(text: str) -> str | None:
    """The part of a large file around a place, from the end of a function to that of another."""
    if len(text) < _LARGE:
        return text
    at = text.index(BEFORE)
    start = text.rfind("\n}\n\n", 0, max(0, at - _LARGE // 4)) + len("\n}\n\n")
    end = text.find("\n}\n\n", text.index(BEHIND) + _LARGE // 4) + len("\n}\n\n")
    part = text[start if start > 4 else 0 : end if end > 4 else len(text)]
    opened = re.findall(r"^[ \t]*#[ \t]*(if|else|elif|endif)", part, re.M)
    return part if opened.count("if") == opened.count("endif") and len(part) < _LARGE else None


def _cases(text: str) -> Iterator[Case]:
    plain = _Plain(text)
    functions = list(_FUNCTION.finditer(text))
    named = Counter(function["name"] for function in functions)
    for function in functions:
        # What is there twice, under #ifdef say, or under some #if, is not plain.
        if named[function["name"]] == 1 and plain.at(function.start()):
            yield from _in_function(text, function, function["name"])
    for struct in _STRUCT.finditer(text):
        body, name = struct["body"], struct["name"]
        if not plain.at(struct.start()) or "#" in body:
            continue
        for field in _FIELD.finditer(body):
            if body.count(field["item"]) == 1 and _ended(body, field):
                marked = _marked(text, struct.start("body") + field.start("item"), field["item"])
                for form in (Form.MEMBER_BEFORE, Form.MEMBER_AFTER):
                    yield Case(form, marked, field["item"], name, field["field"])
    for define in _DEFINE.finditer(text):
        if text.count(define["name"]) == 1 and plain.at(define.start()):
            marked = _marked(text, define.start("item"), define["item"])
            yield Case(Form.DEFINE_AFTER, marked, define["item"], define["name"])


class _Plain:
    """Which lines of a file are under no #if, the guard of a header apart; by counting."""

    def __init__(self, text: str) -> None:
        guarded = re.search(r"\A(?:\s|/\*.*?\*/|//[^\n]*)*#ifndef (\w+)\n#define \1\b", text, re.S)
        depth = -1 if guarded else 0
        self._starts, self._depths = [0], [0]
        for line in re.finditer(r"^[ \t]*#[ \t]*(if|endif)", text, re.M):
            depth += 1 if line[1] == "if" else -1
            self._starts.append(line.start())
            self._depths.append(depth)

    def at(self, offset: int) -> bool:
        return self._depths[bisect_right(self._starts, offset) - 1] <= 0


def _in_function(text: str, function: re.Match[str], name: str) -> Iterator[Case]:
    whole = function.group().rstrip("\n")
    above = text[: function.start()].rstrip()
    if above.endswith((";", "}")) and re.search(r"\n\n\Z", text[: function.start()]):
        for form in (Form.FUNCTION_BEFORE, Form.FUNCTION_AFTER):
            yield Case(form, _marked(text, function.start(), whole), whole, name)
    body = function["body"]
    if "#" in body:
        return
    for plain in _PLAIN.finditer(body):
        item = plain["item"]
        alone = len(re.findall(re.escape(item), body)) == 1
        if alone and _ended(body, plain) and _balanced(item):
            at = function.start("body") + plain.start("item")
            for form in _STATEMENT_FORMS:
                yield Case(form, _marked(text, at, item), item, name)
    switches = list(_SWITCH.finditer(body))
    if len(switches) == 1:
        for label in _CASE.finditer(switches[0].group()):
            at = function.start("body") + switches[0].start() + label.start("item")
            yield Case(
                Form.LABEL_BEFORE, _marked(text, at, label["item"]), label["item"],
                name, switches[0]["subject"],
            )  # fmt: skip


def _marked(text: str, at: int, item: str) -> str:
    return f"{text[:at]}{BEFORE}\x03{item}\x04{BEHIND}{text[at + len(item) :]}"


def _ended(body: str, line: re.Match[str]) -> bool:
    """Whether the line before has ended, and the one behind does not go on."""
    above = [one for one in body[: line.start()].split("\n") if one.strip()]
    below = body[line.end() :].lstrip()
    ended = not above or bool(re.search(r"[;{}]$", above[-1].rstrip()))
    return ended and not below.startswith(("else", "*"))


def _balanced(item: str) -> bool:
    return item.count("(") == item.count(")")


# What is changed around them.

Change = Callable[[Case], Case]


def _decoy(what: str, text: str) -> Change:
    """Text at the beginning of the function, struct or file that looks like the item."""

    def change(case: Case) -> Case:
        item = case.item
        made = text.format(item=item, quoted=item.replace("\\", "\\\\"), new=case.form.new)
        opening = _opening(case)
        if opening is None or (case.form.name.startswith(("MEMBER", "LABEL")) and '"' in text):
            return case
        return case.changed(what, case.text[:opening] + made + case.text[opening:])

    return change


def _opening(case: Case) -> int | None:
    """Where decoys go: the beginning of what the item is in, or the line above it."""
    at = case.text.find(BEFORE) if BEFORE in case.text else case.text.index("\x03")
    if case.form.name.startswith(("FUNCTION", "DEFINE")):
        # Far enough above not to be a comment that belongs to it.
        above = case.text.rfind("\n\n", 0, at)
        line = case.text[:above].rsplit("\n", 1)[-1]
        # Only where a top level line ended: neither within a comment nor a macro.
        return above + 1 if above > 0 and re.fullmatch(r"\};?|[^\s/*#].*;", line) else None
    opening = case.text.rfind("{\n", 0, at)
    if case.form.name.startswith("MEMBER"):
        opening = case.text.rfind(f"struct {case.owner} {{\n", 0, at) + len(f"struct {case.owner} ")
    elif not case.form.name.startswith("LABEL"):
        opening = case.text.rfind("\n{\n", 0, at) + 1
    else:
        opening = case.text.rfind("\n{\n", 0, at) + 1
    return opening + 2 if opening > 1 else None


def _statement(change: Change) -> Change:
    """Only for forms of statements."""
    return lambda case: change(case) if case.form in _STATEMENT_FORMS else case


def _wrapped(what: str, head: str, tail: str, outside: bool = True) -> Change:
    return lambda case: case.around(what, head, tail, outside)


def _lost(what: str, head: str, tail: str, sides: str = "") -> Change:
    """No right place for forms whose name ends so."""

    def change(case: Case) -> Case:
        if case.form.name.endswith(sides or ("BEFORE", "AFTER")):
            return case.hopeless(what, head, tail)
        return case

    return change


DECOYS: tuple[Change, ...] = (
    _decoy("comment", "\t/* {item} */\n"),
    _decoy("comment of lines", "\t/*\n\t * {item}\n\t */\n"),
    _decoy("line comment", "\t// {item}\n"),
    _decoy("comment with /*", "\t/* /dev/* {item} */\n"),
    _decoy("#if 0", "#if 0\n\t{item}\n#endif\n"),
    _decoy("#if 1 #else", "#if 1\n#else\n\t{item}\n#endif\n"),
    _decoy("#if 0 nested", "#if 0\n#ifdef VENDOR\n\t{item}\n#else\n\t{item}\n#endif\n#endif\n"),
    _decoy("#if 0 && x", "#if 0 && defined(VENDOR)\n\t{item}\n#endif\n"),
    _decoy("new in comment", "\t/* {new} */\n"),
    _decoy("new in #if 0", "#if 0\n{new}\n#endif\n"),
    _decoy("prose in #if 0", "#if 0\n\tdon't /* {item} */\n#endif\n"),
    _statement(_decoy("string", '\tvendor("{quoted} {{");\n')),
    _statement(_decoy("new in string", '\tvendor("{new}");\n')),
    _statement(_decoy("quotes", "\tvendor('\"', '}}', '\\'', \"/*\");\n")),
    _statement(_decoy("macro", "#define VENDOR_OPEN {{ if (1) {{\n")),
    _statement(
        _decoy("torn brace", "#ifdef VENDOR\n\tif (a) {{\n#else\n\tif (b) {{\n#endif\n\t}}\n")
    ),
)

_ATTRIBUTED = ("FUNCTION_BEFORE", "FUNCTION_AFTER")


def _heading(what: str, head: str) -> Change:
    """Something on lines of its own right above a function, which belongs to it."""

    def change(case: Case) -> Case:
        return case.around(what, head, "") if case.form.name in _ATTRIBUTED else case

    return change


def _definition(what: str, head: str, tail: str) -> Change:
    return lambda case: case.around(what, head, tail) if case.form.name in _ATTRIBUTED else case


AROUND: tuple[Change, ...] = (
    _statement(_wrapped("if", "if (vendor)\n\t\t", "")),
    _statement(_wrapped("if on the line", "if (vendor) ", "")),
    _statement(_wrapped("braces on the line", "if (vendor) { ", " }", outside=False)),
    _statement(_wrapped("else", "if (vendor)\n\t\tother();\n\telse\n\t\t", "")),
    _statement(_wrapped("if with else", "if (vendor)\n\t\t", "\n\telse\n\t\tother();")),
    _statement(_wrapped("while", "while (vendor)\n\t\t", "")),
    _statement(_wrapped("loop macro", "list_for_each_entry(v, &vendor, list)\n\t\t", "")),
    _statement(_wrapped("odd loop macro", "VENDOR_LOOP(v)\n\t\t", "")),
    _statement(_wrapped("loop in a line", "vendor_for_each(v) ", "")),
    _statement(_wrapped("do", "do\n\t\t", "\n\twhile (vendor);")),
    _statement(_wrapped("block", "{\n\t\t", "\n\t}", outside=False)),
    _wrapped("behind on the line", "", " /* about\n\t * it */", outside=False),
    _wrapped("line comment behind", "", " // about it", outside=False),
    _wrapped("comment before", "/* it */ ", "", outside=False),
    _statement(_wrapped("goto label", "vendor_out:\n\t", "", outside=False)),
    _statement(_wrapped("goto label on the line", "vendor_out: ", "", outside=False)),
    _statement(_wrapped("second in the line", "vendor(); ", "", outside=False)),
    _statement(_wrapped("first in the line", "", " vendor();", outside=False)),
    _wrapped("#ifdef", "\n#ifdef VENDOR\n\t", "\n#endif\n"),
    _wrapped(
        "#ifdef with comments", "\n#ifdef VENDOR\n\t/* a */\n", " /* b */\n\n#endif /* c */\n"
    ),
    _wrapped("nested #ifdef", "\n#ifdef VENDOR\n#if VENDOR > 1\n\t", "\n#endif\n#endif\n"),
    _wrapped("#ifndef #else", "\n#ifndef VENDOR\n#else\n\t", "\n#endif\n"),
    _statement(_wrapped("#if 1", "\n#if 1\n\t", "\n#endif\n")),
    _statement(
        _lost("#ifdef with others", "\n#ifdef VENDOR\n\tvendor();\n\t", "\n\tvendor();\n#endif\n")
    ),
    _heading("attribute", "__vendor_attribute\n"),
    _heading("attribute with arguments", "__attribute__((cold))\n"),
    _heading("macro", "VENDOR_MACRO(a, b)\n"),
    _heading("qualifier", "__cold\n__vendor(3,\n\t 4)\n"),
    _heading("comment", "/* BELONGS */\n"),
    _heading("comment with /dev/*", "/**\n * BELONGS - for /dev/*\n */\n"),
    _heading("line comments", "// BELONGS\n// BELONGS\n"),
    _heading("two comments", "/* BELONGS */\n/* BELONGS */\n"),
    _definition("comment behind", "", " /* BELONGS\n * behind */"),
)


def _labels(what: str, head: str) -> Change:
    def change(case: Case) -> Case:
        return case.hopeless(what, head, "") if case.form is Form.LABEL_BEFORE else case

    return change


FALLS: tuple[Change, ...] = (
    _labels("case above", "case VENDOR:\n\t"),
    _labels("fallthrough", "case VENDOR:\n\t\tfallthrough;\n\t"),
    _labels("runs on", "case VENDOR:\n\t\tvendor();\n\t"),
    _labels("comment says so", "case VENDOR:\n\t\tvendor();\n\t\t/* fall through */\n\t"),
    _labels("if with break", "case VENDOR:\n\t\tif (vendor)\n\t\t\tbreak;\n\t"),
    _labels("under #ifdef", "\n#ifdef VENDOR\n\tcase VENDOR:\n\t\tvendor();\n#endif\n\t"),
)


@st.composite
def hostile(draw: st.DrawFn, places: list[Case]) -> Case:
    """A place with up to four changes around it."""
    case = draw(st.sampled_from(places))
    for change in draw(st.lists(st.sampled_from(DECOYS), max_size=3, unique=True)):
        case = change(case)
    kinds = [AROUND, FALLS] if case.form is Form.LABEL_BEFORE else [AROUND]
    for change in draw(st.lists(st.sampled_from(draw(st.sampled_from(kinds))), max_size=2)):
        case = change(case)
    if case.form is Form.REPLACED_BY_TWO and _is_body(case):
        case = case.changed("two for one", _MARKS.sub("", case.text))
    return replace(case, crlf=draw(st.integers(0, 5)) == 0)


#: Changes that make a statement the whole body of something.
_BODIES = {
    "if", "if on the line", "else", "if with else", "while", "loop macro", "odd loop macro",
    "loop in a line", "do",
}  # fmt: skip


def _is_body(case: Case) -> bool:
    return bool(_BODIES & {*case.done})


# The judge.

_INCLUDE = re.compile(rb"^([ \t]*)#[ \t]*include\b", re.M)


def preprocessed(body: bytes, *defines: str) -> list[bytes]:
    """What the compiler's preprocessor makes of a file, #defines in their place, as words."""
    plain = _INCLUDE.sub(rb"\1include_", body.replace(b"\r\n", b"\n"))
    done = subprocess.run(
        ["gcc", "-E", "-P", "-dD", "-undef", "-nostdinc", "-w", "-x", "c", *defines, "-"],
        input=plain, capture_output=True, check=False,
    )  # fmt: skip
    return re.findall(rb"\w+|[^\w\s]", done.stdout)


def same(one: bytes, other: bytes) -> bool:
    """Whether two files are the same to the compiler, with the vendor's option and without."""
    return one.split() == other.split() or all(
        preprocessed(one, *defines) == preprocessed(other, *defines)
        for defines in ((), ("-DVENDOR=2",))
    )
