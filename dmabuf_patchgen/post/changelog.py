# SPDX-License-Identifier: GPL-2.0-only
"""What changed between two versions of a series, told from what really did."""

import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dmabuf_patchgen.post import trailers
from dmabuf_patchgen.post.tracking import Record
from dmabuf_patchgen.process import is_utf8
from dmabuf_patchgen.render.scratch import scratch_on
from dmabuf_patchgen.tree import git

#: A line of git range-diff: number, id, sign, number, id, subject.
_PAIR = re.compile(
    r"^\s*(?:\d+|-+):\s+(?P<old>\S+)\s+(?P<sign>[=!<>])"
    r"\s+(?:\d+|-+):\s+(?P<new>\S+)\s+(?P<subject>.*)$"
)
_SIGNS = {"!": "changed", "<": "dropped", ">": "new"}
WIDTH = 75


def changes(repo: Path, old: Record, new: Record) -> list[str]:
    """Items of a changelog from one version to the next, each filled to 75 columns.

    Parameters and the base are compared as recorded, patches by git range-diff; a patch that
    stayed the same, or only got trailers, is not told of.
    """
    items = []
    if old.base != new.base:
        items.append(f"rebased onto {_named(repo, new.base)}")
    items += _parameters(old.parameters, new.parameters)
    items += [
        f"{name}: templates as of {date} instead of {old.revised[name]}"
        for name, date in new.revised.items()
        if old.revised.get(name, date) != date
    ]
    if new.signed and not old.signed:
        items.append("Signed-off-by added")
    items += _patches(repo, old, new)
    return [
        textwrap.fill(
            item, WIDTH, initial_indent="- ", subsequent_indent="  ", break_long_words=False
        )
        for item in items
    ]


def _patches(repo: Path, old: Record, new: Record) -> list[str]:
    """What patches got in trailers, and which of them are others."""
    given: dict[str, None] = {}
    told: list[tuple[str, str]] = []
    ranges = (f"{old.base}..{old.tip}", f"{new.base}..{new.tip}")
    # It has no --no-textconv, so it runs where no program is configured.
    with scratch_on(repo) as reader:
        listing = reader.git("range-diff", "--no-color", "--no-patch", *ranges).text
    for line in listing.splitlines():
        pair = _PAIR.match(line)
        if not pair or pair["sign"] not in _SIGNS:
            continue
        if pair["sign"] == "!":
            was, is_ = (_content(repo, pair[side]) for side in ("old", "new"))
            given |= dict.fromkeys(one for one in is_.given if one not in was.given)
            if was.rest == is_.rest:
                continue
        told.append((pair["sign"], pair["subject"]))
    # Where little of a small patch stayed, range-diff does not take it for the same.
    gone, come = ({subject for sign, subject in told if sign == kind} for kind in "<>")
    kinds = dict.fromkeys(trailer.partition(":")[0] for trailer in given)
    items = [f"{', '.join(kinds)} added"] if kinds else []
    for sign, subject in told:
        same = subject in gone & come
        if not (same and sign == "<"):
            items.append(f"{_SIGNS['!' if same else sign]}: {subject}")
    return items


@dataclass(frozen=True, slots=True)
class _Content:
    """What a patch says and does. given: trailers of others; rest: all but these and one's own."""

    given: tuple[str, ...]
    rest: tuple[str, ...]


def _content(repo: Path, commit: str) -> _Content:
    body, found = trailers.split(git.git(repo, "log", "-1", "--format=%B", commit).text)
    diff = git.git(repo, "diff-tree", "-p", *git.PLAIN_DIFF, commit).stdout
    patch_id = git.git(repo, "patch-id", "--stable", stdin=diff).text.split()[:1]
    given = tuple(filter(trailers.vouches, found))
    rest = (one for one in found if one not in given and not one.startswith("Signed-off-by:"))
    return _Content(given, (body, *rest, *patch_id))


def section(version: int, items: list[str], before: int | None, link: str | None) -> str:
    """The section of one version. before: that which was sent last, and its address if known."""
    lines = [f"Changes in v{version}:", *items]
    if link:
        lines.append(f"- Link to v{before}: {link}")
    return "\n".join(lines)


def _parameters(
    old: Mapping[str, Mapping[str, Any]], new: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    items = [f"series {name} is new" for name in new if name not in old]
    items += [f"series {name} is gone" for name in old if name not in new]
    for name in new:
        for key, value in new[name].items():
            was = old.get(name, {}).get(key, value)
            if was != value:
                items.append(f"{name}: {key}={_shown(value)} instead of {_shown(was)}")
    return items


def _shown(value: Any) -> str:
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else value


def _named(repo: Path, commit: str) -> str:
    done = git.git(repo, "describe", "--tags", "--exact-match", commit, check=False)
    return commit[:12] if done.returncode or not is_utf8(done.exact) else done.exact.strip()
