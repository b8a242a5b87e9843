# SPDX-License-Identifier: GPL-2.0-only
"""What a guest said on its console, and how it ended.

data/guest-init prints the lines by which the parts of a console are told apart.
"""

import re
from dataclasses import dataclass
from enum import Enum

#: Before every line that the guest's init prints of its own.
MARK = "dmabuf-patchgen: "

#: ECMA-48: control sequences and strings, then escape sequences of two or three characters.
_ESCAPE = re.compile(
    r"\x1b(?:\[[0-?]*+[ -/]*+[@-~]|[]PX^_][^\x07\x1b]*+(?:\x07|\x1b\\)|[ -/]*+[0-~])"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
#: Before a kernel message where printk.time is on, with CONFIG_PRINTK_CALLER as well.
_STAMP = re.compile(r"\[ *+[0-9]++\.[0-9]{6}\](?:\[ *+[TC][0-9]++\])?+ ")
#: How messages of what ends a kernel begin, on 5.10 to 7.3, x86 and arm64.
_FATAL = re.compile(
    r"kernel BUG at |BUG: |Oops|Unable to handle kernel |Internal error: |PANIC: |"
    r"general protection fault|Kernel panic - not syncing"
)
#: What a kernel says of itself when it no longer gets on.
_STUCK = re.compile(r"BUG: (?:soft|hard) lockup|self-detected stall|blocked for more than")
_PANIC = re.compile(r"Kernel panic - not syncing|PANIC: (?:early exception|double fault)")


class BootStatus(Enum):
    """How a boot ended."""

    #: The guest came to its end and switched itself off.
    POWER_OFF = "power off"
    PANIC = "panic"
    #: The time was over.
    HANG = "hang"
    #: QEMU ended and the guest had not: it was killed, or the guest reset itself, or the
    #: guest said more than anyone would read.
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Boot:
    """A boot of a guest.

    console: all that it said, as text; seconds: how long it took; runner, accelerator: what
    it ran on, as `qemu 7.2.22` and `tcg`; cause: why it ended, or was ended, where the guest
    cannot tell.
    """

    console: str
    status: BootStatus
    seconds: float
    runner: str
    accelerator: str
    cause: str = ""

    @property
    def started(self) -> bool:
        """Whether the guest's init came up."""
        return _line("up").search(self.console) is not None

    @property
    def tests(self) -> str:
        """What the tests said, as far as they came."""
        return _between(self.console, "tests begin", "tests end .*") or ""

    @property
    def kunit(self) -> str:
        """What was said before the guest's init came up, as far as the kernel came.

        What KUnit says is in it: the kernel runs the tests that are built in before its first
        process, whose console it shares with all else that the kernel has to say.
        """
        return self.console[: up.start() if (up := _line("up").search(self.console)) else None]

    @property
    def kernel_log(self) -> str:
        """The kernel's log after the tests; the console where the guest did not get that far."""
        log = _between(self.console, "log begin", "log end")
        return self.console if log is None else log

    @property
    def trouble(self) -> str:
        """One line on what went wrong: the first cause, not what followed. Empty for POWER_OFF."""
        if self.status is BootStatus.POWER_OFF:
            return ""
        if self.status is BootStatus.LOST:
            return self.cause
        lines = self.console.splitlines()
        texts = [message(line) for line in lines]
        if self.status is BootStatus.PANIC:
            return next(text[found.start() :] for text in texts if (found := _FATAL.search(text)))
        last = [line.strip() for line in lines if line.strip()][-3:]
        stuck = next((text for text in texts if _STUCK.search(text)), "")
        what = stuck or (f"the last lines: {' | '.join(last)}" if last else "nothing was said")
        return f"{self.cause or f'no end within {self.seconds:.0f} s'}; {what}"


def clean(said: bytes) -> str:
    """Text of a console: no carriage returns, escape sequences and other controls."""
    return _CONTROL.sub("", _ESCAPE.sub("", said.decode(errors="backslashreplace")))


def status(console: str, returncode: int | None, *, late: bool) -> BootStatus:
    """How a guest ended.

    returncode: that of QEMU, None where it was ended by us; late: because the time was over.
    """
    off = _line("power off").search(console)
    # A kernel may also panic on its way out.
    rest = console[off.end() :] if off else console
    # Most consoles need not be looked at line by line.
    if _PANIC.search(rest) and any(_PANIC.search(message(line)) for line in rest.splitlines()):
        return BootStatus.PANIC
    if off and returncode == 0:
        return BootStatus.POWER_OFF
    return BootStatus.HANG if late else BootStatus.LOST


def _line(what: str) -> re.Pattern[str]:
    return re.compile(rf"^{re.escape(MARK)}{what}$", re.MULTILINE)


def _between(console: str, begin: str, end: str) -> str | None:
    """What is between two lines of the guest's, to the end if there is only the first."""
    opening = _line(begin).search(console)
    if opening is None:
        return None
    closed = _line(end).search(console, opening.end())
    return console[opening.end() : closed.start() if closed else None].lstrip("\n")


def message(line: str) -> str:
    """A line as the kernel meant it; nothing of one that a test said.

    A kernel message may have come into the middle of a line of a test's, whose comments
    begin with a hash.
    """
    # Looked for one by one: a pattern that ends with the last of them would be tried at every
    # letter of a line without one.
    begin = max((stamp.end() for stamp in _STAMP.finditer(line)), default=0)
    return "" if not begin and line.startswith("#") else line[begin:]
