# SPDX-License-Identifier: GPL-2.0-only
"""The user's settings: `git config dmabuf-patchgen.*`, of the repository or of the user."""

from dataclasses import dataclass
from pathlib import Path

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.tree import git

#: Where b4 keeps cover letter and tracking; it knows more, these two keep commits in order.
STRATEGIES = ("branch-description", "commit")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user sets once. to, cc: always added; exclude: addresses never written to."""

    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    strategy: str = STRATEGIES[0]


def read(repo: Path) -> Settings:
    """The settings that git finds in a repository. Raises UserError for a value that is none."""

    def values(name: str) -> tuple[str, ...]:
        key = f"dmabuf-patchgen.{name}"
        done = git.git(repo, "config", "-z", "--get-all", key, check=False)
        return tuple(value for value in done.utf8(key).split("\0") if value)

    strategy = (values("coverStrategy") or (STRATEGIES[0],))[-1]
    if strategy not in STRATEGIES:
        raise UserError(
            f"dmabuf-patchgen.coverStrategy is {strategy!r}", f"it takes {' or '.join(STRATEGIES)}"
        )
    return Settings(values("to"), values("cc"), values("exclude"), strategy)
