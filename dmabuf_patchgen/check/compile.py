# SPDX-License-Identifier: GPL-2.0-only
"""The compiler's and sparse's view of a commit: W=1 and C=2 on the objects it touches."""

import posixpath
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from dmabuf_patchgen.check.step import Step
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.kernel.diagnostics import Diagnostic, added, parse, worst
from dmabuf_patchgen.kernel.forest import Forest
from dmabuf_patchgen.kernel.kbuild import DATA, SCOPE, SELFTESTS, Build, MakeResult

_SOURCES = (".c", ".S", ".rs")
#: Top directories that hold programs of the host or examples: no target of kbuild's.
_APART = ("Documentation", "samples", "scripts", "tools", "usr")


class Compile:
    """make W=1 of what a commit touches, on top of the state before it."""

    name = "build"

    def __init__(self, build: Build) -> None:
        self.build = build
        #: Objects that the last commit made kbuild compile, and that did compile.
        self.compiled: frozenset[str] = frozenset()
        self._objects: set[str] = set()
        self._config: tuple[Diagnostic, ...] = ()
        self._stopped = ""

    def start(self, forest: Forest, touched: Iterable[str]) -> None:
        """Build what the series touches outside of drivers/dma-buf, in the state before it.

        An object that the configuration leaves out is no error yet: it is one of the commit
        that touches it. Raises UserError if an object does not build as it is.
        """
        present = [path for path in touched if forest.read(path) is not None]
        self._objects = {_stem(path) for path in present if _is_object(path)}
        if not self._objects:
            return
        result = self.build.make(*(f"{stem}.o" for stem in sorted(self._objects)))
        if result.log.failed & self._objects:
            raise UserError(f"the tree does not build before the series: {result.reason}")
        built = result.log.built & self._objects
        self.build.messages.update({stem: result.log.messages.get(stem, ()) for stem in built})
        self.build.check_sources(built)

    def before(self, step: Step) -> None:
        if _touches_kconfig(step):
            self._config = self._configure(step)[1]

    def after(self, step: Step) -> tuple[Diagnostic, ...] | None:
        self.compiled = frozenset()
        if not any(_matters(path) for path in step.files):
            return None
        fresh: list[Diagnostic] = []
        if _touches_kconfig(step):
            result, messages = self._configure(step)
            fresh += added(self._config, messages, step.new_lines)
            if result.returncode:
                return tuple(fresh) or (_stop(result.reason),)
        for path, body in step.files.items():
            if _is_object(path):
                change = self._objects.discard if body is None else self._objects.add
                change(_stem(path))
        result = self.build.make(SCOPE, *(f"{stem}.o" for stem in sorted(self._objects)))
        log = result.log
        self.compiled = frozenset(stem for stem in log.built - log.failed if self._is_ours(stem))
        fresh += self._compare(result, step)
        fresh += self._not_built(result, step)
        reason = result.reason if result.returncode else ""
        errors = any(m.level == "error" for messages in log.messages.values() for m in messages)
        if reason not in ("", self._stopped) and not errors and not fresh:
            fresh.append(_stop(reason))
        self._stopped = reason
        return tuple(dict.fromkeys(fresh))

    def _is_ours(self, stem: str) -> bool:
        return stem.startswith(SCOPE) or stem in self._objects

    def _compare(self, result: MakeResult, step: Step) -> list[Diagnostic]:
        """What each object says that it did not say before; takes the new state over."""
        fresh: list[Diagnostic] = []
        known = self.build.messages
        for stem in {*result.log.messages, *result.log.built}:
            messages = result.log.messages.get(stem, ())
            if not self._is_ours(stem):
                # Built in passing, such as kernel/bounds.s: its warnings were never noted.
                fresh += (message for message in messages if message.level == "error")
                continue
            # To a new object headers say what they say to the others, too.
            before = known.get(stem, self._of_headers(step))
            fresh += added(before, messages, step.new_lines)
            # An error hides warnings that were there before it and will be there again.
            failed = stem in result.log.failed
            known[stem] = worst(known.get(stem, ()), messages) if failed else messages
        return fresh

    def _of_headers(self, step: Step) -> tuple[Diagnostic, ...]:
        """What files that the commit leaves alone say to objects that are there already."""
        known = {message for messages in self.build.messages.values() for message in messages}
        return tuple(message for message in known if message.path not in step.files)

    def _not_built(self, result: MakeResult, step: Step) -> list[Diagnostic]:
        """An error for each touched file that no compiler saw: that would pass unseen."""
        seen = result.log.built | result.log.failed
        text = "not compiled under the configuration of the checks, so nothing is known of it"
        fresh = []
        for path, body in step.files.items():
            if body is None or path.startswith(f"{SELFTESTS}/"):
                continue
            unseen = path.endswith(_SOURCES) and _stem(path) not in seen
            if path.endswith(".h") and not result.returncode:
                unseen = not self._is_included(path)
            if unseen:
                fresh.append(Diagnostic(path, 0, "error", "NOT_BUILT", text))
        return fresh

    def _is_included(self, header: str) -> bool:
        """Whether an object depends on a header, by the dependencies that kbuild keeps."""
        needle = f"/{header}".encode()
        places = [self.build.out / SCOPE, *map(self._directory, sorted(self._objects))]
        commands = (path for place in places for path in place.rglob(".*.o.cmd"))
        return any(needle in path.read_bytes() for path in commands)

    def _directory(self, stem: str) -> Path:
        return self.build.out / posixpath.dirname(stem)

    def _configure(self, step: Step) -> tuple[MakeResult, tuple[Diagnostic, ...]]:
        """Ask again for what the configuration lacks: the commit may be what brings it."""
        config = self.build.out / ".config"
        has = config.read_text()
        wanted = [
            line
            for line in (DATA / "check.config").read_text().splitlines()
            if line.startswith("CONFIG_") and not re.search(rf"\b{line.split('=')[0]}\b", has)
        ]
        config.write_text("\n".join([has, *wanted, ""]))
        result = self.build.make("olddefconfig")
        return result, parse(result.output.splitlines(), str(step.forest.root))


class Sparse:
    """sparse on the objects that the commit made kbuild compile."""

    name = "sparse"

    def __init__(self, compiled: Compile) -> None:
        self._compile = compiled

    def before(self, step: Step) -> None:
        """Nothing: the build remembers what sparse said of each object."""

    def after(self, step: Step) -> tuple[Diagnostic, ...] | None:
        objects = sorted(self._compile.compiled)
        if not objects:
            return None
        build = self._compile.build
        before = {stem: build.sparse.get(stem, ()) for stem in objects}
        build.check_sources(objects)
        fresh: list[Diagnostic] = []
        for stem in objects:
            fresh += added(before[stem], build.sparse[stem], step.new_lines)
            if f"{stem}.c" in step.files:
                fresh += blind(before[stem], build.sparse[stem])
        return tuple(dict.fromkeys(fresh))


def blind(before: Iterable[Diagnostic], after: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """An error where sparse saw little of a file that a commit touches.

    lib.c of sparse: warning() says nothing once there was an error. One that the commit
    brings is a finding by itself; one that was there before would let anything pass.
    """
    old = {message.kind for message in before}
    text = "sparse warns of nothing in this file because of an error from before the commit: "
    return tuple(
        replace(message, type="BLIND", text=text + message.text)
        for message in after
        if message.level == "error" and message.kind in old
    )[:1]


def _stem(path: str) -> str:
    return posixpath.splitext(path)[0]


def _is_object(path: str) -> bool:
    """Whether a file is a source that kbuild must be asked for by name."""
    apart = path.split("/", 1)[0] in _APART
    return path.endswith(_SOURCES) and not path.startswith(SCOPE) and not apart


def _matters(path: str) -> bool:
    """Whether a change of a file can change what the compiler sees."""
    if path.startswith((f"{SELFTESTS}/", "Documentation/")):
        return False
    name = posixpath.basename(path)
    return path.endswith((*_SOURCES, ".h")) or name.startswith(("Makefile", "Kbuild", "Kconfig"))


def _touches_kconfig(step: Step) -> bool:
    return any(posixpath.basename(path).startswith("Kconfig") for path in step.files)


def _stop(reason: str) -> Diagnostic:
    return Diagnostic("", 0, "error", "MAKE", reason)
