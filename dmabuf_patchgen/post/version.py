# SPDX-License-Identifier: GPL-2.0-only
"""Which version of a series is made ready: the first, the same again, or the next.

A version counts when it was sent. Until then it stays the same version, whatever is changed.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.post import changelog, posting, stack, tracking
from dmabuf_patchgen.post.stack import Pick
from dmabuf_patchgen.post.tracking import Record, Tracking
from dmabuf_patchgen.render import branch
from dmabuf_patchgen.tree import git
from dmabuf_patchgen.tree.source import GitTree


@dataclass(frozen=True, slots=True)
class Version:
    """Which version of a series it is, and of which branch.

    tracking: b4's; replaces: tip of the version before it, None for the first; unchanged:
    whether its patches are those of that version; edited: the cover before, if its user had
    edited it.
    """

    branch: str
    tracking: Tracking
    record: Record
    replaces: str | None
    unchanged: bool
    edited: str | None


@dataclass(frozen=True, slots=True)
class Before:
    """A branch as it was found.

    rendered: base and last commit of what was rendered for it, and old: the commits of it;
    patches: what it has now.
    """

    tip: str
    tracking: Tracking
    record: Record
    rendered: tuple[str, str]
    old: tuple[Pick, ...]
    patches: tuple[Pick, ...]


def before(tree: GitTree, name: str, wanted: str | None) -> Before | None:
    """What is known of the version before, None if the branch is new.

    wanted: the strategy that was asked for. Raises UserError if prep cannot go on from there.
    """
    branch.must_be_free(tree.repo, name)
    tip = branch.tip(tree.repo, name)
    if tip is None:
        return None
    track, record = tracking.load(tree.repo, name)
    if wanted not in (None, record.strategy):
        raise UserError(
            f"branch {name} keeps its cover by {record.strategy}, not by {wanted}",
            "leave out --cover-strategy, or choose another --slug",
        )
    base, rendering = record.base, record.rendering
    # A kill at the last moment leaves the branch at the version before the one on record.
    if tip == record.replaces and record.replaced:
        base, rendering = record.replaced
    # Its user may have put it on the new base already.
    for one in (tree.commit, base):
        if git.ask(tree.repo, "merge-base", "--is-ancestor", one, tip) is not None:
            break
    else:
        raise UserError(
            f"branch {name} stands neither on {tree.commit[:12]} nor on {base[:12]}, its base",
            "name with --base what it stands on",
        )
    found = stack.read(tree.repo, tip, base, tree.commit)
    return Before(
        tip=tip,
        tracking=track,
        record=record,
        rendered=(base, rendering),
        old=stack.read(tree.repo, rendering, base),
        # b4 makes all of them again where it edits the commit that has the cover.
        patches=tuple(pick for pick in found if tracking.MARK not in pick.message),
    )


def version(
    repo: Path,
    name: str,
    known: Before | None,
    record: Record,
    base: str,
) -> Version:
    """The version that this is.

    name: of the branch; known: what before() found; record: as of a first version; base: what
    b4 calls the base.
    """
    new = Tracking.new(name.removeprefix("b4/"), base)
    if known is None:
        return Version(name, new, record, None, unchanged=False, edited=None)
    track, old = known.tracking.on(new), known.record
    record = replace(record, replaces=known.tip, replaced=known.rendered)
    sent = posting.sent(repo, track)
    # b4 counts on once it has sent a version, and its user may have counted otherwise.
    revision = track.revision
    while revision in sent:
        revision += 1
    earlier, sections = old.earlier, old.changes
    if revision > old.revision:
        earlier = posting.as_sent(repo, track, old, max(sent, default=None))
    elif earlier:
        # Of the same version, told anew from all that it has by now.
        sections = sections[1:]
    if earlier:
        items = changelog.changes(repo, earlier, record) or ["- no change of any patch"]
        last = max((one for one in sent if one < revision), default=None)
        link = posting.link(repo, track, last) if last else None
        sections = (changelog.section(revision, items, last, link), *sections)
    record = replace(record, revision=revision, changes=sections, earlier=earlier)
    track = track.at(revision)
    return Version(
        branch=name,
        tracking=track,
        record=record,
        replaces=known.tip,
        unchanged=old.tip == record.tip,
        edited=tracking.edited_cover(repo, name, old),
    )
