# SPDX-License-Identifier: GPL-2.0-only
"""Building parts of a kernel out of tree, prepared once for a tree and a compiler."""

import contextlib
import hashlib
import json
import os
import re
import shlex
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from dmabuf_patchgen import process
from dmabuf_patchgen.errors import MissingTool, UserError
from dmabuf_patchgen.kernel import cache, programs, seal
from dmabuf_patchgen.kernel.architecture import here
from dmabuf_patchgen.kernel.cause import cause
from dmabuf_patchgen.kernel.diagnostics import BuildLog, Diagnostic, parse_build
from dmabuf_patchgen.kernel.forest import Forest
from dmabuf_patchgen.tree.source import KernelTree

Progress = Callable[[str], None]

DATA = Path(__file__).parent / "data"
#: Where a tree has its kselftests.
SELFTESTS = "tools/testing/selftests"
#: Where a prepared build has what is kept of it, sealed.
_READY = "ready"
#: The directory every prepared build holds objects of.
SCOPE = "drivers/dma-buf/"
#: What of the user's environment says how to build; passed on as make variables.
CHOICES = ("ARCH", "CROSS_COMPILE", "LLVM", "CC", "HOSTCC")
#: Variables that would make a build differ from the next one, or that belong to a calling make.
_DROPPED = re.compile(
    r"(MAKE|GNUMAKE|KBUILD_|KCONFIG_|LC_)\w*|MFLAGS|LANGUAGE|sub_make_done|INSTALL_HDR_PATH|"
    r"(KC|KCPP|KA|USERC|USERLD|C|CPP|LD)FLAGS|CF|C|V|W|O|M|CHECK|OUTPUT|KHDR_INCLUDES|TARGETS"
)
_NEEDED = ("make", "perl", "sparse", "flex", "bison", "bc")
#: What a host program's failed compilation says -> what is missing, and its package.
_LIBRARIES = {
    "gelf.h": ("libelf", "libelf-dev"),
    "libelf.h": ("libelf", "libelf-dev"),
    "install libelf": ("libelf", "libelf-dev"),
    "openssl/": ("OpenSSL's headers", "libssl-dev"),
}


@dataclass(frozen=True, slots=True)
class Toolchain:
    """The compiler as the user's environment chose it.

    choices: NAME=value for make; programs: a hash of what runs when it compiles, which tells
    two of one version apart.
    """

    choices: tuple[str, ...]
    version: str
    programs: str


def toolchain() -> Toolchain:
    """The compiler that kbuild will use.

    Raises MissingTool if it, or kbuild's helpers, lack, UserError if it is of another
    architecture than the kernel is to be.
    """
    for tool in _NEEDED:
        process.require(tool)
    chosen = {name: value for name in CHOICES if (value := programs.named(name))}
    # The same choice as the top Makefile makes; LLVM is 1, a directory/, or a -suffix.
    llvm = chosen.get("LLVM", "")
    clang = f"{llvm}clang" if llvm.endswith("/") else f"clang{llvm if llvm[:1] == '-' else ''}"
    fallback = clang if llvm else f"{chosen.get('CROSS_COMPILE', '')}gcc"
    compiler = shlex.split(chosen.get("CC", fallback))
    lines = process.run([*compiler, "--version"], env=environment()).text.splitlines()
    choices = tuple(f"{name}={value}" for name, value in chosen.items())
    version = lines[0] if lines else compiler[0]
    # kbuild tells clang what to compile for; a gcc would refuse some option, after a minute.
    if "clang" not in version:
        _refuse_another(compiler, chosen.get("ARCH", ""))
    return Toolchain(choices, version, programs.digest(*compiler, *_parts(compiler)))


def _parts(compiler: Sequence[str]) -> tuple[str, ...]:
    """The programs that a compiler leaves its work to, by what it says itself."""
    asked = (
        process.run([*compiler, f"-print-prog-name={name}"], env=environment(), check=False)
        for name in ("cc1", "as", "ld")
    )
    return tuple(done.text.strip() for done in asked)


def checker() -> str:
    """A hash of the sparse that the checks run."""
    return programs.digest("sparse")


def _refuse_another(compiler: Sequence[str], arch: str) -> None:
    """Refuse a compiler of one architecture for a kernel of another, of those that are known."""
    machine = process.run([*compiler, "-dumpmachine"], check=False).text.partition("-")[0]
    made = next((one for one in here().known if one.machine == machine), None)
    meant = next((one for one in here().known if (arch in one.names if arch else one.native)), None)
    if made and meant and made != meant:
        raise UserError(
            f"{shlex.join(compiler)} compiles for {made.name}, and the kernel is for {meant.name}",
            f"set CROSS_COMPILE={meant.triple}-, or ARCH={made.name}",
        )


def environment() -> dict[str, str]:
    """The environment for make: the user's choice of tools, and English messages."""
    kept = {name: value for name, value in os.environ.items() if not _DROPPED.fullmatch(name)}
    # LANG as well: kbuild unexports LC_ALL. Python scripts of a tree must leave no caches in it.
    return {**kept, "LANG": "C", "LC_ALL": "C", "PYTHONDONTWRITEBYTECODE": "1"}


@dataclass(frozen=True, slots=True)
class MakeResult:
    """One run of make. cause: the line that tells why it failed, if there is one."""

    returncode: int
    output: str
    log: BuildLog
    cause: str

    @property
    def reason(self) -> str:
        """One line on why it failed: the cause, not where make ended."""
        return self.cause or f"make: exit code {self.returncode}"

    @property
    def missing(self) -> MissingTool | None:
        """What it failed for want of, if that can be installed."""
        for sign, (what, package) in _LIBRARIES.items():
            if sign in self.cause:
                return MissingTool(what, package)
        # A name with a slash is a file of the tree.
        absent = re.search(r"(?:^|\s)([^\s/]+): (?:command )?not found$", self.cause)
        return (
            MissingTool(absent[1], process.PACKAGES.get(absent[1], absent[1])) if absent else None
        )


class Build:
    """A build directory that follows the state of a forest.

    options: further arguments of make; on_line: is told each line that make says; jobs: how many
    at the same time, 0 for as many as there are processors.
    messages, sparse: what compiler and checker say of each object in the present state.
    """

    def __init__(
        self,
        place: Path,
        tools: Toolchain,
        options: Sequence[str] = ("--keep-going", "W=1"),
        on_line: Progress | None = None,
        jobs: int = 0,
    ) -> None:
        self.place = place
        self.tools = tools
        self._options = options
        self._on_line = on_line
        self._jobs = jobs or os.cpu_count() or 1
        self.out = place / "out"
        #: For the checks' own files, emptied with every run.
        self.scratch = place / "scratch"
        self.messages: dict[str, tuple[Diagnostic, ...]] = {}
        self.sparse: dict[str, tuple[Diagnostic, ...]] = {}

    @property
    def root(self) -> Path:
        """Where the forest must be: paths in a build directory are absolute."""
        return self.place / "src"

    def make(self, *targets: str) -> MakeResult:
        """Run make. Targets are kept together in its output."""
        argv = (
            *("make", "-C", str(self.root), f"O={self.out}", f"-j{self._jobs}"),
            "--output-sync=target",
            *self._options,
            *self.tools.choices,
            *targets,
        )
        # Messages belong to the command line above them, so both streams go into one.
        done = process.run(argv, env=environment(), check=False, merged=True, on_line=self._on_line)
        root = str(self.root)
        why = cause(done.text, root) if done.returncode else ""
        return MakeResult(done.returncode, done.text, parse_build(done.text, root), why)

    def must(self, *targets: str) -> MakeResult:
        """Run make for what no patch may break. Raises MissingTool or UserError if it fails."""
        result = self.make(*targets)
        if result.returncode:
            if missing := result.missing:
                raise missing
            raise UserError(f"make {' '.join(targets)} failed: {result.reason}")
        return result

    def check_sources(self, objects: Iterable[str]) -> None:
        """Run sparse on the sources of some objects, up to date ones, and take its messages.

        Raises UserError where sparse was not run or did not work. kbuild skips a checker
        that it holds for outdated and goes on with exit code 0, and sparse itself exits with
        0 on errors; hence a known fault in each file, which must be told.
        """
        stems = sorted(objects)
        if not stems:
            return
        canary = self.place / "canary.h"
        shutil.copyfile(DATA / "sparse-canary.h", canary)
        # sparse 0.6.4 does not know the operator that 7.x asks scripts/checker-valid.sh for.
        sparse = f"sparse -D__typeof_unqual__=__typeof__ -include {canary}"
        result = self.must("C=2", f"CHECK={sparse}", *(f"{stem}.o" for stem in stems))
        for stem in stems:
            messages = result.log.messages.get(stem, ())
            if not any(message.path == str(canary) for message in messages):
                raise UserError(
                    f"sparse did not check {stem}.c: it says nothing about a planted fault",
                    "see that sparse 0.6.4 or later is the one on PATH",
                )
            self.sparse[stem] = tuple(m for m in messages if m.path != str(canary))

    def configure(self) -> None:
        """Write the configuration of the checks, with the tree's own scripts."""
        self.must("tinyconfig")
        process.run(
            ["sh", str(self.root / "scripts/kconfig/merge_config.sh"), "-m", "-O", str(self.out),
             str(self.out / ".config"), str(DATA / "check.config")],
            cwd=self.out, env=environment(),
        )  # fmt: skip
        self.must("olddefconfig")


@contextlib.contextmanager
def prepared(
    tree: KernelTree, touched: Iterable[str], progress: Progress
) -> Iterator[tuple[Build, Forest]]:
    """A prepared build of a tree and the forest it builds, both in the tree's own state.

    The build is kept and reused for the same tree, configuration and compiler; what a run
    does to it is done on a copy, so one that is killed spoils nothing. Raises UserError if
    the tree does not build as it is, MissingTool if something for that is not installed.
    """
    tools = toolchain()
    progress(f"reading {tree.label}")
    with cache.source_of(tree) as (source, fingerprint):
        # One entry for a directory however its files change: the old one would be of no use.
        place = _place(str(tree.root or fingerprint), tools)
        with cache.locked(place):
            ready = place / _READY
            if not seal.holds(ready, fingerprint):
                progress(f"preparing a build of {tree.label}, once")
                shutil.rmtree(place, ignore_errors=True)
                place.mkdir()
                _prepare(place, source, tools, fingerprint)
            cache.touch(place)
            cache.evict("build")
            build = Build(place, tools)
            for directory in (build.out, build.scratch):
                shutil.rmtree(directory, ignore_errors=True)
            build.scratch.mkdir()
            shutil.copytree(ready / "out", build.out, symlinks=True)
            state = json.loads((ready / "said.json").read_text(encoding="utf-8"))
            build.messages = _unpack(state["said"])
            build.sparse = _unpack(state["sparse"])
            yield build, Forest(build.root, source, touched)


def is_kept(fingerprint: str, tools: Toolchain) -> bool:
    """Whether a build of a git tree object lies ready."""
    return seal.holds(_place(fingerprint, tools) / _READY, fingerprint)


def _place(name: str, tools: Toolchain) -> Path:
    data = [(DATA / file).read_text() for file in ("check.config", "sparse-canary.h")]
    what = json.dumps([name, data, asdict(tools), checker()])
    return cache.directory("build") / hashlib.sha256(what.encode()).hexdigest()[:32]


def _prepare(place: Path, source: Path, tools: Toolchain, fingerprint: str) -> None:
    """Build the base in a new entry; its seal comes last."""
    build = Build(place, tools)
    Forest(build.root, source, ())
    build.out.mkdir()
    build.configure()
    build.must("prepare", "headers")
    result = build.must(SCOPE)
    build.check_sources(name for name in result.log.built if name.startswith(SCOPE))
    ready = place / _READY
    ready.mkdir()
    build.out.rename(ready / "out")
    state = {"said": _pack(result.log.messages), "sparse": _pack(build.sparse)}
    (ready / "said.json").write_text(json.dumps(state), encoding="utf-8")
    seal.close(ready, fingerprint)


def _pack(messages: Mapping[str, tuple[Diagnostic, ...]]) -> dict[str, list[dict[str, object]]]:
    return {name: [asdict(message) for message in found] for name, found in messages.items()}


def _unpack(state: Mapping[str, list[dict[str, object]]]) -> dict[str, tuple[Diagnostic, ...]]:
    return {
        # JSON has no types for mypy to know: what is read is what asdict() wrote.
        name: tuple(Diagnostic(**message) for message in found)  # type: ignore[arg-type]
        for name, found in state.items()
    }
