# SPDX-License-Identifier: GPL-2.0-only
"""The Jinja environment in which templates and `when` conditions are read."""

from __future__ import annotations

import textwrap
import tomllib
import traceback
from collections.abc import Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any
from weakref import finalize

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, TemplateSyntaxError, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from dmabuf_patchgen import xdg
from dmabuf_patchgen.audit.facts import AuditFacts
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.render import compiled, data
from dmabuf_patchgen.tree.facts import TreeFacts, tree_of

#: What Jinja raises for a wrong template, and Python for a wrong call in one.
_WRONG = (TemplateError, TypeError, ValueError, LookupError, ArithmeticError)


class Facts(Mapping[str, Any]):
    """The named facts of a tree, each found when it is first asked for.

    Their expressions stand in templates/facts.toml: a fact is data, not Python.
    """

    def __init__(self, environment: Environment, tree: TreeFacts) -> None:
        self._environment = environment
        self._tree = tree
        self._known: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._known:
            entry = self._environment.fact_table[name]
            self._known[name] = self._environment.evaluate(
                entry["find"],
                {"tree": self._tree, "fact": self, "audit": AuditFacts(tree_of(self._tree))},
                "facts.toml",
            )
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._environment.fact_table)

    def __len__(self) -> int:
        return len(self._environment.fact_table)


def added(text: str) -> str:
    """Filter: every line of a text as a + line of a hunk."""
    return "".join(f"+{line}\n" for line in text.rstrip("\n").split("\n"))


def wrapped(text: str, width: int = 74, first: str = "", rest: str = "") -> str:
    """Filter: a paragraph filled to the width that a commit message wants.

    first, rest: what the first line and the others begin with.
    """
    filled = textwrap.fill(
        " ".join(text.split()),
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return filled + "\n"


class Environment:
    """Templates, `when` conditions and threads of one templates directory."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or data.templates()
        kept = _kept(self.root)
        self._jinja = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(self.root),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            bytecode_cache=kept,
        )
        if kept:
            # As late as can be, and so in one go.
            finalize(self, kept.save)
        # Facts and conditions are asked anew for every patch, on what the tree is by then.
        self._compiled = cache(partial(compiled.expression, self._jinja))
        self._jinja.filters["added"] = added
        self._jinja.filters["wrapped"] = wrapped
        self._jinja.globals["link"] = self.link
        self._jinja.globals["author"] = self.author
        self._threads = self.toml("threads.toml")
        self.fact_table = self.toml("facts.toml")

    def toml(self, name: str) -> dict[str, Any]:
        """A data file of the templates directory. Raises UserError with its place."""
        path = self.root / name
        try:
            return tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UserError(f"{path}: no such file") from None
        except ValueError as error:
            # No TOML, or no UTF-8.
            raise UserError(f"{path}: {error}") from None

    def link(self, thread: str) -> str:
        """Address of a thread that threads.toml names, for a Link: trailer.

        Raises LookupError if there is none, as do author() and subject().
        """
        return f"https://lore.kernel.org/r/{self._thread(thread)['message-id']}"

    def author(self, thread: str) -> str:
        """Who began a thread that threads.toml names, as `Name <address>` at the time."""
        return str(self._thread(thread)["author"])

    def subject(self, thread: str) -> str:
        """Subject of a thread that threads.toml names, without what stands in brackets."""
        return str(self._thread(thread)["subject"])

    def _thread(self, name: str) -> dict[str, Any]:
        if name not in self._threads:
            raise LookupError(f"no thread is named {name!r} in threads.toml")
        thread: dict[str, Any] = self._threads[name]
        return thread

    def evaluate(self, expression: str, context: Mapping[str, Any], name: str) -> Any:
        """Value of an expression of a data file. Raises UserError naming the file and line."""
        try:
            value = self._compiled(expression)(**context)
            if isinstance(value, Undefined):
                # Strict as it is, it says so when it is looked at.
                bool(value)
        except _WRONG as error:
            place = f"{self.root / name}{_line_of(self.root / name, expression)}"
            raise UserError(f"{place}: {error} in {expression!r}") from None
        return value

    def expand(self, text: str, context: Mapping[str, Any], name: str) -> str:
        """A text of a data file, rendered. Raises UserError naming the file and line."""
        try:
            return compiled.text(self._jinja, text).render(context)
        except _WRONG as error:
            place = f"{self.root / name}{_line_of(self.root / name, text)}"
            raise UserError(f"{place}: {error}") from None

    def render(self, name: str, context: Mapping[str, Any]) -> str:
        """A template, rendered. Raises UserError naming file, line and what is wrong."""
        try:
            return self._jinja.get_template(name).render(context)
        except TemplateSyntaxError as error:
            path = self.root / (error.name or name)
            raise UserError(f"{path}:{error.lineno}: {error.message}") from None
        except _WRONG as error:
            place = _template_line(error, self.root) or str(self.root / name)
            raise UserError(f"{place}: {error}") from None


def _kept(root: Path) -> compiled.Compiled | None:
    """Where compiled templates of a directory are kept; nowhere for who has no home."""
    try:
        return compiled.Compiled(compiled.place(xdg.cache(), root))
    except RuntimeError:
        return None


def _line_of(path: Path, text: str) -> str:
    """`:LINE` at which a file has a text, empty where it is written in another way."""
    before, found, _ = path.read_text(encoding="utf-8").partition(text)
    return f":{before.count(chr(10)) + 1}" if found else ""


def _template_line(error: BaseException, root: Path) -> str | None:
    """The innermost line of a template in a traceback: Jinja puts templates there by name."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if Path(frame.filename).is_relative_to(root):
            return f"{frame.filename}:{frame.lineno}"
    return None
