# SPDX-License-Identifier: GPL-2.0-only
"""A commit in memory: what the render room makes and the prove room checks."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit of a series, whole, without a repository.

    message: subject, blank line, body and trailers; ends with a newline.
    files: path in the tree -> bytes after this commit, None where it deletes the file;
    only the files that the commit changes.
    """

    message: str
    files: Mapping[str, bytes | None]

    @property
    def subject(self) -> str:
        """First line of the message."""
        return self.message.split("\n", 1)[0]
