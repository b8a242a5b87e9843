# SPDX-License-Identifier: GPL-2.0-only
"""A kernel in a subdirectory of a repository, as a repository of its own that borrows objects."""

import hashlib
from pathlib import Path

from dmabuf_patchgen import signals, xdg
from dmabuf_patchgen.tree import git

#: Makes the commit of a subdirectory; it never leaves the cache.
_WHO = {"NAME": "dmabuf-patchgen", "EMAIL": "dmabuf-patchgen@localhost.invalid"}


def holds(repo: Path, revision: str, prefix: str) -> bool:
    """Whether a revision has a kernel in a subdirectory."""
    done = git.git(repo, "cat-file", "-e", f"{revision}:{prefix}/Kbuild", check=False)
    return not done.returncode


def kernels(repo: Path, revision: str) -> tuple[str, ...]:
    """Subdirectories of a revision that have a dma-buf, sorted."""
    wanted = "/drivers/dma-buf/dma-buf.c"
    done = git.git(repo, "ls-tree", "-r", "-z", "--full-tree", "--name-only", revision)
    names = done.stdout.decode(errors="surrogateescape").split("\0")
    return tuple(sorted(name.removesuffix(wanted) for name in names if name.endswith(wanted)))


def borrowed(repo: Path, commit: str, prefix: str) -> tuple[Path, str]:
    """A bare repository that has a subdirectory of a commit as its whole tree, and its commit.

    It is in the cache, holds that one commit, and takes all else from the repository, which
    stays as it is. Its commit has the date of the other, so that it is the same every time.
    """
    name = hashlib.sha256(f"{repo}\0{prefix}".encode(errors="surrogateescape")).hexdigest()[:16]
    store = xdg.cache() / "subdirectories" / f"{name}.git"
    objects = repo / git.git(repo, "rev-parse", "--git-path", "objects").text.strip()
    hashing = git.git(repo, "rev-parse", "--show-object-format").text.strip()
    date = git.git(repo, "show", "-s", "--format=%ct +0000", "--no-show-signature", commit)
    with signals.blocked():
        store.mkdir(parents=True, exist_ok=True)
        git.git(store, "init", "-q", "--bare", f"--object-format={hashing}", "--template=")
        (store / "objects" / "info").mkdir(parents=True, exist_ok=True)
        (store / "objects" / "info" / "alternates").write_bytes(bytes(objects) + b"\n")
    who = {
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in {**_WHO, "DATE": date.text.strip()}.items()
    }
    borrowed_commit = git.git(
        store, "commit-tree", f"{commit}:{prefix}", "-m", f"{prefix} of {commit}",
        env=git.environment(**who),
    ).text.strip()  # fmt: skip
    git.git(store, "update-ref", f"refs/commits/{commit}", borrowed_commit)
    return store, borrowed_commit
