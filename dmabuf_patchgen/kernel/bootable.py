# SPDX-License-Identifier: GPL-2.0-only
"""A build directory of kernels that boot: it follows the states of a tree."""

import hashlib
import json
import posixpath
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from dmabuf_patchgen import process
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.kernel import cache, kbuild, seal
from dmabuf_patchgen.kernel.cause import cause
from dmabuf_patchgen.kernel.diagnostics import COMMAND
from dmabuf_patchgen.kernel.forest import Forest
from dmabuf_patchgen.kernel.kbuild import SELFTESTS, Build, Progress
from dmabuf_patchgen.tree.source import DirectoryTree, KernelTree

#: Part of every key, so that what is kept is of this form and no other.
RECIPE = 2
#: In a first build: the files in which the state that it was made of is not as the tree.
_TOUCHED = "dmabuf-patchgen-touched.json"
#: Directories of kselftests that are run where a tree has them: those of dma-buf.
COLLECTIONS = ("drivers/dma-buf", "dmabuf-heaps")
#: Nothing of the machine, of its user and of the day gets into an image.
_OPTIONS = (
    "KBUILD_BUILD_TIMESTAMP=@0",
    "KBUILD_BUILD_USER=dmabuf-patchgen",
    "KBUILD_BUILD_HOST=localhost",
    "KBUILD_BUILD_VERSION=1",
)


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
class KernelConfig:
    """The configuration to build. config: a whole .config; symbols: the lines asked for."""

    config: str
    symbols: tuple[str, ...]


class Bootable:
    """A build directory of a tree, which follows its states by incremental builds.

    What a run does is done on a copy of a first build that is kept: one that is killed
    spoils nothing. A run that has another configuration leaves its own first build instead,
    for an older one would have the same objects built by every run.
    apart: names of what sets its kernels apart, if they share next to no object with those of the
    tree that have it not; fingerprint: the id of the tree.
    """

    def __init__(
        self,
        stack: ExitStack,
        tree: KernelTree,
        tools: kbuild.Toolchain,
        touched: frozenset[str],
        progress: Progress,
        jobs: int,
        *,
        apart: Sequence[str] = (),
    ) -> None:
        source, fingerprint = stack.enter_context(cache.source_of(tree))
        # One entry for a directory however its files change: the old one would be of no use.
        name = str(tree.root or fingerprint)
        # Else each run would build all of a kernel anew, if the last one was of the other kind.
        what = json.dumps([RECIPE, name, asdict(tools), *apart])
        self._place = cache.directory("bootable") / hashlib.sha256(what.encode()).hexdigest()[:32]
        stack.enter_context(cache.locked(self._place))
        self._tree = tree
        self.fingerprint = fingerprint
        self._first = self._place / "first"
        self._label = ""
        self._progress = progress
        self._build = Build(self._place, tools, _OPTIONS, self._on_line, jobs)
        #: Whether there is a first build that is as it was left.
        self._is_ready = seal.holds(self._first, fingerprint)
        if not self._is_ready:
            shutil.rmtree(self._place, ignore_errors=True)
            self._place.mkdir()
        cache.touch(self._place)
        cache.evict("bootable")
        shutil.rmtree(self._build.out, ignore_errors=True)
        # Nobody begins with it: hundreds of megabytes that a run has no more use for.
        stack.callback(shutil.rmtree, self._build.out, ignore_errors=True)
        if self._is_ready:
            _copy(self._first, self._build.out)
        else:
            self._build.out.mkdir()
        #: Files that objects of the first build may be older than, whatever their time says.
        self._outdated = self._touched_before()
        self._shown: frozenset[str] = frozenset()
        self._forest = Forest(self._build.root, source, touched | self._outdated)
        shutil.rmtree(self._build.scratch, ignore_errors=True)
        self._build.scratch.mkdir()
        self._config = ""
        #: Whether something was built that later runs can begin with.
        self._begun = False
        #: Kconfig files as they were when the .config was settled.
        self._asked: dict[str, bytes | None] | None = None

    def show(self, state: State) -> DirectoryTree:
        """The sources in a state, as a tree."""
        # A file that an earlier state changed and this one does not is as in the tree again.
        self._forest.follow(state.files)
        # That build may have begun with another state than this one.
        self._forest.renew(self._outdated)
        self._outdated = frozenset()
        self._shown = frozenset(state.files)
        return DirectoryTree(self._forest.root, self._forest.source)

    def fresh(self, name: str) -> Path:
        """An empty directory for something that is to be kept, on the same file system."""
        place = self._build.scratch / name
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        return place

    def build(self, state: State, config: KernelConfig, image: str) -> Path:
        """Build the kernel of a state; a directory with all that is kept of it.

        image: below the build directory; vmlinux itself is too large to be kept.
        """
        self._configure(state, config)
        first = not self._is_ready
        self._label = f"{'building' if first else 'rebuilding'} the kernel, {state.label}"
        self._progress(self._label)
        output = self._make(state, posixpath.basename(image))
        result = self.fresh("result")
        if image != "vmlinux":
            shutil.copyfile(self._build.out / image, result / "image")
        (result / "build.log").write_text(output, encoding="utf-8")
        (result / "config").write_text(self._config, encoding="utf-8")
        (result / "symbols").write_text("\n".join(config.symbols), encoding="utf-8")
        self._must_be_unchanged()
        if not self._begun and (first or self._first_config() != self._config):
            self._keep_first()
        self._begun = True
        return result

    def install(self, state: State) -> Path:
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
        result = self.fresh("result")
        work = self.fresh("kselftest")
        # As the top Makefile's kselftest-install calls it, which does not pass on flags for
        # static programs on all trees. 5.10's tests know no KHDR_INCLUDES.
        headers = f"-isystem {self._build.out / 'usr/include'}"
        done = process.run(
            ["make", "-C", str(self._forest.root / SELFTESTS), "install",
             f"O={work}", f"KSFT_INSTALL_PATH={result / 'kselftest'}", "FORCE_TARGETS=1",
             f"KHDR_INCLUDES={headers}", f"USERCFLAGS={headers}",
             f"TARGETS={' '.join(collections)}", "USERLDFLAGS=-static",
             *self._build.tools.choices],
            env=kbuild.environment(), check=False, merged=True, on_line=self._on_line,
        )  # fmt: skip
        self._refuse_incomplete(state, result / "kselftest", done)
        self._must_be_unchanged()
        (result / "build.log").write_text(done.text, encoding="utf-8")
        return result

    def _must_be_unchanged(self) -> None:
        """Refuse what was built of files that changed meanwhile: no key tells what it is of."""
        if self._tree.root is not None and self._tree.id != self.fingerprint:
            raise UserError(
                f"{self._tree.label}: files in it were changed while it was built",
                "start again, and leave them alone meanwhile",
            )

    def _refuse_incomplete(self, state: State, installed: Path, done: process.Finished) -> None:
        listed = installed / "kselftest-list.txt"
        names = listed.read_text(encoding="utf-8").split() if listed.exists() else []
        missing = [name for name in names if not (installed / name.replace(":", "/")).is_file()]
        if done.returncode or missing or not names:
            if done.returncode:
                said = cause(done.text, str(self._forest.root))
                why = said or f"make: exit code {done.returncode}"
            else:
                why = f"{missing[0]} was not built" if missing else "none is installed"
            raise DoesNotBuild(
                f"the kselftests do not build, {state.label}: {why}",
                "dmabuf-patchgen check tells more",
                done.text,
            )

    def _configure(self, state: State, config: KernelConfig) -> None:
        """Bring sources and .config to a state, and read every symbol back."""
        self.show(state)
        asked = kconfigs(state)
        if asked == self._asked:
            return
        self._asked = asked
        place = self._build.out / ".config"
        if not self._config:
            place.write_text(config.config, encoding="utf-8")
        self._label = f"configuring the kernel, {state.label}"
        self._make(state, "olddefconfig")
        self._config = place.read_text(encoding="utf-8")
        lines = set(self._config.splitlines())
        for line in config.symbols:
            # A symbol that is to be off may also be one that cannot be asked for.
            name = line.removeprefix("# ").partition("=")[0].partition(" ")[0]
            off = line.startswith("#") and f"{name}=" not in self._config
            if line not in lines and not off:
                failed = self._place / "failed.config"
                failed.write_text(self._config, encoding="utf-8")
                raise UserError(
                    f"{state.label}: {line!r} is not what olddefconfig leaves of it",
                    f"see dmabuf-patchgen config, and {failed}",
                )

    def _make(self, state: State, target: str) -> str:
        result = self._build.make(target)
        if result.returncode:
            if missing := result.missing:
                raise missing
            log = self._place / "failed.log"
            log.write_text(result.output, encoding="utf-8")
            raise DoesNotBuild(
                f"make {target} fails, {state.label}: {result.reason}",
                f"all that make said: {log}",
                result.output,
            )
        return result.output

    def _first_config(self) -> str:
        return (self._first / ".config").read_text(encoding="utf-8")

    def _touched_before(self) -> frozenset[str]:
        """The files that the first build's state touched."""
        if not self._is_ready:
            return frozenset()
        return frozenset(json.loads((self._first / _TOUCHED).read_text(encoding="utf-8")))

    def _keep_first(self) -> None:
        following = self._place / "first.partial"
        shutil.rmtree(following, ignore_errors=True)
        _copy(self._build.out, following)
        (following / _TOUCHED).write_text(json.dumps(sorted(self._shown)), encoding="utf-8")
        seal.close(following, self.fingerprint)
        # A kill in between leaves none, and all of it is built anew.
        shutil.rmtree(self._first, ignore_errors=True)
        following.rename(self._first)
        seal.sync(self._place)
        self._is_ready = True

    def _on_line(self, line: str) -> None:
        command = COMMAND.match(line)
        if command:
            self._progress(f"{self._label}: {command['what']} {command['target']}")


def _copy(source: Path, target: Path) -> None:
    """Copy a directory with its times, by which make tells what is up to date."""
    process.run(["cp", "-a", "--reflink=auto", str(source), str(target)])


def kconfigs(state: State) -> dict[str, bytes | None]:
    """The files of a state that a configuration depends on."""
    return {
        path: body
        for path, body in state.files.items()
        if posixpath.basename(path).startswith("Kconfig")
    }
