# SPDX-License-Identifier: GPL-2.0-only
"""Entry point: runs the command line, and is the one place where errors become exit codes."""

from __future__ import annotations

import errno
import itertools
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from dmabuf_patchgen import xdg
from dmabuf_patchgen.cli import streams
from dmabuf_patchgen.errors import Exit, UserError
from dmabuf_patchgen.signals import ENDING

if TYPE_CHECKING:
    from dmabuf_patchgen.check.verdict import Checks


class Terminated(BaseException):
    """A signal asks the program to end. No exception that anybody handles but `run`."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = number


def main() -> None:
    """Run `dmabuf-patchgen` and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str], checks: Checks | None = None) -> int:
    """Run the command line; the exit code. checks: see cli.options.Session.

    Errors are one line on stderr, and an object on stdout where --json is asked for.
    """
    for ending in ENDING:
        # nohup and shells start a program with signals that it shall not heed.
        if signal.getsignal(ending) is not signal.SIG_IGN:
            signal.signal(ending, _end)
    try:
        streams.settle()
        return _run(arguments, checks)
    except Terminated as error:
        failure = UserError("interrupted", "nothing half-done is left behind")
        return _fail(failure, 128 + error.signal, arguments)


def _run(arguments: list[str], checks: Checks | None) -> int:
    try:
        outcome = _called(arguments, checks)
        sys.stdout.flush()
    except UserError as error:
        return _fail(error, error.exit_code, arguments)
    except MemoryError:
        return _fail(UserError("out of memory"), Exit.USER, arguments)
    except RecursionError:
        return _fail(
            UserError("something in the tree or the templates is nested too deeply to be read"),
            Exit.USER,
            arguments,
        )
    except OSError as error:
        return _fail(_of_system(error), Exit.USER, arguments)
    return outcome


def _called(arguments: list[str], checks: Checks | None) -> int:
    """Run the verb; its exit code. Raises UserError for what is no command line as well."""
    import click

    from dmabuf_patchgen.cli.group import cli, misplaced

    try:
        outcome = cli.main(
            arguments, prog_name="dmabuf-patchgen", standalone_mode=False, obj=checks
        )
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return Exit.USER
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "dmabuf-patchgen"
        raise misplaced(error) or UserError(
            error.format_message().rstrip("."), f"see {command} --help"
        ) from None
    except click.exceptions.Exit as error:
        return error.exit_code
    return outcome if isinstance(outcome, int) else Exit.OK


def _of_system(error: OSError) -> UserError:
    """What the system says, with the place it is about."""
    message = error.strerror or str(error)
    if error.filename:
        return UserError(f"{error.filename}: {message}")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        places = f"{tempfile.gettempdir()} (TMPDIR) and {xdg.cache()} (XDG_CACHE_HOME)"
        return UserError(f"{message}: what is written goes to {places}, and where -o says")
    try:
        Path.cwd()
    except OSError:
        return UserError(f"the current directory: {message}", "go to one that is there")
    return UserError(message)


def _printable(text: str) -> str:
    """A text as one line, for what a tree or a program said may have escapes for a terminal."""
    line = " ".join(text.split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


def _fail(error: UserError, code: int, arguments: list[str]) -> int:
    message = "; ".join(_printable(part) for part in (error.message, error.hint) if part)
    print(f"dmabuf-patchgen: {message}", file=sys.stderr)
    for line in error.details:
        print(f"  {_printable(line)}", file=sys.stderr)
    if "--json" in itertools.takewhile(lambda argument: argument != "--", arguments):
        failure = {"message": error.message, "hint": error.hint, "exit_code": int(code)}
        if error.details:
            failure["details"] = list(error.details)
        print(streams.as_json({"error": failure}))
        sys.stdout.flush()
    return code


def _end(number: int, _frame: FrameType | None) -> None:
    # What is under way is undone on the way out, and a second signal must not undo that.
    for ending in ENDING:
        signal.signal(ending, signal.SIG_IGN)
    raise Terminated(number)


if __name__ == "__main__":
    main()
