# SPDX-License-Identifier: GPL-2.0-only
"""The command, with checks that find nothing and build nothing: those of prove take minutes.

`prep` keeps and heeds what they say as it does with the real ones.
"""

import sys
from collections.abc import Sequence

from dmabuf_patchgen import __main__
from dmabuf_patchgen.check.report import Report, Run
from dmabuf_patchgen.check.step import Patch
from dmabuf_patchgen.kernel.kbuild import Progress
from dmabuf_patchgen.tree.source import KernelTree

CHECKS = ("checkpatch", "build")


def find_nothing(base: KernelTree, patches: Sequence[Patch], *, progress: Progress) -> Report:
    runs = tuple(Run(name, 1, 0.0, True) for name in CHECKS)
    return Report("nothing", tuple(patch.commit.subject for patch in patches), 0.0, runs, ())


if __name__ == "__main__":
    sys.exit(__main__.run(sys.argv[1:], find_nothing))
