# SPDX-License-Identifier: GPL-2.0-only
"""The kernel configuration that the kselftests of a series want, and what a tree makes of it."""

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmabuf_patchgen import process
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.kernel import architecture as architectures
from dmabuf_patchgen.kernel.architecture import Architecture
from dmabuf_patchgen.render import catalogue
from dmabuf_patchgen.render.environment import Environment
from dmabuf_patchgen.tree.source import DirectoryTree, GitTree

if TYPE_CHECKING:
    from dmabuf_patchgen.kernel import kconfig

#: Fragments below the templates: for every series, and for one.
COMMON = "common/kselftest.config"
OF_SERIES = "kernel.config"
#: The first line of a .config that this tool wrote, and may write again.
MARK = "# Written by dmabuf-patchgen config"

_ASSIGNED = re.compile(r'CONFIG_(\w+)=([ymn]|-?\d+|0[xX][0-9a-fA-F]+|"(?:[^"\\]|\\.)*")')
_UNSET = re.compile(r"# CONFIG_(\w+) is not set")


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol and the value that it should have, a string without its quotes."""

    name: str
    value: str
    line: str


@dataclass(frozen=True, slots=True)
class Wish:
    """A line of a fragment. choices: the first that the tree has is meant."""

    choices: tuple[Symbol, ...]
    place: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a tree makes of a wish. reason: why it got something else, empty if it did not.

    instead_of: symbols that the tree lacks, for which this one was taken.
    """

    name: str
    wanted: str
    got: str
    reason: str
    place: str
    instead_of: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The configuration of a tree for some series. config: the whole .config."""

    version: str
    architecture: str
    series: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    config: str

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The wishes that do not come true."""
        return tuple(outcome for outcome in self.outcomes if outcome.reason)

    def table(self) -> str:
        """What every symbol gets, and below, why if that is not what was asked."""
        names = ", ".join(self.series)
        lines = [f"Linux {self.version}, {self.architecture}, for the kselftests of {names}"]
        width = max((len(outcome.name) for outcome in self.outcomes), default=0)
        for outcome in self.outcomes:
            lacking = " nor ".join(outcome.instead_of)
            remark = f"   this tree has no {lacking}" if lacking else ""
            lines.append(f"  {outcome.name:{width}} {outcome.got}{remark}")
        count = len(self.outcomes)
        if not self.failed:
            return "\n".join([*lines, f"all {count} symbols are as asked"])
        lines.append(f"{len(self.failed)} of {count} symbols are not as asked:")
        for outcome in self.failed:
            got = f"{outcome.name} wants {outcome.wanted}, got {outcome.got}"
            lines.append(f"  {got}: {outcome.reason} ({outcome.place})")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        return {
            "version": self.version,
            "arch": self.architecture,
            "series": list(self.series),
            "as_asked": not self.failed,
            "symbols": [
                {**asdict(outcome), "instead_of": list(outcome.instead_of)}
                for outcome in self.outcomes
            ],
        }


def wishes(
    environment: Environment, names: Sequence[str], architecture: Architecture
) -> tuple[Wish, ...]:
    """What an architecture and the fragments of some series ask for, each symbol once.

    Raises UserError for a series that is not there, a wrong line, or two that contradict.
    """
    for name in names:
        catalogue.load(environment, name)
    found: dict[tuple[str, ...], Wish] = {}
    said: dict[str, tuple[str, str]] = {}
    for wish in _asked(environment, names, architecture):
        for symbol in wish.choices:
            value, place = said.setdefault(symbol.name, (symbol.value, wish.place))
            if value != symbol.value:
                raise UserError(
                    f"{wish.place}: {symbol.name} is to be {symbol.value!r}, and {value!r} "
                    f"in {place}",
                    "one kernel cannot be both: configure the series one by one",
                )
        found.setdefault(tuple(symbol.name for symbol in wish.choices), wish)
    return tuple(found.values())


def plan(
    environment: Environment,
    tree: GitTree | DirectoryTree,
    names: Sequence[str],
    progress: Callable[[str], None] = lambda said: None,
    architecture: Architecture | None = None,
) -> Plan:
    """What a tree makes of the configuration that some series want, on top of tinyconfig.

    architecture: the one that ARCH names, if not given.
    Raises UserError if fragments or Kconfig are wrong, or for an ARCH that is not known.
    """
    architecture = architecture or architectures.chosen()
    asked = wishes(environment, names, architecture)
    # kconfiglib comes with it, and a wrong fragment can be told without.
    from dmabuf_patchgen.kernel import kconfig

    progress(f"reading Kconfig of {tree.label}")
    with kconfig.opened(tree, architecture) as model:
        progress("working out the configuration")
        meant = [next((one for one in w.choices if model.has(one.name)), None) for w in asked]
        model.tiny()
        model.merge(symbol.line for symbol in meant if symbol)
        outcomes = tuple(
            _outcome(model, wish, symbol) for wish, symbol in zip(asked, meant, strict=True)
        )
        header = f"{MARK}: {' '.join(names)}\n# {model.title}\n"
        series = tuple(names)
        return Plan(tree.version, architecture.name, series, outcomes, model.text(header))


def _outcome(model: "kconfig.Kconfig", wish: Wish, symbol: Symbol | None) -> Outcome:
    if symbol is None:
        first = wish.choices[0]
        lacking = " nor ".join(one.name for one in wish.choices)
        # What is not there is off, as may have been asked.
        wanted_off = all(one.value == "n" for one in wish.choices)
        reason = "" if wanted_off else f"this tree has no {lacking}"
        return Outcome(first.name, first.value, "n", reason, wish.place, ())
    got = model.value(symbol.name)
    reason = "" if _same(got, symbol.value) else model.why(symbol.name, symbol.value)
    before = wish.choices[: wish.choices.index(symbol)]
    lacking_names = tuple(one.name for one in before)
    return Outcome(symbol.name, symbol.value, got, reason, wish.place, lacking_names)


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
    with process.held():
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


def _asked(
    environment: Environment, names: Sequence[str], architecture: Architecture
) -> Iterator[Wish]:
    yield from _read(environment.root, COMMON)
    place = f"architectures/{architecture.name}.toml"
    for line in architecture.config:
        yield _wish(line, place, place)
    for name in dict.fromkeys(names):
        file = f"{name}/{OF_SERIES}"
        # Without one, its tests want nothing besides.
        if (environment.root / file).exists():
            yield from _read(environment.root, file)


def _read(root: Path, name: str) -> Iterator[Wish]:
    path = root / name
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: {error}") from None
    for number, line in enumerate(map(str.strip, lines), 1):
        if line and (not line.startswith("#") or _UNSET.fullmatch(line)):
            yield _wish(line, f"{name}:{number}", f"{path}:{number}")


def _wish(line: str, place: str, where: str) -> Wish:
    """What a line asks for. place: as it is told; where: as it is found if it is wrong."""
    unset = _UNSET.fullmatch(line)
    choices = [unset] if unset else _choices(line)
    if not choices:
        raise UserError(
            f"{where}: no line of a .config: {line!r}",
            "write CONFIG_A=y, CONFIG_A=y|CONFIG_B=y or # CONFIG_A is not set",
        )
    return Wish(tuple(map(_symbol, choices)), place)


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
