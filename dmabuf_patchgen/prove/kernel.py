# SPDX-License-Identifier: GPL-2.0-only
"""Kernels that boot: configured and built, one state of a series after the other, and kept."""

import hashlib
import json
import posixpath
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from dmabuf_patchgen import process
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.prove import cache, configuration, kbuild
from dmabuf_patchgen.prove.diagnostics import COMMAND, parse
from dmabuf_patchgen.prove.forest import Forest
from dmabuf_patchgen.prove.kbuild import Build, Progress
from dmabuf_patchgen.prove.kselftest import SELFTESTS
from dmabuf_patchgen.render.environment import Environment
from dmabuf_patchgen.tree.architecture import Architecture
from dmabuf_patchgen.tree.source import DirectoryTree, GitTree

#: Directories of kselftests that are run where a tree has them: those of dma-buf.
COLLECTIONS = ("drivers/dma-buf", "dmabuf-heaps")
#: Nothing of the machine, of its user and of the day gets into an image.
_OPTIONS = (
    "KBUILD_BUILD_TIMESTAMP=@0",
    "KBUILD_BUILD_USER=dmabuf-patchgen",
    "KBUILD_BUILD_HOST=localhost",
    "KBUILD_BUILD_VERSION=1",
)
#: Part of every key, so that what is kept is of this form and no other.
_RECIPE = 1
#: What kselftests are built from, uapi headers included.
_OF_TESTS = ("tools/", "include/", "arch/")
#: What no kernel is built from.
_APART = ("Documentation/", f"{SELFTESTS}/")


class DoesNotBuild(UserError):
    """A state of the tree that make cannot build. log: all that make said."""

    def __init__(self, message: str, hint: str, log: str) -> None:
        super().__init__(message, hint)
        self.log = log


@dataclass(frozen=True, slots=True)
class State:
    """A state of the tree on its way through a series.

    label: for messages; files: all that differs from the tree, path -> content, None where
    the file is gone.
    """

    label: str
    files: Mapping[str, bytes | None]


@dataclass(frozen=True, slots=True)
class Kernel:
    """A built kernel, in a kept directory. key: the same for the same input."""

    place: Path
    key: str

    @property
    def image(self) -> Path:
        """What QEMU boots."""
        return self.place / "image"

    @property
    def log(self) -> str:
        """All that make said."""
        return (self.place / "build.log").read_text(encoding="utf-8")

    @property
    def config(self) -> str:
        """The whole .config."""
        return (self.place / "config").read_text(encoding="utf-8")

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols that were asked for, as lines of a .config."""
        lines = (self.place / "symbols").read_text(encoding="utf-8")
        return tuple(lines.splitlines())


@dataclass(frozen=True, slots=True)
class Tests:
    """kselftests as the tree installs them. names: `collection:test` of each, in order."""

    place: Path
    key: str

    @property
    def directory(self) -> Path:
        """What `make kselftest-install` wrote."""
        return self.place / "kselftest"

    @property
    def names(self) -> tuple[str, ...]:
        """`collection:test` of each, in order."""
        listed = (self.directory / "kselftest-list.txt").read_text(encoding="utf-8")
        return tuple(listed.split())


class Kernels:
    """The kernels and tests of a tree, for the tests of some series.

    What was built before, from the same files with the same tools, comes from where it is
    kept; the build directory is only opened for something that is not. environment, series:
    whose fragments make the configuration; touched: every file that a state differs in;
    kept: whether to take what an earlier run built; jobs: of make at the same time, 0 for as many
    as there are processors. A context manager.
    """

    def __init__(
        self,
        environment: Environment,
        tree: GitTree | DirectoryTree,
        architecture: Architecture,
        series: Sequence[str],
        touched: Iterable[str],
        progress: Progress,
        *,
        kept: bool = True,
        jobs: int = 0,
    ) -> None:
        self._environment = environment
        self._tree = tree
        self._architecture = architecture
        self._series = tuple(series)
        self._touched = frozenset(touched)
        self._progress = progress
        self._kept = kept
        self._jobs = jobs
        self._fresh: set[str] = set()
        self._stack = ExitStack()
        self._bench: _Bench | None = None
        self._settled: _Wanted | None = None
        self.tools = kbuild.toolchain()
        self.fingerprint = cache.fingerprint(tree)
        wished = configuration.wishes(environment, self._series, architecture)
        self._about = [
            _RECIPE,
            self.fingerprint,
            architecture.name,
            asdict(self.tools),
            [[symbol.line for symbol in wish.choices] for wish in wished],
        ]

    def __enter__(self) -> "Kernels":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def kernel(self, state: State) -> Kernel:
        """The kernel of a state. Raises DoesNotBuild, UserError or MissingTool."""
        return self._built(state, self._architecture.image)

    def build(self, state: State) -> None:
        """See that a state builds; what is not booted needs no image. Raises as kernel()."""
        if not self._has(self._place(self._key(self._architecture.image, _of_kernel(state)))):
            self._built(state, "vmlinux")

    def _built(self, state: State, image: str) -> Kernel:
        state = _of_kernel(state)
        key = self._key(image, state)
        place = self._place(key)
        if not self._has(place):
            made = self._opened().build(state, self._wanted(state), image, place)
            self._keep(made, place)
        cache.touch(place)
        return Kernel(place, key)

    def tests(self, state: State) -> Tests:
        """The kselftests of a state, installed. Raises DoesNotBuild, UserError, MissingTool."""
        files = {path: body for path, body in state.files.items() if path.startswith(_OF_TESTS)}
        state = State(state.label, files)
        key = self._key("tests", state)
        place = self._place(key)
        if not self._has(place):
            made = self._opened().install(state, place)
            self._keep(made, place)
        cache.touch(place)
        return Tests(place, key)

    def _key(self, what: str, state: State) -> str:
        files = {
            path: None if body is None else hashlib.sha256(body).hexdigest()
            for path, body in sorted(state.files.items())
        }
        said = json.dumps([what, *self._about, files])
        return hashlib.sha256(said.encode()).hexdigest()[:32]

    def _place(self, key: str) -> Path:
        return cache.room("kernels") / key

    def _has(self, place: Path) -> bool:
        return place.is_dir() and (self._kept or place.name in self._fresh)

    def _keep(self, made: Path, place: Path) -> None:
        """Move what was made to where it is kept: it is there whole, or not at all."""
        with process.held(), cache.locked(place):
            if place.is_dir():
                shutil.rmtree(place)
            made.rename(place)
        self._fresh.add(place.name)
        cache.evict("kernels")

    def _opened(self) -> "_Bench":
        if self._bench is None:
            self._bench = _Bench(
                self._stack, self._tree, self.tools, self._touched, self._progress, self._jobs
            )
        return self._bench

    def _wanted(self, state: State) -> "_Wanted":
        """The configuration, worked out once: that of the first state serves all of them."""
        if self._settled is None:
            place = self._place(self._key("config", State("", _kconfigs(state))))
            if not self._has(place):
                made = place.with_suffix(".partial")
                shutil.rmtree(made, ignore_errors=True)
                made.mkdir()
                self._work_out(state, made)
                self._keep(made, place)
            cache.touch(place)
            symbols = (place / "symbols").read_text(encoding="utf-8").splitlines()
            config = (place / "config").read_text(encoding="utf-8")
            self._settled = _Wanted(config, tuple(symbols))
        return self._settled

    def _work_out(self, state: State, place: Path) -> None:
        """Write what kconfiglib makes of the fragments. Raises UserError, with the reason."""
        forest = self._opened().show(state)
        plan = configuration.plan(
            self._environment, forest, self._series, self._progress, self._architecture
        )
        if plan.failed:
            one = plan.failed[0]
            raise UserError(
                f"{self._tree.label}: the kernel cannot be configured for these tests: "
                f"{one.name} wants {one.wanted}, got {one.got}: {one.reason}",
                f"see dmabuf-patchgen config {' '.join(self._series)}",
            )
        symbols = (f"{_line(one.name, one.wanted)}\n" for one in plan.outcomes)
        (place / "symbols").write_text("".join(symbols), encoding="utf-8")
        (place / "config").write_text(plan.config, encoding="utf-8")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The configuration to build. config: a whole .config; symbols: the lines asked for."""

    config: str
    symbols: tuple[str, ...]


class _Bench:
    """A build directory of a tree, which follows its states by incremental builds.

    What a run does is done on a copy of a first build that is kept: one that is killed
    spoils nothing.
    """

    def __init__(
        self,
        stack: ExitStack,
        tree: GitTree | DirectoryTree,
        tools: kbuild.Toolchain,
        touched: frozenset[str],
        progress: Progress,
        jobs: int,
    ) -> None:
        source, fingerprint = stack.enter_context(cache.source_of(tree))
        # One entry for a directory however its files change: the old one would be of no use.
        name = str(source) if isinstance(tree, DirectoryTree) else fingerprint
        what = json.dumps([_RECIPE, name, asdict(tools)])
        self._place = cache.room("bootable") / hashlib.sha256(what.encode()).hexdigest()[:32]
        stack.enter_context(cache.locked(self._place))
        self._fingerprint = fingerprint
        self._ready = self._place / "ready"
        self._label = ""
        self._progress = progress
        self._build = Build(self._place, tools, _OPTIONS, self._hear, jobs)
        if not self._is_ready():
            shutil.rmtree(self._place, ignore_errors=True)
            self._place.mkdir()
        cache.touch(self._place)
        cache.evict("bootable")
        shutil.rmtree(self._build.out, ignore_errors=True)
        if self._is_ready():
            _copy(self._place / "first", self._build.out)
        else:
            self._build.out.mkdir()
        self._forest = Forest(self._build.root, source, touched)
        shutil.rmtree(self._build.scratch, ignore_errors=True)
        self._build.scratch.mkdir()
        self._config = ""
        #: Kconfig files as they were when the .config was settled.
        self._asked: dict[str, bytes | None] | None = None

    def show(self, state: State) -> DirectoryTree:
        """The sources in a state, as a tree."""
        # A file that an earlier state changed and this one does not is as in the tree again.
        self._forest.follow(state.files)
        return DirectoryTree(self._forest.root)

    def build(self, state: State, wanted: _Wanted, image: str, place: Path) -> Path:
        """Build the kernel of a state; a directory with all that is kept of it.

        image: below the build directory; vmlinux itself is too large to be kept.
        """
        self._configure(state, wanted)
        first = not self._is_ready()
        self._label = f"{'building' if first else 'rebuilding'} the kernel, {state.label}"
        self._progress(self._label)
        made = self._make(state, posixpath.basename(image))
        result = place.with_suffix(".partial")
        shutil.rmtree(result, ignore_errors=True)
        result.mkdir()
        if image != "vmlinux":
            shutil.copyfile(self._build.out / image, result / "image")
        (result / "build.log").write_text(made, encoding="utf-8")
        (result / "config").write_text(self._config, encoding="utf-8")
        (result / "symbols").write_text("\n".join(wanted.symbols), encoding="utf-8")
        if first:
            self._keep_first()
        return result

    def install(self, state: State, place: Path) -> Path:
        """Build and install the kselftests of a state; a directory with all that is kept."""
        # By which the tree's own Makefile installs them.
        process.require("rsync")
        self.show(state)
        self._label = f"building the kselftests, {state.label}"
        self._progress(self._label)
        self._make(state, "headers")
        self._forest.install_headers(self._build.out / "usr/include")
        collections = [
            name for name in COLLECTIONS if (self._forest.root / SELFTESTS / name).is_dir()
        ]
        result = place.with_suffix(".partial")
        shutil.rmtree(result, ignore_errors=True)
        result.mkdir()
        work = self._build.scratch / "kselftest"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        # The target directories' own Makefiles as `make kselftest-install` calls them, whose
        # top Makefile passes no flags for static linking on all trees.
        done = process.run(
            ["make", "-C", str(self._forest.root / SELFTESTS), "install",
             f"O={work}", f"INSTALL_PATH={result / 'kselftest'}", "FORCE_TARGETS=1",
             f"KHDR_INCLUDES=-isystem {self._build.out / 'usr/include'}",
             f"TARGETS={' '.join(collections)}", "USERLDFLAGS=-static",
             *self._build.tools.choices],
            env=kbuild.environment(), check=False, merged=True, hear=self._hear,
        )  # fmt: skip
        self._refuse_incomplete(state, result / "kselftest", done)
        (result / "build.log").write_text(done.text, encoding="utf-8")
        return result

    def _refuse_incomplete(self, state: State, installed: Path, done: process.Finished) -> None:
        listed = installed / "kselftest-list.txt"
        names = listed.read_text(encoding="utf-8").split() if listed.exists() else []
        missing = [name for name in names if not (installed / name.replace(":", "/")).is_file()]
        if done.returncode or missing or not names:
            said = parse(done.text.splitlines(), str(self._forest.root))
            errors = [f"{m.path}:{m.line}: {m.text}" for m in said if m.level == "error"]
            errors += [f"{name} was not built" for name in missing]
            cause = errors[0] if errors else f"make: exit code {done.returncode}"
            raise DoesNotBuild(
                f"the kselftests do not build, {state.label}: {cause}",
                "dmabuf-patchgen check tells more",
                done.text,
            )

    def _configure(self, state: State, wanted: _Wanted) -> None:
        """Bring sources and .config to a state, and read every symbol back."""
        self.show(state)
        asked = _kconfigs(state)
        if asked == self._asked:
            return
        self._asked = asked
        place = self._build.out / ".config"
        if not self._config:
            place.write_text(wanted.config, encoding="utf-8")
        self._label = f"configuring the kernel, {state.label}"
        self._make(state, "olddefconfig")
        self._config = place.read_text(encoding="utf-8")
        lines = set(self._config.splitlines())
        for line in wanted.symbols:
            # A symbol that is to be off may also be one that cannot be asked for.
            name = line.removeprefix("# ").partition("=")[0].partition(" ")[0]
            off = line.startswith("#") and f"{name}=" not in self._config
            if line not in lines and not off:
                raise UserError(
                    f"{state.label}: {line!r} is not what olddefconfig leaves of it",
                    f"see dmabuf-patchgen config, and {place}",
                )

    def _make(self, state: State, target: str) -> str:
        made = self._build.make(target)
        if made.returncode:
            if missing := made.missing:
                raise missing
            log = self._place / "failed.log"
            log.write_text(made.output, encoding="utf-8")
            raise DoesNotBuild(
                f"make {target} fails, {state.label}: {made.reason}",
                f"all that make said: {log}",
                made.output,
            )
        return made.output

    def _keep_first(self) -> None:
        _copy(self._build.out, self._place / "first")
        partial = self._place / "ready.partial"
        partial.write_text(self._fingerprint)
        partial.rename(self._ready)

    def _is_ready(self) -> bool:
        return self._ready.exists() and self._ready.read_text() == self._fingerprint

    def _hear(self, line: str) -> None:
        command = COMMAND.match(line)
        if command:
            self._progress(f"{self._label}: {command['what']} {command['target']}")


def _copy(source: Path, target: Path) -> None:
    """Copy a directory with its times, by which make tells what is up to date."""
    process.run(["cp", "-a", "--reflink=auto", str(source), str(target)])


def _line(name: str, value: str) -> str:
    """What is wanted, as a line of a .config."""
    return f"# CONFIG_{name} is not set" if value == "n" else f"CONFIG_{name}={value}"


def _of_kernel(state: State) -> State:
    """A state without tests and documents: states that differ in nothing else share a kernel."""
    files = {path: body for path, body in state.files.items() if not path.startswith(_APART)}
    return State(state.label, files)


def _kconfigs(state: State) -> dict[str, bytes | None]:
    return {
        path: body
        for path, body in state.files.items()
        if posixpath.basename(path).startswith("Kconfig")
    }
