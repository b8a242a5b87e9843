# SPDX-License-Identifier: GPL-2.0-only
"""For tests of templates: files before, a template, and the files after or the refusal.

Whoever writes a template tests it in a few lines, without a kernel tree. docs/templates.md,
"Testing a template", shows how.
"""

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dmabuf_patchgen.errors import NotInTree, UserError, Why
from dmabuf_patchgen.render import catalogue
from dmabuf_patchgen.render.environment import Environment
from dmabuf_patchgen.render.outcome import Rendered
from dmabuf_patchgen.render.series import stack
from dmabuf_patchgen.tree.source import Tree

#: What a tree has besides the files that a test gives: a version.
_TOP = {"Makefile": b"VERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 0\nEXTRAVERSION =\n"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a template or a series made of some files.

    after: all files as they are then, as text; message: of the last patch, empty if there is
    none; rendered: all else that is known.
    """

    after: Mapping[str, str]
    message: str
    rendered: Rendered

    @property
    def left_out(self) -> tuple[str, ...]:
        """Why patches and hunks were left out."""
        return tuple(one.reason for one in self.rendered.left_out)

    @property
    def refused(self) -> tuple[Why, ...]:
        """The kinds of what is in the way; none where it fits."""
        return tuple(one.why for one in self.rendered.obstacles)

    @property
    def said(self) -> tuple[str, ...]:
        """What is said of each."""
        return tuple(one.said for one in self.rendered.obstacles)


def template(
    name: str, before: Mapping[str, str], environment: Environment | None = None, **typed: str
) -> Outcome:
    """One template of a patch on some files, alone, whatever its `when` says.

    name: as series.toml has it; before: path -> text; typed: parameters, as a user types them.
    Raises UserError if no series has the template, or it is wrong.
    """
    environment = environment or Environment()
    for one in catalogue.names(environment):
        series = catalogue.load(environment, one)
        entries = tuple(entry for entry in series.patches if entry.template == name)
        if entries:
            alone = replace(series, patches=(replace(entries[0], when=""),))
            return _outcome(environment, [alone], before, typed)
    raise UserError(f"no series has a template {name!r}")


def series(
    name: str, before: Mapping[str, str], environment: Environment | None = None, **typed: str
) -> Outcome:
    """A whole series on some files, with what it requires; arguments as of `template`."""
    environment = environment or Environment()
    return _outcome(environment, catalogue.stacked(environment, [name]), before, typed)


def _outcome(
    environment: Environment,
    series: Sequence[catalogue.Series],
    before: Mapping[str, str],
    typed: Mapping[str, str],
) -> Outcome:
    tree = FilesTree({path: text.encode() for path, text in before.items()})
    rendered = stack(environment, tree, series, typed, [series[-1].name])
    files: dict[str, bytes | None] = {path: text.encode() for path, text in before.items()}
    for commit in rendered.commits:
        files.update(commit.files)
    return Outcome(
        {path: body.decode() for path, body in files.items() if body is not None},
        rendered.commits[-1].message if rendered.commits else "",
        rendered,
    )


class FilesTree(Tree):
    """A tree of a few files that are given."""

    label = "the files of a test"

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = {**_TOP, **files}

    def read(self, path: str) -> bytes:
        if path not in self._files:
            raise NotInTree(f"{self.label}: no file {path}")
        return self._files[path]

    def mode(self, path: str) -> str | None:
        if path in self._files:
            return "100644"
        return "40000" if self.names(path) else None

    def names(self, path: str) -> tuple[str, ...]:
        prefix = posixpath.join(path, "") if path else ""
        inside = (name for name in self._files if name.startswith(prefix))
        return tuple(sorted({name[len(prefix) :].partition("/")[0] for name in inside}))
