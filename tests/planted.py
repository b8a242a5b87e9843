# SPDX-License-Identifier: GPL-2.0-only
"""A repository whose configuration names a program wherever git has room for one."""

import os
from pathlib import Path

from tests.repos import git

#: Keys whose value git runs, by what runs it. PROGRAM tells that it was run, and as what.
_KEYS = (
    "core.alternateRefsCommand", "core.askPass", "core.editor", "core.fsmonitor", "core.gitProxy",
    "core.pager", "core.sshCommand", "credential.helper", "diff.external",
    "diff.cpp.command", "diff.cpp.textconv", "diff.default.textconv", "diff.planted.command",
    "diff.planted.textconv", "filter.planted.clean",
    "filter.planted.smudge", "gpg.program", "gpg.openpgp.program", "gpg.ssh.defaultKeyCommand",
    "gpg.ssh.program", "gpg.x509.program", "interactive.diffFilter", "merge.planted.driver",
    "pager.log", "pager.diff-tree", "remote.origin.receivepack", "remote.origin.uploadpack",
    "sequence.editor", "uploadpack.packObjectsHook",
)  # fmt: skip
_SWITCHES = ("commit.gpgSign", "log.showSignature", "push.gpgSign", "tag.gpgSign")
_HOOKS = (
    "applypatch-msg", "commit-msg", "fsmonitor-watchman", "post-applypatch", "post-checkout",
    "post-commit", "post-index-change", "post-rewrite", "pre-applypatch", "pre-auto-gc",
    "pre-commit", "prepare-commit-msg", "reference-transaction",
)  # fmt: skip


class Planted:
    """The programs in a repository that were run since they were planted."""

    def __init__(self, repo: Path, place: Path) -> None:
        self._log = place / "run"
        own = Path(git(repo, "rev-parse", "--path-format=absolute", "--git-common-dir").strip())
        place.mkdir()

        def program(name: str) -> str:
            path = place / name
            path.write_text(f'#!/bin/sh\necho {name} >> {self._log}\ncat "$1" 2>/dev/null\n')
            path.chmod(0o755)
            return str(path)

        for key in _KEYS:
            git(repo, "config", key, program(key))
        for key in _SWITCHES:
            git(repo, "config", key, "true")
        (own / "hooks").mkdir(exist_ok=True)
        for name in _HOOKS:
            (own / "hooks" / name).symlink_to(program(name))
        (own / "info").mkdir(exist_ok=True)
        with (own / "info/attributes").open("a") as attributes:
            attributes.write("* diff=planted filter=planted merge=planted\n")

    def run(self) -> set[str]:
        """Names of the keys and hooks whose program was run, and forget them."""
        names = {*self._log.read_text().split()} if self._log.exists() else set()
        self._log.unlink(missing_ok=True)
        return names


def sign(repo: Path, revision: str) -> str:
    """A commit like that of a revision, with something for a signature; its id."""
    header, _, message = git(repo, "cat-file", "commit", revision).partition("\n\n")
    armour = "-----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----"
    body = f"{header}\ngpgsig {armour}\n\n{message}"
    return git(
        repo, "hash-object", "-w", "-t", "commit", "--stdin", stdin=os.fsencode(body)
    ).strip()
