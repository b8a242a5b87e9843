# SPDX-License-Identifier: GPL-2.0-only
"""A patch on standard input, as b4 hands it to its prep-perpatch-check-cmd."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dmabuf_patchgen.check.commits import changes, from_mails, patch_ids, recent
from dmabuf_patchgen.check.step import Patch
from dmabuf_patchgen.kernel import kbuild
from dmabuf_patchgen.tree import git
from dmabuf_patchgen.tree.source import GitTree, Overlay

#: How far below HEAD the patch, and a tree that is prepared already, are looked for.
_DEPTH = 100
#: A kept base further away than this many files costs more to follow than it saves.
_FILES = 300


@dataclass(frozen=True, slots=True)
class LocatedPatch:
    """A patch and what it is checked on: a tree, and changes to it that are not checked."""

    base: GitTree
    settled: Mapping[str, bytes | None]
    patch: Patch


def locate(repo: Path, mail: bytes, prefix: str = "") -> LocatedPatch:
    """Find the commit that a mail was made from, and the state before it.

    prefix: the subdirectory of the repository that is the kernel.
    b4 runs its command in the work tree, on the branch that holds the patches. The commit is
    known by its patch-id; for a patch that is not there yet, the state is that of HEAD.
    Raises UserError if the patch does not apply to that state.
    """
    ancestors = list(recent(repo, _DEPTH))
    # Without showRoot, the oldest commit of a shallow clone would come as a patch of all files.
    log = git.git(
        repo, "-c", "log.showRoot=false", "log", "--first-parent", f"--max-count={_DEPTH}",
        "--no-merges", "--patch", "--full-index", "--no-renames", "--no-ext-diff",
        "--no-textconv", "--no-color", "--src-prefix=a/", "--dst-prefix=b/", "-U3", "HEAD",
    ).stdout  # fmt: skip
    known = patch_ids(repo, log)
    own = next(iter(patch_ids(repo, mail)), "")
    at = ancestors.index(known[own]) + 1 if known.get(own) in ancestors else 0
    below = ancestors[at:]
    parent = below[0] if below else ancestors[-1]
    base, settled = _nearest_kept(repo, below, parent, prefix)
    (patch,) = from_mails(Overlay(base, settled), [mail])
    return LocatedPatch(base, settled, patch)


def _nearest_kept(
    repo: Path, below: list[str], parent: str, prefix: str
) -> tuple[GitTree, Mapping[str, bytes | None]]:
    """The nearest ancestor that is prepared, with what changed since; else the parent itself."""
    tools = kbuild.toolchain()
    for commit in below:
        tree = GitTree(repo, commit, prefix)
        if kbuild.is_kept(tree.id, tools):
            settled = changes(repo, commit, parent, prefix)
            if len(settled) <= _FILES:
                return tree, settled
        tree.close()
    return GitTree(repo, parent, prefix), {}
