# SPDX-License-Identifier: GPL-2.0-only
"""What tests said on a console: KTAP as kselftest's runner and harness and KUnit print it.

The format is Documentation/dev-tools/ktap.rst of the kernel. What it leaves open is taken from
what 5.10 to 7.3 print: a level is indented by spaces (KUnit: four) or by the runner's `# `, and
an indented line may open a level without a version line.

Reading never fails. What does not fit is a problem of the group it is in, and nothing that is
missing, cut off or unknown becomes a pass.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum

#: Deeper than any test nests. A line that is further in is not KTAP.
_DEPTH = 16

#: Before a kernel message: `<6>[   12.345678][   T12] `; each part can be configured away.
_PRINTK = re.compile(
    r"(?:<[0-9]{1,3}>)?+(?:\[ *+[0-9]+\.[0-9]+\](?:\[ *+[TC][0-9]+\])?|\[ *+[TC][0-9]+\]) ?"
)
_TIMESTAMP = re.compile(r"\[ *+[0-9]+\.[0-9]{6}\]")
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*+[ -/]*+[@-~]?|.)?")

# Quantifiers are possessive: a line of garbage is looked at once.
_KTAP = re.compile(
    r"""(?P<indent>(?:[ \t]*+\#[ ])*+[ \t]*+)
    (?:(?P<ok>ok|not[ ]ok)(?:[ \t]++(?P<number>[0-9]{1,9}))?+(?![^ \t])[ \t]*+(?P<rest>.*)
     |1\.\.(?P<plan>[0-9]{1,9})[ \t]*+(?:\#[ \t]*+(?P<why>.*))?+$
     |(?P<version>K?TAP[ ]version[ ][0-9]++)[ \t]*+$
     |[Bb]ail[ ]out!(?P<bail>.*))""",
    re.VERBOSE,
)
#: The end of what KUnit says of an expectation, before what was expected: that has no hash.
_FAILED = re.compile(r" (?:EXPECTATION|ASSERTION) FAILED at \S+$")
_DIAGNOSTIC = re.compile(r"(?P<indent>(?:[ \t]*+# (?=[ \t]*+# ))*+[ \t]*+)# (?P<text>.*)")

#: Where a name ends: a hash that is not part of a word and not escaped.
_HASH = re.compile(r"(?:^|(?<=[ \t]))#(?=[ \t]|$|(?:skip|todo|xfail)\b)", re.IGNORECASE)
_DIRECTIVE = re.compile(r"(skip|todo|xfail)[^\s]*+\s*+(.*)", re.IGNORECASE)

#: The problem of a test that began and said no more, and of a group that did.
NO_RESULT = "no result"
ENDED = "ended before its result"


class Status(Enum):
    """How a test ended."""

    PASS = "pass"  # noqa: S105 - a result, no password
    FAIL = "fail"
    SKIP = "skip"
    #: Was expected to fail, whether the line says ok (kselftest) or not.
    XFAIL = "xfail"
    #: The test is not finished, so neither of its results means anything.
    TODO = "todo"


@dataclass(frozen=True, slots=True)
class Test:
    """A test, or a group of tests.

    name: as said, or as the line said with which it began; `#N` if there was none.
    status: its own, whatever its subtests say.
    reason: what its line says behind the hash, without SKIP, XFAIL or TODO. Of a program that
    skips all of its tests, what the program's plan says.
    diagnostics: the `# ` lines that belong to it, in order; those of a subtest are the subtest's.
    problems: what is not as it should be with it or among its subtests; sentences for people.
    """

    name: str
    status: Status
    reason: str
    diagnostics: tuple[str, ...]
    subtests: tuple["Test", ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Leaf:
    """A test without subtests, and the way to it: its groups' names, then its own."""

    path: tuple[str, ...]
    test: Test


@dataclass(frozen=True, slots=True)
class Log:
    """All that was tested.

    tests: the top level, of all runs in the log one after the other.
    problems: those of the top level; a group has its own.
    diagnostics: the `# ` lines that belong to no test.
    """

    tests: tuple[Test, ...]
    problems: tuple[str, ...]
    diagnostics: tuple[str, ...] = ()

    def leaves(self) -> tuple[Leaf, ...]:
        """Every test without subtests, in order.

        Paths are unique: the second of a name among its neighbours is `name #2`.
        """
        return tuple(_leaves((), self.tests))


def parse(text: str) -> Log:
    """Read what was said on a console.

    text: whole lines. The last one counts only if it ends: it may have been cut off anywhere.
    """
    reader = _Reader()
    *lines, last = text.split("\n")
    for line in lines:
        reader.read(line)
    return reader.end(last)


@dataclass(slots=True)
class _Level:
    """A level that is open: the subtests of a group whose result has not come yet."""

    #: Columns in front of its lines.
    width: int
    #: Diagnostics of the group itself: the list in which the level around it gathers them.
    diagnostics: list[str]
    #: What KUnit says ahead of a suite's results.
    name: str = ""
    #: The test that has begun and has no result yet.
    running: str = ""
    tests: list[Test] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    #: Diagnostics of the test whose result comes next.
    pending: list[str] = field(default_factory=list)
    #: So deep are the subtests of its tests.
    height: int = 0
    #: Why a plan says that there is nothing to run.
    skipped: str | None = None

    # Since the last version line:
    begun: bool = False
    plan: int | None = None
    count: int = 0
    last: int = 0
    numbers: set[int] = field(default_factory=set)

    def begin(self) -> None:
        """Start to count anew, as one program after another does on the same level."""
        self.end()
        self.begun, self.plan, self.count, self.last = True, None, 0, 0
        self.numbers = set()

    def end(self) -> None:
        """Note what has not come up to the end of a program or of the group."""
        self.lose()
        self.keep()
        if self.plan is not None and self.plan != self.count:
            self.problems.append(f"the plan says {self.plan}, {self.count} seen")
        elif self.plan is None and self.count and not self.width:
            # Deeper down, the group's result shows that it came to its end.
            self.problems.append("no plan, so nobody knows whether results are missing")
        if missing := _missing(self.numbers):
            self.problems.append(f"missing: {missing}")

    def keep(self) -> None:
        """Leave to the group what was said up to here."""
        self.diagnostics += self.pending
        self.pending = []

    def lose(self) -> None:
        """If a test has begun and another thing comes than its result, it has failed."""
        if self.running:
            self._add(self.running, Status.FAIL, "", (), (NO_RESULT,))

    def count_number(self, number: int | None) -> int:
        """The number of a result that came; what is wrong with it is noted."""
        if number is None:
            number = self.last + 1
            self.problems.append(f"result {number} has no number")
        elif number in self.numbers:
            self.problems.append(f"number {number} is there twice")
        elif number < self.last:
            self.problems.append(f"number {number} comes after {self.last}")
        self.begun, self.last = True, number
        self.count += 1
        self.numbers.add(number)
        return number

    def take(
        self, number: int | None, name: str, status: Status, reason: str, group: "_Level | None"
    ) -> None:
        """Add the result of a test, or of the group that comes to its end with it."""
        number = self.count_number(number)
        name = name or self.running or (group.name if group else "") or f"#{number}"
        if group is None:
            self._add(name, status, reason)
            return
        group.end()
        self.height = max(self.height, group.height + 1)
        if status is Status.SKIP:
            reason = reason or group.skipped or ""
        elif group.skipped is not None:
            group.problems.append(f"all is skipped: {group.skipped}")
        failed = any(test.status is Status.FAIL for test in group.tests)
        if failed and status in {Status.PASS, Status.SKIP}:
            group.problems.append(f"says {status.value}, but a subtest failed")
        elif status is Status.FAIL and group.tests and not failed:
            group.problems.append("says not ok, but no subtest failed")
        self._add(name, status, reason, group.tests, group.problems)

    def abandon(self, group: "_Level") -> None:
        """Add a group whose result never came."""
        group.end()
        self.height = max(self.height, group.height + 1)
        self._add(
            self.running or group.name or f"#{self.last + 1}",
            Status.FAIL,
            "",
            group.tests,
            (ENDED, *group.problems),
        )

    def _add(
        self,
        name: str,
        status: Status,
        reason: str,
        subtests: Iterable[Test] = (),
        problems: Iterable[str] = (),
    ) -> None:
        if name == self.running:
            self.running = ""
        self.tests.append(
            Test(name, status, reason, tuple(self.pending), tuple(subtests), tuple(problems))
        )
        self.pending = []


class _Reader:
    """Reads line after line; the levels that are open are a stack."""

    def __init__(self) -> None:
        self._levels = [_Level(0, [])]
        #: The diagnostics of which the last goes on in the next lines, and how far in those are.
        self._explained: tuple[list[str], int] | None = None

    def read(self, line: str) -> None:
        """Read a line that is whole."""
        line, printk = _plain(line)
        if found := _KTAP.match(line):
            self._explained = None
            width = found.end("indent")
            if found["ok"]:
                self._result(width, found, printk)
            elif found["plan"]:
                self._plan(width, int(found["plan"]), found["why"])
            elif level := self._enter(width):
                if found["version"]:
                    level.begin()
                else:
                    level.problems.append(f"bailed out: {found['bail'].strip()}")
        elif found := _DIAGNOSTIC.match(line):
            width, text = found.end("indent"), found["text"]
            self._explained = None
            if not self._begins(width, text):
                self._diagnostic(line, width, text)
                if _FAILED.search(text):
                    self._explained = (self._around(width).pending, width)
        elif self._explained and line.startswith(" " * self._explained[1]):
            self._explained[0][-1] += f" {line.strip()}"

    def end(self, rest: str) -> Log:
        """The log, once all is read.

        rest: what stands after the last line that ended.
        """
        line, _ = _plain(rest)
        if not _KTAP.match(line) and (found := _DIAGNOSTIC.match(line)):
            self._diagnostic(line, found.end("indent"), found["text"])
        top = self._levels[0]
        self._abandon(0)
        top.end()
        if top.skipped is not None:
            top.problems.append(f"all is skipped: {top.skipped}")
        if _KTAP.match(line):
            top.problems.append(f"the last line is cut off: {line.strip()}")
        if not (top.tests or top.problems):
            top.problems.append("no results")
        return Log(tuple(top.tests), tuple(top.problems), tuple(top.diagnostics))

    def _result(self, width: int, found: re.Match[str], printk: bool) -> None:
        rest, number = found["rest"], found["number"]
        if number is None and not (
            rest[:1] in {"", "-", "#"}
            and any(level.begun for level in self._levels if level.width == width)
        ):
            # "ok" alone is a result in TAP, but in a console's noise it is a word.
            return
        if not printk and _TIMESTAMP.search(rest):
            # Whatever the test said behind it, a skip for example, is lost or on another line.
            self._around(width).problems.append(f"a kernel message cuts off: {found[0].strip()}")
            return
        group = self._close(width)
        if group and group.height >= _DEPTH:
            # Lines that stand further out each time: no test has so many groups around it.
            self._levels[0].abandon(group)
            group = None
        if level := self._enter(width):
            name, status, reason = _said(found["ok"] == "ok", rest)
            level.take(None if number is None else int(number), name, status, reason, group)

    def _plan(self, width: int, tests: int, why: str | None) -> None:
        level = self._enter(width)
        if level is None:
            return
        if level.plan is not None:
            level.begin()
        level.keep()
        level.begun, level.plan = True, tests
        if tests == 0:
            directive = _DIRECTIVE.match(why or "")
            level.skipped = (directive[2] if directive else why or "").strip() or "no reason given"

    def _begins(self, width: int, text: str) -> bool:
        """Whether a diagnostic only says that a test or a group begins; if so, note it."""
        text = text.rstrip()
        if text.startswith("Subtest: ") and width:
            return self._group(width, text.removeprefix("Subtest: ").strip())
        harness = text.startswith(" RUN ") and text.endswith(" ...")
        if harness:
            name = text[len(" RUN ") : -len(" ...")].strip()
        elif text.startswith("selftests: ") and text.count(": ") > 1:
            name = text
        else:
            return False
        if not name or self._around(width).width != width:
            return False
        self._abandon(width)
        level = self._levels[-1]
        level.lose()
        if harness:
            # It speaks of all tests ahead of the first; the runner speaks of the one to come.
            level.keep()
        level.running = name
        return True

    def _group(self, width: int, name: str) -> bool:
        level = self._enter(width)
        if level and level.name:
            # The result of the group before has got lost, and its lines stand as far in.
            self._levels.pop()
            self._levels[-1].abandon(level)
            level = self._enter(width)
        if level is None:
            return False
        level.name = name
        return True

    def _diagnostic(self, line: str, width: int, text: str) -> None:
        level = self._around(width)
        if level.width < width:
            text = line[level.width :].lstrip(" \t").removeprefix("# ")
        if text := text.rstrip():
            level.pending.append(text)

    def _around(self, width: int) -> _Level:
        """The innermost open level that a line so far in can belong to."""
        return next(level for level in reversed(self._levels) if level.width <= width)

    def _enter(self, width: int) -> _Level | None:
        """The level of a line of KTAP, opened if need be; None if it is too far in."""
        self._abandon(width)
        if self._levels[-1].width < width:
            if len(self._levels) > _DEPTH:
                return None
            self._levels.append(_Level(width, self._levels[-1].pending))
        return self._levels[-1]

    def _abandon(self, width: int) -> None:
        """Close what is further in: it has come to its end without a result."""
        if group := self._close(width):
            self._levels[-1].abandon(group)

    def _close(self, width: int) -> _Level | None:
        """Close what is further in; the outermost of it is returned, its result may be next."""
        group = None
        while self._levels[-1].width > width:
            if group:
                self._levels[-1].abandon(group)
            group = self._levels.pop()
        return group


def _plain(line: str) -> tuple[str, bool]:
    """A line without what the terminal and printk put around it, and whether printk did."""
    line = line.rstrip("\r")
    if "\r" in line:
        # What stands before was overwritten on the screen.
        line = line[line.rindex("\r") + 1 :]
    if "\x1b" in line:
        line = _ESCAPE.sub("", line)
    if line[:1] in {"<", "["} and (found := _PRINTK.match(line)):
        return line[found.end() :], True
    return line, False


def _said(ok: bool, rest: str) -> tuple[str, Status, str]:
    """Name, status and reason of a result; rest: what follows the number."""
    status = Status.PASS if ok else Status.FAIL
    reason = ""
    if "#" in rest and (found := _HASH.search(rest)):
        reason = rest[found.end() :].strip()
        rest = rest[: found.start()]
        if directive := _DIRECTIVE.match(reason):
            status = Status[directive[1].upper()]
            reason = directive[2]
    rest = rest.strip()
    if rest == "-" or rest.startswith("- "):
        rest = rest[1:].lstrip()
    return rest.replace("\\#", "#"), status, reason


def _missing(numbers: set[int]) -> str:
    """The gaps up to the highest number, `3, 5-7`."""
    gaps, before = [], 0
    for number in sorted(numbers):
        if number > before + 1:
            first, last = before + 1, number - 1
            gaps.append(str(first) if first == last else f"{first}-{last}")
        before = number
    return ", ".join(gaps)


def _leaves(path: tuple[str, ...], tests: tuple[Test, ...]) -> Iterator[Leaf]:
    taken: set[str] = set()
    counts: dict[str, int] = {}
    for test in tests:
        name, count = test.name, counts.get(test.name, 1)
        while name in taken:
            count += 1
            name = f"{test.name} #{count}"
        taken.add(name)
        counts[test.name] = count
        if test.subtests:
            yield from _leaves((*path, name), test.subtests)
        else:
            yield Leaf((*path, name), test)
