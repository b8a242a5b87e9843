# SPDX-License-Identifier: GPL-2.0-only
"""The one way this project runs another program."""

import contextlib
import logging
import os
import selectors
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dmabuf_patchgen import signals
from dmabuf_patchgen.errors import MissingTool, UserError

#: Tells each command that is run, ready to be pasted, which -v shows; and, to `python -m
#: bench.calls`, how long it took.
_LOG = logging.getLogger(__name__)

#: Seconds between two looks at a program whose output is taken.
_LOOK = 0.5

#: Debian package of each program that the project may run.
PACKAGES = {
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu",
    "bc": "bc",
    "bison": "bison",
    "flex": "flex",
    "gcc": "gcc",
    "git": "git",
    "make": "make",
    "patch": "patch",
    "perl": "perl",
    "python3": "python3",
    "setpriv": "util-linux",
    "sparse": "sparse",
    "vng": "virtme-ng",
}


def is_utf8(text: str) -> bool:
    """Whether a text as the system gave it, an argument or a path, is one in UTF-8 as well."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


@dataclass(frozen=True, slots=True)
class Finished:
    """A program that ran to its end."""

    argv: tuple[str, ...]
    returncode: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output to be read or shown; bytes that are not UTF-8 are told by number."""
        return self.stdout.decode(errors="backslashreplace")

    @property
    def exact(self) -> str:
        """Standard output as text that becomes the same bytes again, as a path or an argument."""
        return os.fsdecode(self.stdout)

    def utf8(self, what: str) -> str:
        """Standard output for what is to be written, of which nothing may get lost.

        what: it is, for a message. Raises UserError if it is not UTF-8.
        """
        try:
            return self.stdout.decode()
        except UnicodeDecodeError:
            raise UserError(
                f"{what} is not UTF-8: {self.text.strip()}", "write it in UTF-8"
            ) from None

    @property
    def last_words(self) -> str:
        """The last line that the program said on stderr, for a message of one line."""
        lines = self.stderr.decode(errors="backslashreplace").strip().splitlines()
        return lines[-1] if lines else f"exit code {self.returncode}"


@dataclass(frozen=True, slots=True)
class Streamed:
    """A program whose output was taken as it came.

    returncode: None where it was ended by us; late: whether because its time was over;
    last_words: the end of what it said on stderr.
    """

    returncode: int | None
    late: bool
    last_words: str


def require(tool: str) -> str:
    """Path of a program, or MissingTool with the package to install."""
    found = shutil.which(tool)
    if found is None:
        raise MissingTool(tool, PACKAGES.get(tool, tool))
    return found


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    timeout: float | None = None,
    check: bool = True,
    merged: bool = False,
    on_line: Callable[[str], None] | None = None,
) -> Finished:
    """Run a program and wait for it; its whole process group ends with it.

    env: the whole environment, None for that of this process; timeout: seconds; merged: what
    is said on stderr comes in stdout, at its place; on_line: is told each line of a merged
    output as it comes, of a program that takes no input and no time limit.
    Raises MissingTool if the program is not there, UserError if it fails and
    check is set, or if it takes longer than timeout.
    """
    require(argv[0])
    if any("\0" in word for word in argv):
        raise UserError(f"{_shortened(shlex.join(argv))}: an argument has a byte that is NUL")
    where = f"cd {shlex.quote(str(cwd))} && " if cwd else ""
    _LOG.info("(%s%s)", where, shlex.join(argv))
    with (
        _timed(argv),
        subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merged else subprocess.PIPE,
            start_new_session=True,
        ) as child,
    ):
        try:
            out, err = _heard(child, on_line) if on_line else child.communicate(stdin, timeout)
        except subprocess.TimeoutExpired:
            kill_group(child)
            raise UserError(f"{shlex.join(argv)} took longer than {timeout:g} s") from None
        except BaseException:
            # Ctrl-C, or an exception from a signal handler: nothing may go on behind us.
            kill_group(child)
            raise
    done = Finished(tuple(argv), child.returncode, out, err or b"")
    if check and done.returncode:
        raise UserError(f"{_shortened(shlex.join(argv))} failed: {done.last_words}")
    return done


@contextmanager
def _timed(argv: Sequence[str]) -> Iterator[None]:
    """Tell, below what -v shows, when a program began and ended."""
    start = time.perf_counter()
    try:
        yield
    finally:
        _LOG.debug("from %.3f s to %.3f s: %s", start, time.perf_counter(), argv)


def _heard(
    child: "subprocess.Popen[bytes]", on_line: Callable[[str], None]
) -> tuple[bytes, bytes | None]:
    """What communicate() gives, each line told as it comes."""
    lines = []
    if child.stdin and child.stdout:
        child.stdin.close()
        for line in child.stdout:
            lines.append(line)
            on_line(line.decode(errors="replace").rstrip())
    child.wait()
    return b"".join(lines), None


def stream(
    argv: Sequence[str],
    *,
    take: Callable[[bytes], bool],
    timeout: float,
    merged: bool = False,
    hear: Callable[[bytes], bool] = lambda piece: True,
    watch: Callable[[int], bool] = lambda pid: True,
) -> Streamed:
    """Run a program without input, and hand over what it says on stdout as it comes.

    take: gets each piece, and says whether the program may go on; merged: it gets what is said
    on stderr as well, at its place; hear: the same for stderr where it is not merged; watch:
    gets the program's process id twice a second, and says the same. timeout: seconds, after which
    the program is ended with its whole process group. It is ended as well if one of them raises
    something, and by the kernel if this process is killed, or the thread that called this ends.
    Raises MissingTool if the program is not there.
    """
    require(argv[0])
    require("setpriv")
    _LOG.info("(%s </dev/null)", shlex.join(argv))
    deadline = time.monotonic() + timeout
    with (
        _timed(argv),
        subprocess.Popen(
            # A SIGKILL leaves us no time to end anything.
            ["setpriv", "--pdeathsig", "KILL", *argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merged else subprocess.PIPE,
            start_new_session=True,
        ) as child,
    ):
        try:
            words = _Tail(hear)
            finished = _pump(child, take, words.take, watch, deadline)
            returncode = child.wait(max(0.1, deadline - time.monotonic())) if finished else None
        except subprocess.TimeoutExpired:
            returncode = None
        except BaseException:
            kill_group(child)
            raise
        if returncode is None:
            kill_group(child)
    late = returncode is None and time.monotonic() >= deadline
    return Streamed(returncode, late, words.text)


class _Tail:
    """The end of an output of any length; hear: who else gets it."""

    def __init__(self, hear: Callable[[bytes], bool]) -> None:
        self._kept = b""
        self._hear = hear

    def take(self, piece: bytes) -> bool:
        self._kept = (self._kept + piece)[-4096:]
        return self._hear(piece)

    @property
    def text(self) -> str:
        """The last line."""
        lines = self._kept.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""


def _pump(
    child: "subprocess.Popen[bytes]",
    out: Callable[[bytes], bool],
    err: Callable[[bytes], bool],
    watch: Callable[[int], bool],
    deadline: float,
) -> bool:
    """Hand over both outputs to their ends; False if it may not go on, or the time is over."""
    look = time.monotonic() + _LOOK
    with selectors.DefaultSelector() as waiting:
        for stream, take in ((child.stdout, out), (child.stderr, err)):
            if stream:
                waiting.register(stream.fileno(), selectors.EVENT_READ, take)
        while waiting.get_map():
            ready = waiting.select(max(0.0, min(deadline, look) - time.monotonic()))
            now = time.monotonic()
            if now >= deadline:
                return False
            if now >= look:
                look = now + _LOOK
                if not watch(child.pid):
                    return False
            for key, _ in ready:
                piece = os.read(key.fd, 65536)
                if not piece:
                    waiting.unregister(key.fd)
                elif not key.data(piece):
                    return False
    return True


@contextmanager
def temporary(prefix: str, directory: Path | None = None) -> Iterator[Path]:
    """A temporary directory for the length of a block; no signal comes between it and its end."""
    path = None
    try:
        with signals.blocked():
            path = Path(tempfile.mkdtemp(prefix=prefix, dir=directory))
        yield path
    finally:
        with signals.blocked():
            if path is not None:
                shutil.rmtree(path, ignore_errors=True)


def _shortened(command: str) -> str:
    """A command in a message of one line; -v shows the whole of it."""
    return command if len(command) <= 100 else f"{command[:97]}..."


def kill_group(child: "subprocess.Popen[bytes]") -> None:
    """End a child that was started in a session of its own, with all its children."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
