# SPDX-License-Identifier: GPL-2.0-only
"""Rendered commits as mails that `git am` takes: the same bytes on every machine."""

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dmabuf_patchgen.render.commit import Commit
from dmabuf_patchgen.render.scratch import Identity, scratch
from dmabuf_patchgen.tree.source import Tree


@dataclass(frozen=True, slots=True)
class Mail:
    """A patch as git format-patch writes it, and the name of its file."""

    name: str
    content: bytes


def mails(
    tree: Tree, commits: Sequence[Commit], author: Identity, when: datetime, prefix: str = ""
) -> tuple[Mail, ...]:
    """The mails of commits that follow on a tree.

    when: the date they all carry; prefix: the directory that is before each path, where they are
    for the repository that has the tree there.
    """
    touched = {path for commit in commits for path in commit.files}
    base = {}
    for path in touched:
        mode = tree.mode(path)
        if mode:
            base[posixpath.join(prefix, path)] = (mode, tree.read(path))
    who = author.at(when)
    with scratch() as repo:
        # Only the files that change: format-patch never looks at the others.
        parent = repo.import_tree(base, who)
        tip = repo.import_commits(commits, parent, tree, who, prefix)
        return tuple(Mail(name, content) for name, content in repo.format_patch(parent, tip))
