# SPDX-License-Identifier: GPL-2.0-only
"""Kernels and kselftests of a tree in its states, each built once and kept."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.kernel import cache, configuration, kbuild
from dmabuf_patchgen.kernel.architecture import Architecture
from dmabuf_patchgen.kernel.bootable import RECIPE, Bootable, KernelConfig, State, kconfigs
from dmabuf_patchgen.kernel.kbuild import SELFTESTS, Progress
from dmabuf_patchgen.render.environment import Environment
from dmabuf_patchgen.tree.source import KernelTree

#: What kselftests are built from, uapi headers included.
_OF_TESTS = ("tools/", "include/", "arch/")
#: What no kernel is built from.
_APART = ("Documentation/", f"{SELFTESTS}/")


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
    as there are processors; debug: whether they have checkers; kunit: whether they have KUnit.
    A context manager.
    """

    def __init__(
        self,
        environment: Environment,
        tree: KernelTree,
        architecture: Architecture,
        series: Sequence[str],
        touched: Iterable[str],
        progress: Progress,
        *,
        kept: bool = True,
        jobs: int = 0,
        debug: bool = False,
        kunit: bool = False,
    ) -> None:
        self._environment = environment
        self._tree = tree
        self._architecture = architecture
        self._series = tuple(series)
        self._touched = frozenset(touched)
        self._progress = progress
        self._kept = kept
        self._jobs = jobs
        self._debug = debug
        # Checkers change every object, and KUnit, by which a task has a member more, most of them.
        self._apart = [name for name, on in (("debug", debug), ("kunit", kunit)) if on]
        self._fresh: set[str] = set()
        self._stack = ExitStack()
        self._build_directory: Bootable | None = None
        self._config: KernelConfig | None = None
        self.tools = kbuild.toolchain()
        progress(f"reading {tree.label}")
        self.fingerprint = cache.fingerprint(tree)
        requests = configuration.requests(environment, self._series, architecture, debug=debug)
        self._about = [
            RECIPE,
            self.fingerprint,
            architecture.name,
            asdict(self.tools),
            [[symbol.line for symbol in request.choices] for request in requests],
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
        if not self._found(self._key(self._architecture.image, _of_kernel(state))):
            self._built(state, "vmlinux")

    def _built(self, state: State, image: str) -> Kernel:
        state = _of_kernel(state)
        key = self._key(image, state)
        place = self._found(key)
        if place is None:
            result = self._bootable().build(state, self._kernel_config(state), image)
            place = self._keep(key, result)
        return Kernel(place, key)

    def tests(self, state: State) -> Tests:
        """The kselftests of a state, installed. Raises DoesNotBuild, UserError, MissingTool."""
        files = {path: body for path, body in state.files.items() if path.startswith(_OF_TESTS)}
        state = State(state.label, files)
        key = self._key("tests", state)
        place = self._found(key)
        if place is None:
            place = self._keep(key, self._bootable().install(state))
        return Tests(place, key)

    def _key(self, what: str, state: State) -> str:
        files = {
            path: None if body is None else hashlib.sha256(body).hexdigest()
            for path, body in sorted(state.files.items())
        }
        about = json.dumps([what, *self._about, files])
        return hashlib.sha256(about.encode()).hexdigest()[:32]

    def _found(self, key: str) -> Path | None:
        """What is kept under a key, None if it is to be made."""
        if not self._kept and key not in self._fresh:
            return None
        return cache.kept("kernels", key)

    def _keep(self, key: str, made: Path) -> Path:
        self._fresh.add(key)
        return cache.keep("kernels", key, made)

    def _bootable(self) -> Bootable:
        if self._build_directory is None:
            self._build_directory = Bootable(
                self._stack,
                self._tree,
                self.tools,
                self._touched,
                self._progress,
                self._jobs,
                apart=self._apart,
            )
            if self._build_directory.fingerprint != self.fingerprint:
                raise UserError(f"{self._tree.label}: files in it were just changed", "start again")
        return self._build_directory

    def _kernel_config(self, state: State) -> KernelConfig:
        """The configuration, worked out once: that of the first state serves all of them."""
        if self._config is None:
            key = self._key("config", State("", kconfigs(state)))
            place = self._found(key)
            if place is None:
                result = self._bootable().fresh("configuration")
                self._work_out(state, result)
                place = self._keep(key, result)
            symbols = (place / "symbols").read_text(encoding="utf-8").splitlines()
            config = (place / "config").read_text(encoding="utf-8")
            self._config = KernelConfig(config, tuple(symbols))
        return self._config

    def _work_out(self, state: State, place: Path) -> None:
        """Write what kconfiglib makes of the fragments. Raises UserError, with the reason."""
        forest = self._bootable().show(state)
        result = configuration.configure(
            self._environment,
            forest,
            self._series,
            self._progress,
            self._architecture,
            debug=self._debug,
        )
        if result.failed:
            one = result.failed[0]
            raise UserError(
                f"{self._tree.label}: the kernel cannot be configured for these tests: "
                f"{one.name} wants {one.wanted}, got {one.got}: {one.reason}",
                f"see dmabuf-patchgen config {' '.join(self._series)}",
            )
        symbols = (f"{_line(one.name, one.wanted)}\n" for one in result.results if not one.absent)
        (place / "symbols").write_text("".join(symbols), encoding="utf-8")
        (place / "config").write_text(result.config, encoding="utf-8")


def _line(name: str, value: str) -> str:
    """What is wanted, as a line of a .config."""
    return f"# CONFIG_{name} is not set" if value == "n" else f"CONFIG_{name}={value}"


def _of_kernel(state: State) -> State:
    """A state without tests and documents: states that differ in nothing else share a kernel."""
    files = {path: body for path, body in state.files.items() if not path.startswith(_APART)}
    return State(state.label, files)
