# SPDX-License-Identifier: GPL-2.0-only
"""Parameters of a series: declared, typed, and checked before anything is rendered.

What a user types reaches C only as a number, a yes or no, or one of the words that
series.toml lists.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.tree.facts import TreeFacts
from dmabuf_patchgen.tree.tokens import quoted

Value = bool | int | str


@dataclass(frozen=True, slots=True)
class Choice:
    """A value of a parameter of type choice.

    needs: name of a fact that the tree must have for it, or empty.
    """

    name: str
    help: str
    needs: str = ""


@dataclass(frozen=True, slots=True)
class Ioctl:
    """What a parameter of type ioctl stands for.

    name: the #define that takes the number; header and magic: where numbers in use are found;
    upstream: numbers that mainline uses, with their owners, which an older tree may not show;
    most: the largest number that the magic's row of ioctl-number.rst leaves to the header.
    """

    name: str
    header: str
    magic: str
    most: int
    upstream: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter as series.toml declares it; default is None for an ioctl number."""

    name: str
    type: str
    help: str
    default: Value | None = None
    choices: tuple[Choice, ...] = ()
    ioctl: Ioctl | None = None

    @property
    def takes(self) -> str:
        """The values it takes, for help and errors."""
        if self.type == "choice":
            return ", ".join(choice.name for choice in self.choices)
        if self.ioctl:
            return f"a number from 0 to {self.ioctl.most} that is free"
        return "yes or no"

    def parse(self, text: str) -> Value:
        """A value as the user typed it. Raises UserError if it is not of the type."""
        match self.type:
            case "bool" if text in ("yes", "no"):
                return text == "yes"
            case "choice" if any(choice.name == text for choice in self.choices):
                return text
            # Python refuses to read a number of thousands of digits.
            case "ioctl" if text.isascii() and text.isdecimal() and len(text) < 20 and self.ioctl:
                if int(text) <= self.ioctl.most:
                    return int(text)
        shown = text if len(text) <= 40 else f"{text[:40]}..."
        raise UserError(f"parameter {self.name} is {shown!r}", f"it takes {self.takes}")

    def settle(self, typed: Value | None, tree: TreeFacts, facts: Mapping[str, Any]) -> Value:
        """The value to render with on a tree: what was typed, or else the default.

        Raises UserError if the tree cannot have it.
        """
        if self.ioctl:
            return _ioctl_number(self, self.ioctl, typed, tree)
        value = self.default if typed is None else typed
        assert value is not None
        for choice in self.choices:
            if choice.name == value and choice.needs and not facts[choice.needs]:
                raise UserError(
                    f"parameter {self.name}={value} needs {choice.needs}, which this tree has not",
                    f"`inspect` shows what it has; {self.name} takes {self.takes}",
                )
        return value


def _ioctl_number(parameter: Parameter, ioctl: Ioctl, typed: Value | None, tree: TreeFacts) -> int:
    used = tree.ioctls(ioctl.magic, ioctl.header)
    own = next((number for number, name in used.items() if name == ioctl.name), None)
    taken = {**ioctl.upstream, **used}
    free = [n for n in range(ioctl.most + 1) if n not in taken]
    if own is not None:
        # The tree has the ioctl already: its number is what it is.
        if typed not in (None, own):
            raise UserError(
                f"parameter {parameter.name} is {typed}, but {ioctl.header} has {ioctl.name} "
                f"as number {own}",
                f"leave {parameter.name} out",
            )
        return own
    unread = tree.unread_ioctls(ioctl.magic, ioctl.header)
    if unread:
        line, _, reason = unread[0].partition(": ")
        raise UserError(
            f"{ioctl.header}: line {line}: the number on {ioctl.magic} of {quoted(reason)} cannot "
            f"be told, so none can be called free for {ioctl.name}",
        )
    if typed is None:
        if not free:
            raise UserError(f"{ioctl.header}: no number is free on {ioctl.magic}")
        return free[0]
    number = int(typed)
    if number in taken:
        where = f"in {ioctl.header}" if number in used else "upstream"
        raise UserError(
            f"parameter {parameter.name}: number {number} is taken by {taken[number]} {where}",
            f"free: {', '.join(map(str, free))}",
        )
    return number
