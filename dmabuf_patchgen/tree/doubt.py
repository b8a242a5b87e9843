# SPDX-License-Identifier: GPL-2.0-only
"""What speaks against an edit, found by those who read a file and told by those who edit it."""

from dmabuf_patchgen.errors import Why


class Doubt(Exception):
    """Something cannot be edited, or nothing can stand beside it.

    why: the kind; words: the cause, to follow the name of a place; at: the byte that shows it.
    """

    def __init__(self, why: Why, words: str, at: int) -> None:
        super().__init__(words)
        self.why = why
        self.words = words
        self.at = at
