# SPDX-License-Identifier: GPL-2.0-only
"""A ref beside each prepared branch, which keeps what was rendered for it.

A branch is its user's to rebase, and then nothing else points to the commits that prep made. The
next version is worked out from these, weeks later, when git would long have cleared them away.
"""

from pathlib import Path

from dmabuf_patchgen.render import branch as branches
from dmabuf_patchgen.tree import git

_REFS = "refs/dmabuf-patchgen/"


def ref(branch: str) -> str:
    """The ref that keeps the rendering of a branch."""
    return f"{_REFS}{branch}"


def kept(repo: Path, branch: str, commit: str) -> str:
    """Commands for git update-ref by which a rendering is kept, and no other in vain."""
    listed = git.git(repo, "for-each-ref", "--format=%(refname)", _REFS).exact.split("\n")[:-1]
    gone = [name for name in listed if name != ref(branch)
            and not branches.tip(repo, name.removeprefix(_REFS))]  # fmt: skip
    return f"update {ref(branch)} {commit}\n" + "".join(f"delete {name}\n" for name in gone)
