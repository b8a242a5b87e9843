# SPDX-License-Identifier: GPL-2.0-only
"""What series came to on a tree: patches, what was left out, and what stands in the way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from dmabuf_patchgen.errors import Why
from dmabuf_patchgen.render.commit import Commit
from dmabuf_patchgen.render.parameters import Value
from dmabuf_patchgen.render.place import PlaceError
from dmabuf_patchgen.tree.newlines import has_crlf
from dmabuf_patchgen.tree.source import Tree

#: How patches of a tree with CRLF are applied.
KEEP_CR = "lines end in CRLF, as in the tree: git am --keep-cr"


@dataclass(frozen=True, slots=True)
class RenderedPatch:
    """A patch that the tree needs, as a commit, with the series and template it is from."""

    series: str
    template: str
    commit: Commit


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What the tree does not need, and why: a patch, or one hunk of it.

    path, place: the hunk's, empty where it is the whole patch.
    """

    series: str
    template: str
    subject: str
    reason: str
    path: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """What a hunk does on this tree that its reader should know; the template says it."""

    series: str
    template: str
    subject: str
    path: str
    said: str


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A hunk or patch that does not fit the tree.

    path, place: where, as far as it is one place; why: the kind of it; said: what stands there;
    hint: what to do;
    after: subject of the refused patch before it that changes the same file, so that this
    one may be in the way only because that one is.
    """

    series: str
    template: str
    subject: str
    path: str
    place: str
    why: Why
    said: str
    hint: str
    after: str = ""

    @property
    def line(self) -> str:
        """All of it in a line."""
        follows = f" (may follow from {self.after!r})" if self.after else ""
        return f"{self.subject!r}: {self.said}{follows}"


@dataclass(frozen=True, slots=True)
class Rendered:
    """What rendering one or more series on a tree gave.

    brought: series that nobody asked for, each with those of the others that require it;
    parameters: by series, the values it was rendered with; revised: the date of the commits;
    obstacles: what keeps patches from the tree. With any, the patches are those that fit.
    """

    tree: Tree
    series: tuple[str, ...]
    parameters: Mapping[str, Mapping[str, Value]]
    patches: tuple[RenderedPatch, ...]
    left_out: tuple[LeftOut, ...]
    revised: datetime
    remarks: tuple[Remark, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    brought: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def commits(self) -> tuple[Commit, ...]:
        """The commits, in order."""
        return tuple(patch.commit for patch in self.patches)

    @property
    def nothing(self) -> str:
        """Why there are no patches, where there are none."""
        # One that was not tried has no subject.
        tried = any(one.subject for one in self.left_out)
        return "the tree has all of it" if tried else "no patch of it is for this tree"

    @property
    def notes(self) -> tuple[str, ...]:
        """What who applies the patches has to know."""
        found = [KEEP_CR] if self.keep_cr else []
        if self.tree.prefix:
            strip = len(self.tree.prefix.split("/")) + 1
            found.append(
                f"paths are from the repository's root, below {self.tree.prefix}: "
                f"elsewhere, git am -p{strip}"
            )
        return tuple(found)

    @property
    def keep_cr(self) -> bool:
        """Whether the patches have lines that end in CRLF, which `git am` strips unless told."""
        bodies = (body for commit in self.commits for body in commit.files.values())
        return any(body is not None and has_crlf(body) for body in bodies)


class Refused(PlaceError):
    """Series that do not fit a tree; all that is in their way is told at once.

    The message is that of a lone obstacle, or how many there are, with each in `details`.
    """

    def __init__(self, rendered: Rendered) -> None:
        first, *others = rendered.obstacles
        self.rendered = rendered
        if not others:
            super().__init__(first.why, first.line, first.hint)
            return
        refused = {(one.series, one.template) for one in rendered.obstacles}
        super().__init__(
            first.why,
            f"{' '.join(rendered.series)}: {len(rendered.obstacles)} obstacles in "
            f"{len(refused)} of {len(refused) + len(rendered.patches)} patches",
            f"`survey {' '.join(rendered.series)}` tells what fits as well",
        )
        self.details = tuple(
            f"{number}. {one.line}{f'; {one.hint}' if one.hint else ''}"
            for number, one in enumerate(rendered.obstacles, 1)
        )
