# SPDX-License-Identifier: GPL-2.0-only
"""Entry point: runs the command line, and is the one place where errors become exit codes."""

import os
import signal
import sys
from types import FrameType

from dmabuf_patchgen.errors import Exit, UserError
from dmabuf_patchgen.signals import ENDING


class Terminated(BaseException):
    """A signal asks the program to end. No exception that anybody handles but `run`."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = number


def main() -> None:
    """Run `dmabuf-patchgen` and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line; the exit code. Errors are one line on stderr."""
    for ending in ENDING:
        # nohup and shells start a program with signals that it shall not heed.
        if signal.getsignal(ending) is not signal.SIG_IGN:
            signal.signal(ending, _end)
    try:
        return _run(arguments)
    except Terminated as error:
        return _fail("interrupted", "nothing half-done is left behind", 128 + error.signal)


def _run(arguments: list[str]) -> int:
    import click

    from dmabuf_patchgen.cli.group import cli

    try:
        outcome = cli.main(arguments, prog_name="dmabuf-patchgen", standalone_mode=False)
        sys.stdout.flush()
    except UserError as error:
        code = _fail(error.message, error.hint, error.exit_code)
        for line in error.details:
            print(f"  {' '.join(line.split())}", file=sys.stderr)
        return code
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "dmabuf-patchgen"
        return _fail(error.format_message().rstrip("."), f"see {command} --help", Exit.USER)
    except click.exceptions.Exit as error:
        return error.exit_code
    except BrokenPipeError:
        # The reader of a pipe has seen enough; keep Python from flushing into it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except RecursionError:
        return _fail("a file that was read is nested too deeply", "", Exit.USER)
    except MemoryError:
        return _fail("out of memory", "", Exit.USER)
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _fail(f"{place}{error.strerror or error}", "", Exit.USER)
    return outcome if isinstance(outcome, int) else Exit.OK


def _fail(message: str, hint: str, code: int) -> int:
    said = " ".join(f"{message}; {hint}".split()) if hint else " ".join(message.split())
    # What a tree or a program said may have escapes for a terminal in it.
    said = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in said)
    print(f"dmabuf-patchgen: {said}", file=sys.stderr)
    return code


def _end(number: int, _frame: FrameType | None) -> None:
    # What is under way is undone on the way out, and a second signal must not undo that.
    for ending in ENDING:
        signal.signal(ending, signal.SIG_IGN)
    raise Terminated(number)


if __name__ == "__main__":
    main()
