# SPDX-License-Identifier: GPL-2.0-only
"""Which versions of a series were sent, and what was in them: b4's history and its tags."""

from dataclasses import replace
from pathlib import Path

from dmabuf_patchgen.post.tracking import Record, Tracking
from dmabuf_patchgen.tree import git

#: Addresses of lists by version, unless the user's b4.linkmask says otherwise.
_LINKMASK = "https://lore.kernel.org/r/%s"


def _tag(track: Tracking, revision: int | str) -> str:
    """The tag that b4 gives what it sends. Rule: b4 0.16, ez.py, get_sent_tagname()."""
    return f"refs/tags/sent/{track.series['change-id']}-v{revision}"


def sent(repo: Path, track: Tracking) -> frozenset[int]:
    """The versions that were sent, by b4's history or by a tag, which a clone may bring along."""
    start = _tag(track, "")
    names = git.git(repo, "for-each-ref", "--format=%(refname)", f"{start}*").exact.split("\n")
    numbers = (name.removeprefix(start) for name in names)
    return frozenset(track.sent) | {int(number) for number in numbers if number.isdecimal()}


def as_sent(repo: Path, track: Tracking, record: Record, revision: int | None) -> Record | None:
    """What a version that is over was, to tell changes from; None if its commits are gone.

    record: of the last prep for it; revision: under which it was sent, None if it was not. Its
    user may have changed it between the two, which is what the tag knows.
    """
    tip = record.tip
    tag = revision and git.ask(repo, "rev-parse", "--verify", "-q", f"{_tag(track, revision)}^0")
    if tag:
        merges = git.git(
            repo, "rev-list", "--merges", "--max-count=1", f"{record.base}..{tag.strip()}"
        ).text
        # With merges it stands on another base, of which nothing is known but that.
        tip = tip if merges else tag.strip()
    if git.git(repo, "cat-file", "-e", f"{tip}^0", check=False).returncode:
        return None
    return replace(record, tip=tip, changes=(), earlier=None)


def link(repo: Path, track: Tracking, revision: int) -> str | None:
    """Where a version that was sent can be read, None if that is not known."""
    message = track.sent.get(revision)
    done = git.git(repo, "config", "--get", "b4.linkmask", check=False)
    mask = done.utf8("b4.linkmask").strip() or _LINKMASK
    return mask % message if message else None
