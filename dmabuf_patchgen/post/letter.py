# SPDX-License-Identifier: GPL-2.0-only
"""A cover letter as b4 keeps it, and what its user changed of it brought into a new one.

Above the cut are subject, text and trailers, below it a changelog. The text is merged by lines, as
git merges a file; recipients and items of the changelog are lists, in which each side adds and
takes away what it likes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.post import stack, trailers
from dmabuf_patchgen.post.stack import Conflict
from dmabuf_patchgen.render.scratch import scratch_on

_CUT = "\n---\n"
_SECTION = re.compile(r"^(?=Changes in v\d+)", re.M)
_ITEM = re.compile(r"\n(?=[-*] )")


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter. body: all above the cut; changes: below it, by version, the newest first."""

    body: str
    changes: tuple[str, ...]

    @classmethod
    def read(cls, text: str) -> "Letter":
        """From a branch's description, or what stands in the commit that has it.

        A section that b4 made for its user to fill in, with EDITME, is none yet.
        """
        body, _, below = text.partition(_CUT)
        sections = (section.strip() for section in _SECTION.split(below))
        return cls(body.strip(), tuple(one for one in sections if one and "EDITME" not in one))

    @property
    def text(self) -> str:
        """As b4 keeps it."""
        below = "\n\n".join(self.changes)
        return f"{self.body}{_CUT}{below}\n" if below else f"{self.body}\n"


def merged(repo: Path, old: Letter, theirs: Letter, new: Letter) -> Letter:
    """A new letter with what its user changed of the old one.

    repo: in whose scratch repository git merges. Raises UserError with the lines in conflict.
    """
    (was, had), (wrote, has), (is_, gets) = (
        trailers.split(letter.body) for letter in (old, theirs, new)
    )
    names = ("the templates now", "the templates before", "yours")
    with scratch_on(repo) as scratch:
        try:
            text = stack.merge_text(scratch, names, f"{was}\n", f"{is_}\n", f"{wrote}\n")
        except Conflict as conflict:
            raise UserError(
                "the cover letter: what you changed and what the templates say now are in conflict",
                "edit it so that it fits, or take the templates' with --reset-cover",
                tuple(_conflicts(conflict.said)),
            ) from None
    body = trailers.joined(text.strip("\n"), trailers.merged(had, has, gets)).rstrip("\n")
    return Letter(body, _changes(old.changes, theirs.changes, new.changes))


def _conflicts(lines: Sequence[str]) -> list[str]:
    """The lines from each marker of a conflict to its end."""
    found: list[str] = []
    inside = False
    for line in lines:
        inside = inside or line.startswith("<<<<<<< ")
        if inside:
            found.append(line)
        inside = inside and not line.startswith(">>>>>>> ")
    return found


def _changes(old: Sequence[str], theirs: Sequence[str], new: Sequence[str]) -> tuple[str, ...]:
    """The sections of a changelog with what its user changed in each, and their own."""
    (was, wrote, is_) = ({_title(one): one for one in side} for side in (old, theirs, new))
    made = {title: text for title, text in wrote.items() if title not in was}
    for title, text in is_.items():
        if title in was and title not in wrote:
            continue
        head, *gets = _ITEM.split(text)
        if title in wrote:
            head, *has = _ITEM.split(wrote[title])
            had = _ITEM.split(was.get(title, ""))[1:]
            gets = [*trailers.merged(tuple(had), tuple(has), tuple(gets))]
        made[title] = "\n".join([head, *gets])
    return tuple(made[title] for title in sorted(made, key=_version, reverse=True))


def _title(section: str) -> str:
    return section.split("\n", 1)[0].rstrip(":")


def _version(title: str) -> tuple[bool, int]:
    """What orders sections: that which is none of a version stands above them."""
    number = re.match(r"Changes in v(\d+)", title)
    return (number is None, int(number[1]) if number else 0)
