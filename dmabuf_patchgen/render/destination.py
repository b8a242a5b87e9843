# SPDX-License-Identifier: GPL-2.0-only
"""Where a rendered series goes: a directory, a branch, or both."""

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from dmabuf_patchgen.render import branch, directory
from dmabuf_patchgen.render.mails import mails
from dmabuf_patchgen.render.scratch import Identity
from dmabuf_patchgen.render.series import Rendered


@dataclass(frozen=True, slots=True)
class Destination:
    """Where to write; None for what is not wanted."""

    directory: Path | None
    branch: branch.Target | None

    def write(
        self, rendered: Rendered, author: Identity, when: datetime, about: dict[str, Any]
    ) -> str:
        """Write a series; the tip of its branch, empty without one.

        author, when: of the patches; about: what the directory's manifest tells of the series.
        Raises UserError.
        """
        tip = ""
        with ExitStack() as stack:
            if self.branch:
                commits = branch.commits_on(
                    self.branch.tree, rendered.commits, self.branch.author, when
                )
                tip = stack.enter_context(commits)
            if self.directory:
                patches = mails(rendered.tree, rendered.commits, author, when)
                files = {patch.name: patch.content for patch in patches}
                directory.write(self.directory, files, about)
        # The branch last: all that is likely to fail comes before.
        if self.branch:
            branch.point(self.branch, tip, f"render {' '.join(rendered.series)}")
        return tip
