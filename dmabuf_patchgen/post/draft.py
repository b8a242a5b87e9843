# SPDX-License-Identifier: GPL-2.0-only
"""The patches of a series as their author would send them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from dmabuf_patchgen.check.commits import commit_patch
from dmabuf_patchgen.check.step import Patch
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.post import stack, trailers
from dmabuf_patchgen.post.rework import Reworked
from dmabuf_patchgen.render import branch
from dmabuf_patchgen.render.environment import Environment
from dmabuf_patchgen.render.mails import mails
from dmabuf_patchgen.render.outcome import Rendered, RenderedPatch
from dmabuf_patchgen.render.scratch import Identity
from dmabuf_patchgen.render.series import render
from dmabuf_patchgen.tree.source import GitTree

_PERSON = re.compile(r"^[A-Z][\w-]*: (.*<\S+@\S+>)$", re.M)


@dataclass(frozen=True, slots=True)
class Draft:
    """The patches of a series as their author would send them. when: the date they carry."""

    rendered: Rendered
    author: Identity
    when: datetime
    mails: tuple[bytes, ...]

    @property
    def patches(self) -> tuple[Patch, ...]:
        """The patches for the checks."""
        pairs = zip(self.rendered.commits, self.mails, strict=True)
        return tuple(Patch(commit, mail) for commit, mail in pairs)

    @property
    def credited(self) -> tuple[str, ...]:
        """Who else is named below the messages: b4 sends to them, so they are shown as well."""
        named = [who for one in self.rendered.commits for who in _PERSON.findall(one.message)]
        return tuple(who for who in named if not who.endswith(f"<{self.author.email}>"))


def draft(
    environment: Environment,
    tree: GitTree,
    names: Sequence[str],
    typed: Mapping[str, str],
    author: Identity,
    *,
    signoff: bool,
) -> Draft:
    """Render series as their author sends them.

    names, typed: series and parameters as for render; signoff: whether the patches get the
    author's Signed-off-by. Raises UserError, also if there is no patch.
    """
    rendered = render(environment, tree, names, typed)
    if not rendered.commits:
        raise UserError(f"{tree.label}: nothing to send: {rendered.nothing}")
    if signoff:
        rendered = _signed(rendered, author)
    when = branch.date(tree, rendered.revised)
    made = mails(tree, rendered.commits, author, when)
    return Draft(rendered, author, when, tuple(mail.content for mail in made))


def reworked(draft: Draft, tree: GitTree, rework: Reworked) -> Draft:
    """The same with what its user made of it. rework: on the tree's commit."""
    picks = stack.read(tree.repo, rework.tip, tree.commit)
    parents = [tree.commit, *(pick.id for pick in picks)]
    patches = [commit_patch(tree.repo, pick.id, parent, tree.prefix)
               for parent, pick in zip(parents, picks, strict=False)]  # fmt: skip
    series = draft.rendered.series[0]
    found: list[RenderedPatch] = []
    for patch, number in zip(patches, rework.rendered, strict=True):
        # The user's own belong to what they stand on.
        template = ""
        if number is not None:
            series = draft.rendered.patches[number].series
            template = draft.rendered.patches[number].template
        found.append(RenderedPatch(series, template, patch.commit))
    return replace(
        draft,
        rendered=replace(draft.rendered, patches=tuple(found)),
        mails=tuple(patch.mail for patch in patches),
    )


def _signed(rendered: Rendered, author: Identity) -> Rendered:
    """The series with its author's Signed-off-by below every message."""
    line = f"Signed-off-by: {author.name} <{author.email}>"

    def sign(patch: RenderedPatch) -> RenderedPatch:
        body, found = trailers.split(patch.commit.message)
        message = trailers.joined(body, (*found, line))
        return replace(patch, commit=replace(patch.commit, message=message))

    return replace(rendered, patches=tuple(map(sign, rendered.patches)))
