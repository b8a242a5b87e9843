# SPDX-License-Identifier: GPL-2.0-only
"""b4, run where its user's checkout is not: in a repository of its own on the user's objects.

b4 works on the branch that is checked out and wants a clean tree. A throwaway repository that
borrows the user's objects has that branch checked out, a few files of the tree, and b4's
configuration; nothing is ever made in the user's repository for it.
"""

import importlib.metadata
import os
import posixpath
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dmabuf_patchgen import process
from dmabuf_patchgen.errors import MissingTool, UserError
from dmabuf_patchgen.tree import git
from dmabuf_patchgen.tree.source import GitTree

#: --check and the pre-flight checks of `b4 send` came with this version.
OLDEST = (0, 14)
#: What b4, checkpatch.pl and get_maintainer.pl look for at the root of a kernel tree.
_FILES = (
    "MAINTAINERS", "COPYING", "CREDITS", "Kbuild", "Makefile", "Kconfig", "README", ".mailmap",
    ".get_maintainer.ignore", "LICENSES/", "scripts/get_maintainer.pl", "scripts/checkpatch.pl",
    "scripts/spelling.txt", "scripts/const_structs.checkpatch", "scripts/spdxcheck.py",
    "scripts/spdxexclude",
)  # fmt: skip
#: And directories by which they know one.
_DIRECTORIES = ("Documentation", "arch", "include", "drivers", "fs", "init", "ipc", "kernel", "lib")
#: The user's configuration that b4 and git format-patch act on.
_SETTINGS = r"^(user|author|committer|b4|sendemail|format|remote\..*\.(promisor|url))\b"


def find() -> str:
    """Path of b4: that of this installation, or else the one on PATH.

    Raises MissingTool if there is none, UserError if it is too old to check a series.
    """
    own = Path(sys.executable).parent / "b4"
    if own.exists():
        path, version = str(own), importlib.metadata.version("b4")
    else:
        try:
            path = process.require("b4")
        except MissingTool:
            raise MissingTool("b4", "pipx && pipx install b4") from None
        version = process.run([path, "--version"]).text.strip()
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers < OLDEST:
        raise UserError(
            f"{path} is version {version}, and {OLDEST[0]}.{OLDEST[1]} is the oldest that will do",
            "install b4 from PyPI: pipx install b4",
        )
    return path


def has_key(repo: Path) -> bool:
    """Whether b4 finds a key to sign mails with, or is told not to: it refuses to send else."""
    keys = r"^(patatt\.signingkey|user\.signingkey|b4\.send-no-patatt-sign)$"
    return not git.git(repo, "config", "--get-regexp", keys, check=False).returncode


class Workbench:
    """The throwaway repository, with the branch checked out."""

    def __init__(self, path: Path, b4: str) -> None:
        self._path = path
        self._b4 = b4

    def git(self, *args: str, stdin: bytes = b"") -> process.Finished:
        """Run git in it."""
        return git.git(self._path, *args, stdin=stdin)

    def preflight(self) -> None:
        """Have b4 note its own checks as done, which it keeps by patch-id for the user's send.

        What they find is no verdict: b4 exits with 0 whatever it is, and this tool's own check
        has been before. Recipients are settled, so the collecting of more is left out.
        """
        if self._has_checks():
            self.run("prep", "--check")
        self.run("-c", "b4.send-auto-to-cmd=true", "-c", "b4.send-auto-cc-cmd=true",
                 "prep", "--auto-to-cc")  # fmt: skip

    def _has_checks(self) -> bool:
        """Whether b4 has a check to run; it asks for none that it would not find.

        Rule: b4 0.16, ez.py, get_check_cmds(): the one of the configuration, or a checkpatch.pl
        below the root of the repository, where a kernel in a subdirectory has none.
        """
        own = git.git(self._path, "config", "--get", "b4.prep-perpatch-check-cmd", check=False)
        return not own.returncode or os.access(self._path / "scripts/checkpatch.pl", os.X_OK)

    def mails(self) -> list[tuple[str, bytes]]:
        """What b4 would send: file name and content, in order."""
        with process.temporary("mails-", self._path.parent) as directory:
            # -o is a dry run. Without a server b4 prepares for kernel.org's web endpoint, which
            # demands a signature, and that is the user's to give when they send.
            self.run("-c", "sendemail.smtpserver=127.0.0.1",
                     "send", "--no-sign", "-o", str(directory))  # fmt: skip
            return [(path.name, path.read_bytes()) for path in sorted(directory.iterdir())]

    def run(self, *args: str) -> process.Finished:
        """Run b4, which asks nobody. Raises UserError with b4's own reason if it fails."""
        done = process.run(
            [self._b4, "--no-interactive", "--offline-mode", *args],
            cwd=self._path, env=git.environment(), check=False,
        )  # fmt: skip
        if done.returncode:
            output = done.stderr.decode(errors="backslashreplace")
            critical = re.findall(r"^(?:CRITICAL|ERROR): *(.*)$", output, re.M)
            reason = critical[0] if critical else done.last_words
            raise UserError(f"b4 {' '.join(args[-2:])} failed: {reason}", "see b4's documentation")
        return done


@contextmanager
def workbench(
    tree: GitTree, branch: str, tip: str, base: str, configuration: Mapping[str, str]
) -> Iterator[Workbench]:
    """A repository in which a branch is checked out that the user's does not have yet.

    base: name of the tag or branch that b4's tracking calls the base, or a commit id;
    configuration: keys that the branch will have. Raises UserError.
    """
    b4 = find()
    with process.temporary("dmabuf-patchgen-") as scratch:
        path = scratch / "linux"
        path.mkdir()
        bench = Workbench(path, b4)
        bench.git("init", "--quiet", "--template=", f"--initial-branch={branch}")
        _borrow(tree, path)
        for key, value in [*_settings(tree.repo), *configuration.items()]:
            bench.git("config", "--add", key, value)
        if base != tree.commit:
            kind = "tags" if _is_tag(tree.repo, base) else "heads"
            bench.git("update-ref", f"refs/{kind}/{base}", tree.commit)
        # Only here, where the configuration that it leaves behind is thrown away.
        bench.git("config", "core.sparseCheckout", "true")
        (path / ".git/info").mkdir(exist_ok=True)
        # Its lines are patterns, gitignore(5).
        prefix = re.sub(r"([\\*?\[])", r"\\\1", tree.prefix)
        wanted = "".join(f"/{posixpath.join(prefix, name)}\n" for name in _FILES)
        (path / ".git/info/sparse-checkout").write_bytes(os.fsencode(wanted))
        bench.git("update-ref", f"refs/heads/{branch}", tip)
        bench.git("read-tree", "-m", "-u", "HEAD")
        for directory in _DIRECTORIES:
            (path / tree.prefix / directory).mkdir(exist_ok=True)
        yield bench


def _borrow(tree: GitTree, path: Path) -> None:
    """Let a repository read the objects of the user's, and know where its history ends."""
    places = git.git(
        tree.repo, "rev-parse", "--path-format=absolute",
        "--git-path", "objects", "--git-path", "shallow",
    ).exact.split("\n")  # fmt: skip
    info = path / ".git/objects/info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "alternates").write_bytes(os.fsencode(f"{places[0]}\n"))
    if Path(places[1]).exists():
        (path / ".git/shallow").write_bytes(Path(places[1]).read_bytes())


def _settings(repo: Path) -> list[tuple[str, str]]:
    done = git.git(repo, "config", "-z", "--local", "--get-regexp", _SETTINGS, check=False)
    pairs = (entry.partition("\n") for entry in done.exact.split("\0") if entry)
    return [(key, value) for key, _, value in pairs]


def _is_tag(repo: Path, name: str) -> bool:
    return not git.git(
        repo, "rev-parse", "--verify", "--quiet", f"refs/tags/{name}", check=False
    ).returncode
