# SPDX-License-Identifier: GPL-2.0-only
"""What compilers and checkers say: read from their output, and compared between two states."""

import difflib
import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

#: gcc, clang, as, sparse and kernel-doc up to 6.15; objtool names an object and no line.
_GNU = re.compile(
    r"^(?P<path>[^\s:]+):(?:(?P<line>\d+):)?(?:\d+:)? "
    r"(?P<level>(?i:fatal error|error|warning)): (?P<text>.*)$"
)
#: kernel-doc since it is written in Python.
_KERNEL_DOC = re.compile(
    r"^(?P<level>Warning|Error): (?P<path>[^\s:]+):(?P<line>\d+):? (?P<text>.*)$"
)
_LINKER = re.compile(r"^(?P<path>[^\s:]+):\(\S+\): (?P<text>undefined reference .*)$")
_OPTION = re.compile(r" \[(-W[\w=+-]+)\]$")
_DETAIL = re.compile(r"^[^\s:]+:\d+:\d+: {3,}(.*)$")
#: kbuild's short form of a command, such as `  CC [M]  drivers/dma-buf/udmabuf.o`.
COMMAND = re.compile(r"^  (?P<what>[A-Z][A-Z0-9+_]*)(?: \[M\])? +(?P<target>\S+)$")
_FAILED = re.compile(r"^make(?:\[\d+\])?: \*\*\* \[(?:[^\]]*: )?(?P<target>[^\]\s]+)\] Error")


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One message. path: relative to the tree; line: 0 if none; level: error, warning, check."""

    path: str
    line: int
    level: str
    type: str
    text: str
    mail_line: int = 0

    @property
    def kind(self) -> tuple[str, str, str, str]:
        """What stays the same when lines move: two messages of one kind are told by counting."""
        return (self.path, self.level, self.type, re.sub(r":\d+\b", ":N", self.text))


def parse(lines: Iterable[str], root: str, directory: str = "") -> tuple[Diagnostic, ...]:
    """The messages in a program's output.

    root: absolute path of the source, cut off from paths; directory: where, relative to the
    root, the program was started, for paths that are relative.
    """
    found: list[Diagnostic] = []
    for line in lines:
        match = _GNU.match(line) or _KERNEL_DOC.match(line) or _LINKER.match(line)
        if match:
            fields = {"level": "error", "line": None, **match.groupdict()}
            text = str(fields["text"])
            option = _OPTION.search(text)
            level = str(fields["level"]).lower().removeprefix("fatal ")
            found.append(
                Diagnostic(
                    path=_relative(str(fields["path"]), root, directory),
                    line=int(fields["line"] or 0),
                    level=level,
                    type=option[1] if option else level,
                    text=text[: option.start()] if option else text,
                )
            )
        elif found and (detail := _DETAIL.match(line)):
            # sparse says what it expected and what it got on lines of their own.
            found[-1] = replace(found[-1], text=f"{found[-1].text}, {detail[1]}")
    return tuple(found)


def _relative(path: str, root: str, directory: str) -> str:
    if path.startswith("/"):
        return path.removeprefix(f"{root}/")
    return posixpath.normpath(posixpath.join(directory, path))


@dataclass(frozen=True, slots=True)
class BuildLog:
    """The output of kbuild, by object; an object is named by its path without suffix.

    built, checked: objects that were compiled, and that the checker was run on;
    failed: objects that were not made; messages: object -> messages, "" -> those of no object.
    """

    built: frozenset[str]
    checked: frozenset[str]
    failed: frozenset[str]
    messages: Mapping[str, tuple[Diagnostic, ...]]


def parse_build(output: str, root: str) -> BuildLog:
    """Read kbuild's output, which make must have kept together by target (-Otarget)."""
    by_target: defaultdict[str, list[str]] = defaultdict(list)
    seen: defaultdict[str, set[str]] = defaultdict(set)
    failed = set()
    target = ""
    for line in output.splitlines():
        command = COMMAND.match(line)
        stop = _FAILED.match(line)
        if command:
            target = _stem(command["target"], root)
            seen[command["what"]].add(target)
        elif stop:
            failed.add(_stem(stop["target"], root))
            target = ""
        else:
            by_target[target].append(line)
    by_object = {name: parse(lines, root) for name, lines in by_target.items()}
    return BuildLog(
        built=frozenset(seen["CC"] | seen["AS"]),
        checked=frozenset(seen["CHECK"]),
        failed=frozenset(failed),
        messages={name: messages for name, messages in by_object.items() if messages},
    )


def _stem(target: str, root: str) -> str:
    return posixpath.splitext(_relative(target, root, ""))[0]


def worst(one: Iterable[Diagnostic], other: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Of each kind of message, those of the side that has more."""
    mine = tuple(one)
    return mine + added(mine, other, {})


def added(
    before: Iterable[Diagnostic],
    after: Iterable[Diagnostic],
    new_lines: Mapping[str, frozenset[int]],
) -> tuple[Diagnostic, ...]:
    """The messages that a change adds: of each kind as many as there are more than before.

    new_lines: path -> line numbers that the change wrote; which of several messages of one
    kind is the new one is told by these, then by being the last.
    """
    known = Counter(message.kind for message in before)
    by_kind: defaultdict[tuple[str, str, str, str], list[Diagnostic]] = defaultdict(list)
    for message in after:
        by_kind[message.kind].append(message)
    fresh = []
    for kind, messages in by_kind.items():
        more = len(messages) - known[kind]
        if more > 0:
            messages.sort(key=lambda m: (m.line in new_lines.get(m.path, ()), m.line))
            fresh += messages[-more:]
    return tuple(sorted(fresh, key=lambda m: (m.path, m.line, m.text)))


def written_lines(before: bytes, after: bytes) -> frozenset[int]:
    """Numbers of the lines of `after` that `before` does not have."""
    blocks = difflib.SequenceMatcher(
        None, before.splitlines(), after.splitlines(), autojunk=False
    ).get_opcodes()
    return frozenset(
        number + 1
        for tag, _, _, start, end in blocks
        if tag != "equal"
        for number in range(start, end)
    )
