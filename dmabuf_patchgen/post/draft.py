# SPDX-License-Identifier: GPL-2.0-only
"""The patches of a series as their author would send them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from dmabuf_patchgen.check.step import Patch
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.render import branch
from dmabuf_patchgen.render.environment import Environment
from dmabuf_patchgen.render.mails import Mail, mails
from dmabuf_patchgen.render.outcome import Rendered, RenderedPatch
from dmabuf_patchgen.render.scratch import Identity
from dmabuf_patchgen.render.series import render
from dmabuf_patchgen.tree.source import GitTree

_TRAILER = re.compile(r"^[A-Z][\w-]*: \S")
_PERSON = re.compile(r"^[A-Z][\w-]*: (.*<\S+@\S+>)$", re.M)


@dataclass(frozen=True, slots=True)
class Draft:
    """The patches of a series as their author would send them. when: the date they carry."""

    rendered: Rendered
    author: Identity
    when: datetime
    mails: tuple[Mail, ...]

    @property
    def patches(self) -> tuple[Patch, ...]:
        """The patches for the checks."""
        pairs = zip(self.rendered.commits, self.mails, strict=True)
        return tuple(Patch(commit, mail.content) for commit, mail in pairs)

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
    author's Signed-off-by. Raises UserError, also if the tree has all of it.
    """
    rendered = render(environment, tree, names, typed)
    if not rendered.commits:
        raise UserError(f"{tree.label}: nothing to send: the tree has all of it")
    if signoff:
        rendered = _signed(rendered, author)
    when = branch.date(tree, rendered.revised)
    return Draft(rendered, author, when, mails(tree, rendered.commits, author, when))


def _signed(rendered: Rendered, author: Identity) -> Rendered:
    """The series with its author's Signed-off-by below every message."""
    line = f"Signed-off-by: {author.name} <{author.email}>"

    def sign(patch: RenderedPatch) -> RenderedPatch:
        body = patch.commit.message.rstrip("\n")
        last = body.rsplit("\n\n", 1)[-1].splitlines()
        gap = "\n" if all(_TRAILER.match(trailer) for trailer in last) else "\n\n"
        return replace(patch, commit=replace(patch.commit, message=f"{body}{gap}{line}\n"))

    return replace(rendered, patches=tuple(map(sign, rendered.patches)))
