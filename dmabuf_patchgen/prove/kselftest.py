# SPDX-License-Identifier: GPL-2.0-only
"""The kselftest check: tests that a commit touches, compiled by the tree's own Makefiles."""

import posixpath
import re
import shutil

from dmabuf_patchgen import process
from dmabuf_patchgen.prove.diagnostics import Diagnostic, added, parse
from dmabuf_patchgen.prove.kbuild import DATA, Build, environment
from dmabuf_patchgen.prove.step import Step

SELFTESTS = "tools/testing/selftests"
#: A test of nothing, laid beside the real ones: what it warns about is the harness's own.
_TRIVIAL = f"{SELFTESTS}/dmabuf-patchgen-trivial"


class Kselftest:
    """make in each touched directory of tests: static, -Wall -Wextra, the commit's headers."""

    name = "kselftest"

    def __init__(self, build: Build) -> None:
        self._build = build
        self._before: dict[str, tuple[Diagnostic, ...]] = {}

    def before(self, step: Step) -> None:
        self._before = {
            directory: self._compile(step, directory)[0]
            for directory in _directories(step)
            if step.forest.read(f"{directory}/Makefile") is not None
        }

    def after(self, step: Step) -> tuple[Diagnostic, ...] | None:
        directories = _directories(step)
        if not directories:
            return None
        fresh: list[Diagnostic] = []
        for directory in directories:
            if step.forest.read(f"{directory}/Makefile") is None:
                fresh += _unseen(step, directory, "")
                continue
            said, output = self._compile(step, directory)
            new = added(self._before.get(directory, ()), said, step.new_lines)
            fresh += self._without_harness(step, new)
            fresh += _unseen(step, directory, output)
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
            env=environment(), check=False,
        )  # fmt: skip
        said = (done.stdout + done.stderr).decode(errors="replace")
        messages = parse(said.splitlines(), str(step.forest.root), directory)
        if done.returncode and not any(message.level == "error" for message in messages):
            cause = next((line for line in said.splitlines() if "***" in line), done.last_words)
            stop = Diagnostic(f"{directory}/Makefile", 0, "error", "MAKE", cause.strip())
            messages = (*messages, stop)
        return messages, said

    def _without_harness(self, step: Step, fresh: tuple[Diagnostic, ...]) -> tuple[Diagnostic, ...]:
        """Drop what the tree's own harness header warns about in any test."""
        shared = [message for message in fresh if posixpath.dirname(message.path) == SELFTESTS]
        if not shared:
            return fresh
        place = step.forest.root / _TRIVIAL
        place.mkdir(exist_ok=True)
        shutil.copyfile(DATA / "trivial-test.c", place / "trivial.c")
        shutil.copyfile(DATA / "trivial-test.mk", place / "Makefile")
        own = {message.kind for message in self._compile(step, _TRIVIAL)[0]}
        return tuple(m for m in fresh if m not in shared or m.kind not in own)


def _directories(step: Step) -> tuple[str, ...]:
    """The directories of tests that a commit touches: those with a Makefile, or about to."""
    found = set()
    for path in step.files:
        if not path.startswith(f"{SELFTESTS}/"):
            continue
        directory = posixpath.dirname(path)
        has_makefile = {
            parent
            for parent in _parents(directory)
            if step.files.get(f"{parent}/Makefile") is not None
            or step.forest.read(f"{parent}/Makefile") is not None
        }
        nearest = max(has_makefile, key=len, default=directory)
        if nearest != SELFTESTS:
            found.add(nearest)
    return tuple(sorted(found))


def _parents(directory: str) -> list[str]:
    """A directory and those above it, up to and without that of all tests."""
    found = []
    while directory != SELFTESTS:
        found.append(directory)
        directory = posixpath.dirname(directory)
    return found


def _unseen(step: Step, directory: str, output: str) -> list[Diagnostic]:
    """An error for each touched program that make in its directory did not compile."""
    text = "no Makefile compiles it"
    return [
        Diagnostic(path, 0, "error", "NOT_BUILT", text)
        for path, body in step.files.items()
        if path.startswith(f"{directory}/") and path.endswith(".c") and body is not None
        if not _compiled(path, output)
    ]


def _compiled(path: str, output: str) -> bool:
    name = re.escape(posixpath.basename(path))
    return re.search(rf"(?m)^\S*(?:gcc|cc|clang)\b.*[ /]{name}(?: |$)", output) is not None
