# SPDX-License-Identifier: GPL-2.0-only
"""Where a rendered series goes: a directory, a branch, or both."""

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from dmabuf_patchgen.render import branch, directory
from dmabuf_patchgen.render.mails import mails
from dmabuf_patchgen.render.outcome import Rendered
from dmabuf_patchgen.render.scratch import Identity


@dataclass(frozen=True, slots=True)
class Destination:
    """Where to write; None for what is not wanted."""

    directory: Path | None
    branch: branch.Target | None

    def write(
        self, rendered: Rendered, author: Identity, when: datetime, about: dict[str, Any]
    ) -> str:
        """Write a series, whole or not at all; the tip of its branch, empty without one.

        author, when: of the patches; about: what the directory's manifest tells of the series.
        Raises UserError.
        """
        tip = ""
        with ExitStack() as files:
            with ExitStack() as objects:
                if self.branch:
                    commits = branch.commits_on(
                        self.branch.tree, rendered.commits, self.branch.author, when
                    )
                    tip = objects.enter_context(commits)
                if self.directory:
                    tree = rendered.tree
                    patches = mails(tree, rendered.commits, author, when, tree.prefix)
                    contents = {patch.name: patch.content for patch in patches}
                    files.enter_context(directory.written(self.directory, contents, about))
            # The branch last: all that is likely to fail comes before, and is undone if this is.
            if self.branch:
                branch.point(self.branch, tip, f"render {' '.join(rendered.series)}")
        return tip
