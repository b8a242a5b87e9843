# SPDX-License-Identifier: GPL-2.0-only
"""A survey: what each series would come to on a tree, without writing anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.render import catalogue
from dmabuf_patchgen.render.environment import Environment
from dmabuf_patchgen.render.outcome import LeftOut, Obstacle, Remark, Rendered, RenderedPatch
from dmabuf_patchgen.render.series import attempt
from dmabuf_patchgen.tree.source import Tree


class Verdict(Enum):
    """What a series comes to."""

    RIGHT = "right"
    #: The tree has all of it, or needs none of it.
    NOTHING = "nothing to do"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Surveyed:
    """A series on a tree, on top of those that it requires.

    rendered: these and the series; refused: why it could not be tried at all, else empty.
    """

    name: str
    requires: tuple[str, ...]
    rendered: Rendered | None
    refused: str = ""
    hint: str = ""

    @property
    def verdict(self) -> Verdict:
        """What the series comes to."""
        if self.rendered is None or self.rendered.obstacles:
            return Verdict.REFUSED
        return Verdict.RIGHT if self.patches else Verdict.NOTHING

    @property
    def patches(self) -> tuple[RenderedPatch, ...]:
        """Those of its own that the tree needs."""
        patches = self.rendered.patches if self.rendered else ()
        return tuple(one for one in patches if one.series == self.name)

    @property
    def obstacles(self) -> tuple[Obstacle, ...]:
        """What is in its way, also in that of a series that it requires."""
        return self.rendered.obstacles if self.rendered else ()

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """What the tree does not need of it."""
        left_out = self.rendered.left_out if self.rendered else ()
        return tuple(one for one in left_out if one.series == self.name)

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """What its reader should know."""
        remarks = self.rendered.remarks if self.rendered else ()
        return tuple(one for one in remarks if one.series == self.name)

    def as_dict(self) -> dict[str, Any]:
        """All of it, for --json."""
        return {
            "series": self.name,
            "requires": list(self.requires),
            "verdict": self.verdict.value,
            "refused": self.refused or None,
            "patches": [
                {"template": one.template, "subject": one.commit.subject} for one in self.patches
            ],
            "left_out": [
                {
                    "template": one.template,
                    "subject": one.subject or None,
                    "path": one.path or None,
                    "place": one.place or None,
                    "reason": one.reason,
                }
                for one in self.left_out
            ],
            "notes": list(self.rendered.notes) if self.rendered else [],
            "remarks": [
                {"template": one.template, "path": one.path, "said": one.said}
                for one in self.remarks
            ],
            "obstacles": [
                {
                    "series": one.series,
                    "template": one.template,
                    "subject": one.subject,
                    "path": one.path,
                    "place": one.place or None,
                    "why": one.why.value,
                    "said": one.said,
                    "hint": one.hint,
                    "after": one.after or None,
                }
                for one in self.obstacles
            ],
        }

    def lines(self) -> list[str]:
        """Its row of the table, and below it each thing that is not just a patch that fits."""
        row = (
            f"{self.name:22} {self.verdict.value:14} {len(self.patches):7} "
            f"{len(self.left_out):9} "
            f"{len(self.obstacles) or bool(self.refused):10}"
        )
        found = [row]
        if self.requires:
            found.append(f"  on top of {', '.join(self.requires)}, which it requires")
        found += [
            f"  left out: {one.subject or one.template}"
            f"{f', {one.path} ({one.place})' if one.path else ''}: {one.reason}"
            for one in self.left_out
        ]
        found += [f"  note: {one.subject}, {one.path}: {one.said}" for one in self.remarks]
        found += [f"  note: {note}" for note in (self.rendered.notes if self.rendered else ())]
        obstacles = [(one.line, one.hint) for one in self.obstacles]
        obstacles += [(self.refused, self.hint)] if self.refused else []
        found += [f"  refused: {line}{f'; {hint}' if hint else ''}" for line, hint in obstacles]
        return found


def survey(
    environment: Environment, tree: Tree, names: Sequence[str], typed: Mapping[str, str]
) -> tuple[Surveyed, ...]:
    """What each series comes to by itself, on what it requires; of all where none is named.

    typed: parameters, of those series that have one of the name.
    Raises UserError for a series or parameter that there is not, and for wrong templates.
    """
    stacks = [
        catalogue.stacked(environment, [name])
        for name in dict.fromkeys(names or catalogue.names(environment))
    ]
    known = {name for stack in stacks for one in stack for name in one.parameters}
    if unknown := [name for name in typed if name not in known]:
        raise UserError(f"no parameter is named {unknown[0]!r} in any of the series")
    found = []
    for *below, one in stacks:
        requires = tuple(other.name for other in below)
        own = {}
        for series in (*below, one):
            for name in typed.keys() & series.parameters.keys():
                own[name] = typed[name]
                series.parameters[name].parse(typed[name])
        try:
            rendered = attempt(environment, tree, [one.name], own)
            found.append(Surveyed(one.name, requires, rendered))
        except UserError as error:
            if not own:
                raise
            # What was typed is a value of the parameter, and the tree cannot have it.
            found.append(Surveyed(one.name, requires, None, error.message, error.hint))
    return tuple(found)


def table(found: Sequence[Surveyed]) -> str:
    """The survey for people."""
    head = f"{'series':22} {'verdict':14} {'patches':>7} {'left out':>9} {'obstacles':>10}"
    return "\n".join([head, *(line for one in found for line in one.lines())])
