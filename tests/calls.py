# SPDX-License-Identifier: GPL-2.0-only
"""What this process asks of its system, as a test sees it and lets it fail.

By audit hooks of Python's: whatever way a file is opened or moved, it is seen.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

#: Gets the name of an audit event and its arguments; what it raises, the call raises.
See = Callable[[str, tuple[object, ...]], None]

_watching: list[See] = []


@cache
def _installed() -> None:
    """Once: no hook can be taken away again."""
    sys.addaudithook(lambda event, args: [see(event, args) for see in _watching])


@contextmanager
def seen(see: See) -> Iterator[None]:
    """Let a function see each call of a block."""
    _installed()
    _watching.append(see)
    try:
        yield
    finally:
        _watching.remove(see)


@contextmanager
def named(event: str) -> Iterator[list[str]]:
    """What the calls of an audit event in a block are about: the first argument of each."""
    names: list[str] = []

    def see(name: str, args: tuple[object, ...]) -> None:
        if name == event:
            names.append(str(args[0]))

    with seen(see):
        yield names


@contextmanager
def opened(below: Path) -> Iterator[list[str]]:
    """The files below a directory that are opened in a block, by their names in it."""
    names: list[str] = []

    def see(event: str, args: tuple[object, ...]) -> None:
        if event == "open" and isinstance(args[0], str | Path):
            path = Path(args[0])
            if path.is_relative_to(below):
                names.append(str(path.relative_to(below)))

    with seen(see):
        yield names


@contextmanager
def failing(event: str, error: BaseException, at: int = 1) -> Iterator[None]:
    """Let a call of a block fail. at: its number among those of an audit event."""
    left = at

    def see(name: str, _: tuple[object, ...]) -> None:
        nonlocal left
        if name == event:
            left -= 1
            if left == 0:
                raise error

    with seen(see):
        yield
