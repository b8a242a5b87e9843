# SPDX-License-Identifier: GPL-2.0-only
"""The kselftest check: tests that a commit touches, compiled by the tree's own Makefiles."""

import posixpath
import re
import shutil
from collections.abc import Iterable

from dmabuf_patchgen import process
from dmabuf_patchgen.check.step import DATA, Step
from dmabuf_patchgen.errors import MissingTool, UserError
from dmabuf_patchgen.kernel.cause import cause
from dmabuf_patchgen.kernel.diagnostics import Diagnostic, added, parse
from dmabuf_patchgen.kernel.kbuild import SELFTESTS, Build, environment

#: A test of nothing, laid beside the real ones: what it warns about is the harness's own.
_TRIVIAL = f"{SELFTESTS}/dmabuf-patchgen-trivial"


class Kselftest:
    """make in each touched directory of tests: static, -Wall -Wextra, the commit's headers."""

    name = "kselftest"

    def __init__(self, build: Build) -> None:
        self._build = build
        self._before: dict[str, tuple[Diagnostic, ...]] = {}
        self._harness: frozenset[tuple[str, str, str, str]] | None = None

    def before(self, step: Step) -> None:
        if self._harness is None and _homes(step):
            self._harness = self._compile_harness(step)
        self._before = {
            directory: self._compile(step, directory)[0]
            for directory in {*_homes(step).values()} - {SELFTESTS}
            if step.forest.read(f"{directory}/Makefile") is not None
        }

    def after(self, step: Step) -> tuple[Diagnostic, ...] | None:
        homes = _homes(step)
        if not homes:
            return None
        fresh: list[Diagnostic] = []
        output = ""
        for directory in sorted({*homes.values()} - {SELFTESTS}):
            messages, commands = self._compile(step, directory)
            new = added(self._before.get(directory, ()), messages, step.new_lines)
            fresh += (m for m in new if m.kind not in (self._harness or ()))
            # Whatever was before: nothing is known of a touched test that does not compile.
            fresh += (m for m in messages if m.level == "error" and m.path in step.files)
            output += commands
        fresh += (
            Diagnostic(path, 0, "error", "NOT_BUILT", "no Makefile compiles it")
            for path, directory in homes.items()
            if path.endswith(".c") or (path.endswith(".h") and directory == SELFTESTS)
            if not _is_compiled(path, output, self._build.tools.choices)
        )
        fresh += _lost_targets(step)
        return tuple(dict.fromkeys(fresh))

    def _compile(self, step: Step, directory: str) -> tuple[tuple[Diagnostic, ...], str]:
        """Build a directory of tests; its messages, and all that make said."""
        self._build.must("headers")
        step.forest.install_headers(self._build.out / "usr/include")
        output = step.scratch / "kselftest"
        shutil.rmtree(output, ignore_errors=True)
        output.mkdir()
        done = process.run(
            ["make", "-C", str(step.forest.root / directory), f"OUTPUT={output}", "V=1",
             "--keep-going", "USERCFLAGS=-Wall -Wextra", "USERLDFLAGS=-static",
             *self._build.tools.choices],
            env=environment(), check=False, merged=True,
        )  # fmt: skip
        root = str(step.forest.root)
        messages = parse(done.text.splitlines(), root, directory)
        if done.returncode and not any(message.level == "error" for message in messages):
            why = cause(done.text, root) or f"make: exit code {done.returncode}"
            messages = (*messages, Diagnostic(f"{directory}/Makefile", 0, "error", "MAKE", why))
        return messages, done.text

    def _compile_harness(self, step: Step) -> frozenset[tuple[str, str, str, str]]:
        """What the tree's own harness header warns about, in a test that does nothing.

        Raises MissingTool or UserError if not even that one can be built here.
        """
        place = step.forest.root / _TRIVIAL
        place.mkdir()
        shutil.copyfile(DATA / "trivial-test.c", place / "trivial.c")
        shutil.copyfile(DATA / "trivial-test.mk", place / "Makefile")
        messages, output = self._compile(step, _TRIVIAL)
        if not (step.scratch / "kselftest/trivial").exists():
            if "cannot find -lc" in output:
                raise MissingTool("a static C library", "libc6-dev")
            why = next((m.text for m in messages if m.level == "error"), "it leaves no program")
            raise UserError(f"a kselftest that does nothing does not compile here: {why}")
        return frozenset(message.kind for message in messages)


def _homes(step: Step) -> dict[str, str]:
    """Touched file of tests -> the directory whose Makefile is to build it.

    That of all tests stands for none: its Makefile builds everything there is.
    """
    homes = {}
    for path, body in step.files.items():
        if body is None or not path.startswith(f"{SELFTESTS}/"):
            continue
        if path.endswith((".c", ".h")) or posixpath.basename(path) == "Makefile":
            directory = posixpath.dirname(path)
            while directory != SELFTESTS and not _has_makefile(step, directory):
                directory = posixpath.dirname(directory)
            homes[path] = directory
    return homes


def _lost_targets(step: Step) -> list[Diagnostic]:
    """An error for each directory that the list of all tests newly names and that is none."""
    path = f"{SELFTESTS}/Makefile"
    lines = (step.files.get(path) or b"").decode(errors="replace").splitlines()
    lost = []
    for number in sorted(step.new_lines.get(path, ())):
        named = re.match(r"TARGETS \+= (\S+)", lines[number - 1])
        if named and not _has_makefile(step, f"{SELFTESTS}/{named[1]}"):
            text = f"{named[1]} has no Makefile"
            lost.append(Diagnostic(path, number, "error", "NO_SUCH_TESTS", text))
    return lost


def _has_makefile(step: Step, directory: str) -> bool:
    """Whether there is one after the commit."""
    path = f"{directory}/Makefile"
    return step.files.get(path, step.forest.read(path)) is not None


def _is_compiled(path: str, output: str, choices: Iterable[str]) -> bool:
    """Whether a compiler was told to read a file, by its name on a command line.

    choices: of make, in which it may have any name.
    """
    name = re.escape(posixpath.basename(path))
    chosen = [choice.partition("=")[2] for choice in choices if choice.startswith("CC=")]
    compilers = "|".join([*map(re.escape, chosen), r"\S*(?:gcc|cc|clang)\b"])
    return re.search(rf"(?m)^(?:{compilers}).*[ /]{name}(?: |$)", output) is not None
