# SPDX-License-Identifier: GPL-2.0-only
"""What is known of a prepared branch: b4's tracking, and this tool's record beside it.

Both are configuration of the branch, so they go where the branch goes: `git branch -D` and
`b4 prep --cleanup` take them along.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.post.letter import Letter
from dmabuf_patchgen.tree import git

#: b4 0.16, ez.py: what a cover letter kept in a commit has above its tracking.
MARK = "--- b4-submit-tracking ---"
MAGIC = f"{MARK}\n# This section is used internally by b4 prep for tracking purposes.\n"
_RECORD = "dmabuf-patchgen"
#: Key of the branch under which a cover is kept that its user had edited.
EDITED = "dmabuf-patchgen-edited"


@dataclass(frozen=True, slots=True)
class Record:
    """What this tool last put on the branch.

    series, parameters, revised (series -> date of its templates): what it was rendered from;
    base, tip: commit ids; rendering: what tip would be without anything that the user made of
    the branch; signed: whether the patches have a Signed-off-by; strategy: where the
    cover is; cover: what the templates made of it, above the cut; revision: the version it was
    prepared as; changes: a changelog section per later version, the newest first; replaces: what
    the branch pointed to before, None if it was new; replaced: base and rendering of that;
    earlier: the version before this one as it was sent, None for the first.
    """

    series: tuple[str, ...]
    parameters: Mapping[str, Mapping[str, Any]]
    revised: Mapping[str, str]
    base: str
    tip: str
    strategy: str
    revision: int = 1
    changes: tuple[str, ...] = ()
    rendering: str = ""
    replaces: str | None = None
    replaced: tuple[str, str] | None = None
    signed: bool = False
    cover: str = ""
    earlier: "Record | None" = None


@dataclass(frozen=True, slots=True)
class Tracking:
    """b4's own data of a series, kept whole: b4 adds to it when the series is sent."""

    series: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def new(cls, slug: str, base: str) -> "Tracking":
        """For a series that b4 has not seen. base: what the branch forked from."""
        change = f"{date.today():%Y%m%d}-{slug}-{uuid4().hex[:12]}"
        return cls({"revision": 1, "change-id": change, "prefixes": [], "base-branch": base})

    @property
    def revision(self) -> int:
        """The version that b4 sends next, from 1."""
        return int(self.series["revision"])

    @property
    def sent(self) -> Mapping[int, str]:
        """Versions that were sent, with the Message-Id of the cover."""
        history: Mapping[str, list[str]] = self.series.get("history", {})
        return {int(version[1:]): ids[-1] for version, ids in history.items() if ids}

    def at(self, revision: int) -> "Tracking":
        """The same series at another version."""
        return Tracking({**self.series, "revision": revision})

    def on(self, other: "Tracking") -> "Tracking":
        """The same series on the base of another, which b4 looks up by its name."""
        return Tracking({**self.series, "base-branch": other.series["base-branch"]})

    def as_json(self) -> str:
        """As b4 reads it."""
        return json.dumps({"series": dict(self.series)})


def check_slug(slug: str) -> None:
    """Refuse what b4 would not take for the name of a series. Raises UserError."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", slug):
        raise UserError(
            f"--slug {slug!r}: not a name of small letters, digits and dashes",
            "for example --slug my-pfnmap",
        )


def default_slug(series: tuple[str, ...]) -> str:
    """A name for one or more series: what they share is said once."""
    first = series[0].split("-")
    words = list(first)
    for name in series[1:]:
        own = name.split("-")
        shared = 0
        while shared < min(len(first), len(own)) and first[shared] == own[shared]:
            shared += 1
        words += own[shared:]
    return "-".join(words)


def load(repo: Path, branch: str) -> tuple[Tracking, Record]:
    """Tracking and record of a branch. Raises UserError if this tool did not make it."""
    record = value(repo, f"branch.{branch}.{_RECORD}")
    if record is None:
        raise UserError(
            f"branch {branch} exists in {repo} and was not made by prep",
            "choose another --slug",
        )
    try:
        fields = json.loads(record)
        known = _record(fields)
        tracking = Tracking(json.loads(_tracking_text(repo, branch, known))["series"])
        # Of another form they would fail where nobody expects it.
        _ = tracking.revision, tracking.sent
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise UserError(
            f"branch {branch}: its tracking cannot be read: {error}", "choose another --slug"
        ) from None
    return tracking, known


def _record(fields: Mapping[str, Any]) -> Record:
    """A record as JSON has it, in which a tuple is a list."""
    replaced = fields.get("replaced")
    lists = {key: tuple(fields[key]) for key in ("series", "changes")}
    # Before there was more to a branch than what is rendered, this was all of it.
    rendering = fields.get("rendering") or fields["tip"]
    earlier = fields.get("earlier")
    return Record(
        **{
            **fields,
            **lists,
            "rendering": rendering,
            "replaced": replaced and tuple(replaced),
            "earlier": earlier and _record(earlier),
        }
    )


def _tracking_text(repo: Path, branch: str, record: Record) -> str:
    if record.strategy == "branch-description":
        return value(repo, f"branch.{branch}.b4-tracking") or ""
    message = _cover_commit(repo, branch, record)
    return "{" + message.partition(MARK)[2].partition("{")[2]


def _cover_commit(repo: Path, branch: str, record: Record) -> str:
    """Message of the commit that holds the cover, which b4 as well knows by its last part."""
    there = f"{record.base}..refs/heads/{branch}"
    return git.git(
        repo, "log", "-1", "--format=%B", "--fixed-strings", f"--grep={MARK}", there
    ).exact  # fmt: skip


def edited_cover(repo: Path, branch: str, record: Record) -> str | None:
    """The cover of a branch if somebody edited it since prep wrote it, None if it is as it was."""
    if record.strategy == "branch-description":
        letter = value(repo, f"branch.{branch}.description") or ""
    else:
        letter = _cover_commit(repo, branch, record).partition(MARK)[0]
    return letter if Letter.read(letter) != Letter(record.cover, record.changes) else None


def configuration(
    branch: str, tracking: Tracking, record: Record, cover: str, edited: str | None
) -> dict[str, str]:
    """Keys and values that a prepared branch has in the repository's configuration.

    edited: the cover before this one if its user had edited it, which is kept beside.
    """
    keys = {"b4-prep-cover-strategy": record.strategy, _RECORD: json.dumps(asdict(record))}
    if record.strategy == "branch-description":
        keys |= {"description": cover, "b4-tracking": tracking.as_json()}
    if edited is not None:
        keys[EDITED] = edited
    return {f"branch.{branch}.{key}": value for key, value in keys.items()}


def found(repo: Path, branch: str) -> dict[str, str | None]:
    """What the repository's configuration has for each key of a branch that prep may set."""
    names = ("b4-prep-cover-strategy", _RECORD, "description", "b4-tracking", EDITED)
    keys = (f"branch.{branch}.{name}" for name in names)
    return {key: value(repo, key) for key in keys}


def value(repo: Path, key: str) -> str | None:
    """What a repository's own configuration has for a key, None if it is not there."""
    output = git.ask(repo, "config", "--local", "-z", "--get", key)
    return None if output is None else output.removesuffix("\0")
