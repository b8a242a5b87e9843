# SPDX-License-Identifier: GPL-2.0-only
"""Some files of a directory exchanged for others: all of them or none, also after a kill.

Within the directory, which may be a mount point or somebody's current one, there is a stage for
as long as that takes. New files are written there and old ones moved there; a list of both,
written before the first move, lets whoever comes after a run that was killed take back its moves.
The list is locked while its run lives, and it goes first once all is done.
"""

import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from dmabuf_patchgen.errors import UserError

_STAGE = ".dmabuf-patchgen"
_LIST = "exchange.json"


def digest(content: bytes) -> str:
    """By which a file is known again."""
    return hashlib.sha256(content).hexdigest()


def is_plain(name: str) -> bool:
    """Whether it names a file beside others, and nothing elsewhere."""
    return name not in ("", ".", "..") and "/" not in name and "\0" not in name


@contextmanager
def exchanged(directory: Path, old: Sequence[str], new: Mapping[str, bytes]) -> Iterator[None]:
    """Files of a directory exchanged, for good if the block succeeds.

    old: names of files to take away; new: contents by name. Raises UserError if another run
    is at work there, OSError if there is no room; everything is then as it was.
    """
    stage = _Stage.begun(directory)
    try:
        moves = stage.fill(old, new)
    except BaseException:
        stage.clear()
        raise
    try:
        stage.exchange(moves)
        yield
        stage.keep()
    except BaseException as failure:
        try:
            stage.undo(moves)
        except (OSError, UserError) as error:
            raise UserError(
                f"{failure}; and what was in {directory} is in {stage.path}: {error}",
                "the next run that writes there puts it back",
            ) from None
        stage.clear()
        raise
    stage.clear()


def settle(directory: Path) -> None:
    """Take back what a run that was killed had begun; nothing is done if there is none.

    Raises UserError if a run is at work there, or a file that it wrote was changed since.
    """
    path = directory / _STAGE
    if path.is_symlink() or not path.is_dir():
        return
    try:
        with (path / _LIST).open("r+b") as held:
            stage = _Stage(path, held)
            stage.lock()
            moves = _Moves.read(held.read())
            if moves:
                stage.undo(moves)
    except FileNotFoundError:
        # It was killed before its first move, or after its last.
        pass
    shutil.rmtree(path)


@dataclass(frozen=True, slots=True)
class _Moves:
    """What an exchange moves. old: names; new: digests by name."""

    old: tuple[str, ...]
    new: Mapping[str, str]

    @classmethod
    def read(cls, text: bytes) -> "_Moves | None":
        """From a list; None for one that is not whole, before which nothing was moved."""
        try:
            fields = json.loads(text)
            moves = cls(tuple(fields["old"]), {**fields["new"]})
            return moves if all(map(is_plain, (*moves.old, *moves.new))) else None
        except (ValueError, TypeError, LookupError):
            return None


class _Stage:
    """The directory in the directory. moves: its list, open for as long as its run lives."""

    def __init__(self, path: Path, moves: BinaryIO) -> None:
        self.path = path
        self._list = moves

    @classmethod
    def begun(cls, directory: Path) -> "_Stage":
        """A new one."""
        path = directory / _STAGE
        try:
            path.mkdir()
        except FileExistsError:
            raise _at_work(directory) from None
        try:
            stage = cls(path, (path / _LIST).open("xb"))
            stage.lock()
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)
            raise
        return stage

    def lock(self) -> None:
        """Hold the list until it is closed, however this process ends. Raises UserError."""
        try:
            fcntl.flock(self._list, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _at_work(self.path.parent) from None

    def fill(self, old: Sequence[str], new: Mapping[str, bytes]) -> _Moves:
        """Write the new files, and then the list."""
        for name in ("new", "old"):
            (self.path / name).mkdir()
        for name, content in new.items():
            (self.path / "new" / name).write_bytes(content)
        moves = _Moves(tuple(old), {name: digest(content) for name, content in new.items()})
        self._list.write(json.dumps(asdict(moves)).encode())
        self._list.flush()
        return moves

    def exchange(self, moves: _Moves) -> None:
        """Move the old files out and the new ones in."""
        for name in moves.old:
            (self.path.parent / name).rename(self.path / "old" / name)
        for name in moves.new:
            (self.path / "new" / name).rename(self.path.parent / name)

    def undo(self, moves: _Moves) -> None:
        """Move back what was moved, be it all or a part. Raises UserError before the first."""
        directory = self.path.parent
        moved = [name for name in moves.new if not (self.path / "new" / name).exists()]
        there = [name for name in moved if (directory / name).exists()]
        for name in there:
            if digest((directory / name).read_bytes()) != moves.new[name]:
                raise UserError(
                    f"{directory / name}: was changed since it was written",
                    "move it away if you want to keep it",
                )
        for name in there:
            (directory / name).rename(self.path / "new" / name)
        for name in moves.old:
            with suppress(FileNotFoundError):
                (self.path / "old" / name).rename(directory / name)

    def keep(self) -> None:
        """Let it be as it is now: without its list, a stage is only to be cleared away."""
        (self.path / _LIST).unlink()

    def clear(self) -> None:
        """Take it away."""
        self._list.close()
        shutil.rmtree(self.path, ignore_errors=True)


def _at_work(directory: Path) -> UserError:
    return UserError(
        f"{directory}: another run writes to it", "wait for its end, or choose another -o"
    )
