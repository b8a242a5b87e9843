# SPDX-License-Identifier: GPL-2.0-only
"""Options and arguments that more than one verb takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from dmabuf_patchgen.errors import UserError

if TYPE_CHECKING:
    from dmabuf_patchgen.check.verdict import Checks
    from dmabuf_patchgen.tree.source import KernelTree


Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Session:
    """What a verb works on, by the options that come before it, and what it works with.

    path, base: which tree, at which revision; checks: what prep checks patches with, None for
    check.checks, which is not imported before it is needed.
    """

    path: Path
    base: str | None
    checks: Checks | None = None

    def tree(self) -> KernelTree:
        """The kernel tree. Raises UserError."""
        from dmabuf_patchgen.tree.source import open_tree

        return open_tree(self.path, self.base)


class SeriesName(click.ParamType[str]):
    """The name of a series, with completion for the shell."""

    name = "series"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from dmabuf_patchgen.render import catalogue
        from dmabuf_patchgen.render.environment import Environment

        known = catalogue.names(Environment())
        return [CompletionItem(name) for name in known if name.startswith(incomplete)]


class Seconds(click.FloatRange):
    """A time in seconds: a number, in its range."""

    name = "seconds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        found = super().convert(value, param, ctx)
        if math.isnan(found):
            # It is neither below a range nor above it.
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        return found


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
series_names = click.argument(
    "names", metavar="SERIES...", nargs=-1, required=True, type=SeriesName()
)
typed_parameters = click.option(
    "-p", "typed", metavar="NAME=VALUE", multiple=True, help="A parameter, see `show SERIES`."
)


def output_directory(help_text: str) -> Callable[[Command], Command]:
    """The option -o of a verb that writes several files. help_text: which."""
    return click.option(
        "-o", "directory", metavar="DIR", type=click.Path(path_type=Path), help=help_text
    )


def values(texts: Sequence[str]) -> dict[str, str]:
    """Values of -p by name. Raises UserError for what is none, and for two of one name."""
    given: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UserError(f"-p {text}: no NAME=VALUE", "for example -p severity=refuse")
        if given.setdefault(name, value) != value:
            raise UserError(f"-p {text}: {name} is given twice", "leave one of them out")
    return given
