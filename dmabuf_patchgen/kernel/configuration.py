# SPDX-License-Identifier: GPL-2.0-only
"""The kernel configuration that the kselftests of a series want, and what a tree makes of it."""

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmabuf_patchgen import signals
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.kernel import architecture as architectures
from dmabuf_patchgen.kernel.architecture import Architecture
from dmabuf_patchgen.render import catalogue
from dmabuf_patchgen.render.environment import Environment
from dmabuf_patchgen.tree.source import KernelTree

if TYPE_CHECKING:
    from dmabuf_patchgen.kernel import kconfig

#: Fragments below the templates: for every series, and for one.
COMMON = "common/kselftest.config"
#: The checkers of a kernel for `prove --debug`, and what they need.
DEBUG = "common/debug.config"
OF_SERIES = "kernel.config"
#: The first line of a .config that this tool wrote, and may write again.
MARK = "# Written by dmabuf-patchgen config"

_ASSIGNED = re.compile(r'CONFIG_(\w+)=([ymn]|-?\d+|0[xX][0-9a-fA-F]+|"(?:[^"\\]|\\.)*")')
_UNSET = re.compile(r"# CONFIG_(\w+) is not set")
#: Behind the choices of a line: why a tree may have none of them.
_ABSENT = re.compile(r"\s*\|\s*#\s*(\S[^\"]*)$")


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol and the value that it should have, a string without its quotes."""

    name: str
    value: str
    line: str


@dataclass(frozen=True, slots=True)
class Request:
    """A line of a fragment. choices: the first that the tree has is meant.

    absent: why a tree may lack all of them, empty if it may not.
    """

    choices: tuple[Symbol, ...]
    place: str
    absent: str = ""


@dataclass(frozen=True, slots=True)
class SymbolResult:
    """What a tree makes of a request. reason: why it got something else, empty if it did not.

    instead_of: symbols that the tree lacks, for which this one was taken; absent: why the tree may
    lack it, where it does.
    """

    name: str
    wanted: str
    got: str
    reason: str
    place: str
    instead_of: tuple[str, ...]
    absent: str = ""


@dataclass(frozen=True, slots=True)
class Configuration:
    """The configuration of a tree for some series. config: the whole .config."""

    version: str
    architecture: str
    series: tuple[str, ...]
    results: tuple[SymbolResult, ...]
    config: str

    @property
    def failed(self) -> tuple[SymbolResult, ...]:
        """The requests that do not come true."""
        return tuple(result for result in self.results if result.reason)

    def table(self) -> str:
        """What every symbol gets, and below, why if that is not what was asked."""
        names = ", ".join(self.series)
        lines = [f"Linux {self.version}, {self.architecture}, for the kselftests of {names}"]
        width = max((len(result.name) for result in self.results), default=0)
        for result in self.results:
            lacking = " nor ".join(result.instead_of)
            remark = f"   this tree has no {lacking}" if lacking else ""
            remark += f"   {result.absent}" if result.absent else ""
            lines.append(f"  {result.name:{width}} {result.got}{remark}")
        count = len(self.results)
        if not self.failed:
            return "\n".join([*lines, f"all {count} symbols are as asked"])
        lines.append(f"{len(self.failed)} of {count} symbols are not as asked:")
        for result in self.failed:
            got = f"{result.name} wants {result.wanted}, got {result.got}"
            lines.append(f"  {got}: {result.reason} ({result.place})")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        return {
            "version": self.version,
            "arch": self.architecture,
            "series": list(self.series),
            "as_asked": not self.failed,
            "symbols": [
                {**asdict(result), "instead_of": list(result.instead_of)} for result in self.results
            ],
        }


def requests(
    environment: Environment,
    names: Sequence[str],
    architecture: Architecture,
    *,
    debug: bool = False,
) -> tuple[Request, ...]:
    """What an architecture and the fragments of some series ask for, each symbol once.

    names: those that they require count as well; debug: whether the kernel is to have checkers.
    Raises UserError for a series that is not there, a wrong line, or two that contradict.
    """
    names = [one.name for one in catalogue.stacked(environment, names)]
    found: dict[tuple[str, ...], Request] = {}
    values: dict[str, tuple[str, str]] = {}
    checkers = debugging(environment) if debug else ()
    for request in (*_requests_of(environment, names, architecture), *checkers):
        for symbol in request.choices:
            value, place = values.setdefault(symbol.name, (symbol.value, request.place))
            if value != symbol.value:
                raise UserError(
                    f"{request.place}: {symbol.name} is to be {symbol.value!r}, and {value!r} "
                    f"in {place}",
                    "one kernel cannot be both: configure the series one by one",
                )
        found.setdefault(tuple(symbol.name for symbol in request.choices), request)
    return tuple(found.values())


def debugging(environment: Environment) -> tuple[Request, ...]:
    """What a kernel with checkers is to have besides. Raises UserError for a wrong line."""
    return tuple(_read(environment.root, DEBUG))


def configure(
    environment: Environment,
    tree: KernelTree,
    names: Sequence[str],
    progress: Callable[[str], None] = lambda text: None,
    architecture: Architecture | None = None,
    *,
    debug: bool = False,
) -> Configuration:
    """What a tree makes of the configuration that some series want, on top of tinyconfig.

    architecture: the one that ARCH names, if not given; debug: whether it is to have checkers.
    Raises UserError if fragments or Kconfig are wrong, or for an ARCH that is not known.
    """
    architecture = architecture or architectures.here().chosen()
    asked = requests(environment, names, architecture, debug=debug)
    # kconfiglib comes with it, and a wrong fragment can be told without.
    from dmabuf_patchgen.kernel import kconfig

    progress(f"reading Kconfig of {tree.label}")
    with kconfig.loaded(tree, architecture) as model:
        progress("working out the configuration")
        meant = [next((one for one in w.choices if model.has(one.name)), None) for w in asked]
        model.tiny()
        model.merge(symbol.line for symbol in meant if symbol)
        results = tuple(
            _result(model, request, symbol) for request, symbol in zip(asked, meant, strict=True)
        )
        header = f"{MARK}: {' '.join(names)}\n# {model.title}\n"
        series = tuple(names)
        return Configuration(tree.version, architecture.name, series, results, model.text(header))


def _result(model: "kconfig.Kconfig", request: Request, symbol: Symbol | None) -> SymbolResult:
    if symbol is None:
        first = request.choices[0]
        lacking = " nor ".join(one.name for one in request.choices)
        # What is not there is off, as may have been asked.
        wanted_off = all(one.value == "n" for one in request.choices)
        reason = "" if wanted_off or request.absent else f"this tree has no {lacking}"
        return SymbolResult(first.name, first.value, "n", reason, request.place, (), request.absent)
    got = model.value(symbol.name)
    reason = "" if _same(got, symbol.value) else model.why(symbol.name, symbol.value)
    before = request.choices[: request.choices.index(symbol)]
    lacking_names = tuple(one.name for one in before)
    return SymbolResult(symbol.name, symbol.value, got, reason, request.place, lacking_names)


def check_file(file: Path) -> None:
    """Whether a .config may be written there, before any work is done. Raises UserError."""
    if file.is_symlink() or (file.exists() and not file.is_file()):
        raise UserError(f"{file}: not an ordinary file", "choose another -o")
    if not file.absolute().parent.is_dir():
        raise UserError(f"{file}: no directory {file.parent}", "make it, or choose another -o")
    if file.exists() and not file.read_bytes().startswith(MARK.encode()):
        raise UserError(
            f"{file}: is there, and not this tool's", "choose another -o, or move the file away"
        )


def write_file(file: Path, config: str) -> None:
    """Write a .config, whole or not at all. Raises UserError."""
    check_file(file)
    partial = None
    with signals.blocked():
        try:
            handle, name = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.absolute().parent)
            partial = Path(name)
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(config)
            partial.chmod(0o644)
            partial.replace(file)
        except OSError as error:
            if partial:
                partial.unlink(missing_ok=True)
            raise UserError(f"{file}: {error.strerror}", "nothing was written") from None


def _same(got: str, wanted: str) -> bool:
    if got == wanted:
        return True
    try:
        # Hexadecimal numbers are written in several ways.
        return int(got, 0) == int(wanted, 0)
    except ValueError:
        return False


def _requests_of(
    environment: Environment, names: Sequence[str], architecture: Architecture
) -> Iterator[Request]:
    yield from _read(environment.root, COMMON)
    place = f"architectures/{architecture.name}.toml"
    for line in architecture.config:
        yield _request(line, place, place)
    for name in dict.fromkeys(names):
        file = f"{name}/{OF_SERIES}"
        # Without one, its tests want nothing besides.
        if (environment.root / file).exists():
            yield from _read(environment.root, file)


def _read(root: Path, name: str) -> Iterator[Request]:
    path = root / name
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: {error}") from None
    for number, line in enumerate(map(str.strip, lines), 1):
        if line and (not line.startswith("#") or _UNSET.fullmatch(line)):
            yield _request(line, f"{name}:{number}", f"{path}:{number}")


def _request(line: str, place: str, where: str) -> Request:
    """What a line asks for. place: as it is told; where: as it is found if it is wrong."""
    unset = _UNSET.fullmatch(line)
    absent = None if unset else _ABSENT.search(line)
    choices = [unset] if unset else _choices(line[: absent.start()] if absent else line)
    if not choices:
        raise UserError(
            f"{where}: no line of a .config: {line!r}",
            "write CONFIG_A=y, CONFIG_A=y|CONFIG_B=y, CONFIG_A=y | # why a tree may lack it, or "
            "# CONFIG_A is not set",
        )
    return Request(tuple(map(_symbol, choices)), place, absent[1] if absent else "")


def _choices(line: str) -> list[re.Match[str]]:
    """The assignments of a line, none if it is wrong."""
    found = [_ASSIGNED.fullmatch(text.strip()) for text in re.split(r"\|(?=\s*CONFIG_)", line)]
    whole = [match for match in found if match]
    return whole if len(whole) == len(found) else []


def _symbol(match: re.Match[str]) -> Symbol:
    if match.re is _UNSET:
        return Symbol(match[1], "n", match[0])
    value = match[2]
    if value == "n":
        return Symbol(match[1], "n", f"# CONFIG_{match[1]} is not set")
    if value.startswith('"'):
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    return Symbol(match[1], value, match[0])
