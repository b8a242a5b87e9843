# SPDX-License-Identifier: GPL-2.0-only
"""The documentation check: the tree's own kernel-doc on the files that a commit touches."""

import shutil

from dmabuf_patchgen import process
from dmabuf_patchgen.check.step import DATA, Step
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.kernel.diagnostics import Diagnostic, added, parse
from dmabuf_patchgen.kernel.kbuild import environment


class KernelDoc:
    """scripts/kernel-doc: Perl up to 6.15, then Python behind a link of the same name."""

    name = "kernel-doc"

    def __init__(self) -> None:
        self._before: tuple[Diagnostic, ...] = ()

    def before(self, step: Step) -> None:
        self._before = ()
        if _documented(step):
            self._before = _kernel_doc(step, _documented(step))

    def after(self, step: Step) -> tuple[Diagnostic, ...] | None:
        paths = _documented(step)
        if not paths:
            return None
        return added(self._before, _kernel_doc(step, paths), step.new_lines)


def _documented(step: Step) -> tuple[str, ...]:
    """The touched C files that hold kernel-doc in the forest's present state."""
    return tuple(
        path
        for path in step.files
        if path.endswith((".c", ".h")) and b"/**" in (step.forest.read(path) or b"")
    )


def _kernel_doc(step: Step, paths: tuple[str, ...]) -> tuple[Diagnostic, ...]:
    """The messages about some files. Raises UserError if the script does not work.

    The Python one exits with 0 and does nothing where Python is too old for it, so a file
    with a known fault goes along.
    """
    canary = step.scratch / "canary.c"
    shutil.copyfile(DATA / "kernel-doc-canary.c", canary)
    script = step.forest.root / "scripts/kernel-doc"
    source = script.read_bytes()
    language = "python3" if b"python" in source.split(b"\n", 1)[0] else "perl"
    # -Wall came with 6.7; before it, there was nothing to turn on.
    wall = ["-Wall"] if b"-Wall" in source else []
    done = process.run(
        [language, str(script), "-none", *wall, *paths, str(canary)],
        cwd=step.forest.root, env=environment(), check=False,
    )  # fmt: skip
    lines = (done.stdout + done.stderr).decode(errors="replace").splitlines()
    messages = parse(lines, str(step.forest.root))
    if not any(message.path == str(canary) for message in messages):
        raise UserError(f"scripts/kernel-doc says nothing about a planted fault: {done.last_words}")
    # The Python one says each thing twice when it is given more than one file.
    return tuple(dict.fromkeys(message for message in messages if message.path != str(canary)))
