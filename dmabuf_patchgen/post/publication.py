# SPDX-License-Identifier: GPL-2.0-only
"""A branch and its keys in the user's configuration, both of them or neither.

git has no step that changes a ref and the configuration, so this one is made of three: what is
about to be is noted down, the configuration is exchanged by one rename, and the branch is moved.
The lock is git's own, config.lock, held from the first look to the last step, so that neither
git nor b4 nor another prep writes in between. It is a link to the note, by which whoever comes
after a run that was killed knows the lock to be its, and takes back what it had begun.
"""

import fcntl
import json
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from dmabuf_patchgen import process, signals
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.render import branch
from dmabuf_patchgen.tree import git

#: Seconds for which a lock may be there: git holds it for some milliseconds.
_PATIENCE = 1.0


@dataclass(frozen=True, slots=True)
class Change:
    """A branch that is about to be moved, with the keys that go along.

    tip: the commit that it will point to; replaces: that which it points to, None if it is new;
    before, after: what the configuration has and will have for each key, None for nothing.
    """

    branch: str
    tip: str
    replaces: str | None
    before: Mapping[str, str | None]
    after: Mapping[str, str | None]

    @classmethod
    def read(cls, text: bytes) -> "Change | None":
        """From a note; None for one that is not whole, before which nothing was changed."""
        try:
            change = cls(**json.loads(text))
            keys = {*change.before, *change.after}
        except (ValueError, TypeError):
            return None
        return change if all(key.startswith(f"branch.{change.branch}.") for key in keys) else None


def settle(repo: Path, progress: Callable[[str], None]) -> None:
    """Take back what a run that was killed had begun; nothing is done if there is none.

    Waits for a run that is at work. Raises UserError.
    """
    if _Configuration.of(repo).note.exists():
        with _locked(repo, progress) as config:
            config.settle()


def publish(
    repo: Path, change: Change, point: Callable[[], None], progress: Callable[[str], None]
) -> None:
    """Set the keys of a branch and move it, or neither.

    point: moves the branch, if it still is where it was. Raises UserError, also if the branch
    or a key is no longer as `change` has it from before: somebody else was quicker.
    """
    with _locked(repo, progress) as config:
        config.settle()
        found = {key: config.value(key) for key in change.before}
        if branch.tip(repo, change.branch) != change.replaces or found != {**change.before}:
            raise UserError(
                f"branch {change.branch} was made or changed while this ran", "run it again"
            )
        config.begin(change)
        try:
            config.write(change.after)
            point()
        except BaseException as failure:
            try:
                config.settle()
            except (OSError, UserError) as error:
                raise UserError(
                    f"{failure}; and the keys of branch {change.branch} are left: {error}",
                    "the next prep takes them back",
                ) from None
            raise
        config.finish()


class _Configuration:
    """The configuration of a repository, its lock, and the note of what is done to it."""

    def __init__(self, repo: Path, path: Path) -> None:
        self._repo = repo
        self._path = path
        #: What is about to be, and what git takes for its lock while that is done.
        self.note = path.with_name(f"{path.name}.dmabuf-patchgen")
        self.lock = path.with_name(f"{path.name}.lock")
        self._new = path.with_name(f"{path.name}.dmabuf-patchgen-new")
        self._begun = False

    @classmethod
    def of(cls, repo: Path) -> "_Configuration":
        output = git.git(repo, "rev-parse", "--path-format=absolute", "--git-path", "config").exact
        # As git does it: a link stays, what it leads to is exchanged.
        return cls(repo, Path(output.removesuffix("\n")).resolve())

    def value(self, key: str) -> str | None:
        """What the configuration has for a key."""
        return _value(self._repo, self._path, key)

    def begin(self, change: Change) -> None:
        """Note what is about to be. Nothing has begun before the note is whole."""
        self._begun = True
        with self.note.open("r+b") as note:
            note.truncate()
            note.write(json.dumps(asdict(change)).encode())
            note.flush()
            os.fsync(note.fileno())

    def finish(self) -> None:
        """The note has no more to tell."""
        self._begun = False

    def settle(self) -> None:
        """Take back what was begun and is not done: keys that still have its values."""
        self._begun = True
        self._new.unlink(missing_ok=True)
        change = Change.read(self.note.read_bytes())
        if change and change.tip != change.replaces == branch.tip(self._repo, change.branch):
            now = {key: self.value(key) for key in change.after}
            back = {key: change.before[key] for key in now if now[key] == change.after[key]}
            if any(now[key] != value for key, value in back.items()):
                self.write(back)
        self.finish()

    def write(self, values: Mapping[str, str | None]) -> None:
        """Set keys, and take those out that have None, by one rename."""
        with process.temporary("dmabuf-patchgen-") as scratch:
            copy = scratch / "config"
            copy.write_bytes(self._path.read_bytes())
            for key, value in values.items():
                edit = ("--replace-all", key, value) if value is not None else ("--unset-all", key)
                if value is not None or _value(self._repo, copy, key) is not None:
                    git.git(self._repo, "config", "--file", str(copy), *edit)
            content = copy.read_bytes()
        mode = stat.S_IMODE(self._path.stat().st_mode)
        with self._new.open("xb") as new:
            new.write(content)
            os.fchmod(new.fileno(), mode)
            new.flush()
            os.fsync(new.fileno())
        self._new.rename(self._path)
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def acquire(self) -> None:
        """Take git's lock; one that a killed run left is ours already. Raises UserError."""
        deadline = time.monotonic() + _PATIENCE
        while not self._is_ours():
            try:
                os.link(self.note, self.lock)
            except FileExistsError:
                if time.monotonic() > deadline:
                    raise UserError(
                        f"{self.lock}: another program changes this configuration",
                        "if none does, remove that file",
                    ) from None
                time.sleep(0.02)

    def release(self) -> None:
        """Let git have its lock back. The note stays as long as it tells of something begun."""
        self._new.unlink(missing_ok=True)
        if self._is_ours():
            self.lock.unlink()
        if not self._begun:
            self.note.unlink()

    def _is_ours(self) -> bool:
        try:
            return self.lock.samefile(self.note)
        except FileNotFoundError:
            return False


@contextmanager
def _locked(repo: Path, progress: Callable[[str], None]) -> Iterator[_Configuration]:
    """The configuration, locked for a step that no signal ends in the middle. Raises UserError."""
    configuration = _Configuration.of(repo)
    try:
        note = _alone(configuration.note, progress)
        try:
            with signals.blocked():
                try:
                    configuration.acquire()
                    yield configuration
                finally:
                    configuration.release()
        finally:
            os.close(note)
    except OSError as error:
        raise UserError(f"{error.filename or repo}: {error.strerror}") from None


def _alone(note: Path, progress: Callable[[str], None]) -> int:
    """Open the note with a lock that ends with this process, however that ends."""
    while True:
        file = os.open(note, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress(f"waiting for another prep, which holds {note}")
                fcntl.flock(file, fcntl.LOCK_EX)
            # Whoever had it before may have taken it away.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file), note.stat()):
                    return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def _value(repo: Path, file: Path, key: str) -> str | None:
    output = git.ask(repo, "config", "--file", str(file), "-z", "--get", key)
    return None if output is None else output.removesuffix("\0")
