# SPDX-License-Identifier: GPL-2.0-only
"""The errors a user can act on; everything else is a bug and may show a traceback."""

from enum import Enum, IntEnum
from typing import Any


class Exit(IntEnum):
    """Exit codes of the command, told apart so that scripts can."""

    OK = 0
    USER = 1
    FINDINGS = 2
    MISSING = 3


class Why(Enum):
    """Why a place in a tree cannot be edited: what tables, JSON and tests read."""

    MISSING = "missing"
    TWICE = "twice"
    DOES_NOT_PARSE = "does not parse"
    #: The parser and the braces do not agree where a definition ends.
    UNCLEAR_END = "unclear end"
    #: Other code stands on the same line, or the place is but a part of a statement.
    NOT_ALONE = "not alone"
    #: Under an #ifdef, ifeq and the like that the hunk does not name.
    CONDITIONAL = "conditional"
    #: What stands above a label runs into it.
    FALLS_THROUGH = "falls through"
    #: New text would become part of a comment, or of a line that is continued.
    IN_COMMENT = "in comment"
    TAKEN = "taken"
    HALF_THERE = "half there"
    NO_SUCH_FILE = "no such file"
    LINK = "link"
    #: The patch leaves a file that no longer parses.
    BREAKS_FILE = "breaks file"
    #: The hunk itself is none: its form, not the tree.
    WRONG_HUNK = "wrong hunk"


class UserError(Exception):
    """Something in the input, the tree or the machine that its user can put right.

    message: one line that names the place and the cause.
    hint: what to do next, one line; empty where the message says it.
    details: further lines, where there is more than one cause.
    """

    exit_code = Exit.USER

    def __init__(self, message: str, hint: str = "", details: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details

    def __reduce__(self) -> tuple[Any, ...]:
        """Made again with all that it holds, whatever its class's __init__ takes: forks send it."""
        return Exception.__new__, (type(self), *self.args), self.__dict__


class MissingTool(UserError):
    """A program that is needed is not installed; a check never passes without its tool."""

    exit_code = Exit.MISSING

    def __init__(self, tool: str, package: str) -> None:
        super().__init__(f"{tool} is not installed", f"install it: apt-get install {package}")
        self.tool = tool
        self.package = package


class NotInTree(UserError):
    """A path that a template or a check asks for is not in the kernel tree."""
