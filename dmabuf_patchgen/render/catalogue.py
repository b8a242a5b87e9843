# SPDX-License-Identifier: GPL-2.0-only
"""The catalogue: which series there are, as templates/SERIES/series.toml declare them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.render.environment import Environment
from dmabuf_patchgen.render.parameters import Choice, Ioctl, Parameter, Value


@dataclass(frozen=True, slots=True)
class PatchEntry:
    """A patch of a series: its template, and the condition under which a tree needs it.

    when: an expression on facts and parameters, empty for always; unless: why a tree for
    which it is false does not need the patch, as told to the user.
    """

    template: str
    when: str = ""
    unless: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """A series as declared.

    revised: when its templates last changed; the date that rendered commits carry, so that
    the same input gives the same bytes; lists: mailing lists that the series goes to besides
    those that MAINTAINERS knows of its files; requires: names of the series that it stands on.
    """

    name: str
    title: str
    summary: str
    revised: datetime
    parameters: Mapping[str, Parameter]
    patches: tuple[PatchEntry, ...]
    lists: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()


def names(environment: Environment) -> tuple[str, ...]:
    """Names of all series, sorted."""
    return tuple(sorted(path.parent.name for path in environment.root.glob("*/series.toml")))


def load(environment: Environment, name: str) -> Series:
    """One series. Raises UserError if there is none of that name or its file is wrong."""
    known = names(environment)
    if name not in known:
        raise UserError(f"no series is named {name!r}", f"there are: {', '.join(known)}")
    where = environment.root / name / "series.toml"
    declared = environment.toml(f"{name}/series.toml")
    try:
        return _series(name, declared)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{where}: wrong or missing entry: {error}") from None


def stacked(environment: Environment, names: Sequence[str]) -> tuple[Series, ...]:
    """Series with all that they stand on, each once and before what requires it.

    names: in the order in which they are to come otherwise. Raises UserError as `load` does, and
    for a series that requires one that there is not, or itself by way of others.
    """
    found: dict[str, Series] = {}
    for name in names:
        _stack(environment, load(environment, name), (), found)
    return tuple(found.values())


def _stack(
    environment: Environment, series: Series, above: tuple[str, ...], found: dict[str, Series]
) -> None:
    """Enter a series behind those that it requires. above: those by which it came to be asked."""
    if series.name in found:
        return
    way = (*above, series.name)
    for name in series.requires:
        where = environment.root / series.name / "series.toml"
        known = names(environment)
        if name not in known:
            raise UserError(
                f"{where}: requires {name!r}, and no series is named so",
                f"there are: {', '.join(known)}",
            )
        if name in way:
            circle = " requires ".join((*way[way.index(name) :], name))
            raise UserError(f"{where}: a series cannot stand on itself: {circle}")
        _stack(environment, load(environment, name), way, found)
    found[series.name] = series


def _series(name: str, declared: dict[str, Any]) -> Series:
    revised = declared["revised"]
    if not isinstance(revised, datetime) or revised.tzinfo is None:
        raise ValueError("revised has to be a date and time with its offset from UTC")
    return Series(
        name=name,
        title=declared["title"],
        summary=" ".join(declared["summary"].split()),
        revised=revised,
        parameters={
            key: _parameter(key, entry) for key, entry in declared.get("parameters", {}).items()
        },
        patches=tuple(PatchEntry(**entry) for entry in declared["patch"]),
        lists=_strings(declared.get("lists", []), "lists has to be a list of mail addresses"),
        requires=_strings(declared.get("requires", []), "requires has to be a list of series"),
    )


def _strings(declared: Any, wanted: str) -> tuple[str, ...]:
    if not isinstance(declared, list) or not all(isinstance(one, str) for one in declared):
        raise TypeError(wanted)
    return tuple(declared)


def _parameter(name: str, entry: dict[str, Any]) -> Parameter:
    choices = tuple(Choice(choice, **about) for choice, about in entry.pop("choices", {}).items())
    declared = entry.pop("ioctl", None)
    ioctl = None
    if declared:
        upstream = {int(number): owner for number, owner in declared.pop("upstream").items()}
        ioctl = Ioctl(upstream=upstream, **declared)
    parameter = Parameter(name, choices=choices, ioctl=ioctl, **entry)
    if parameter.type not in ("bool", "choice", "ioctl"):
        raise ValueError(f"parameter {name} has type {parameter.type!r}")
    defaults: Mapping[str, tuple[Value | None, ...]] = {
        "bool": (True, False),
        "choice": tuple(choice.name for choice in choices),
        "ioctl": (None,),
    }
    if parameter.default not in defaults[parameter.type]:
        raise ValueError(f"parameter {name} has default {parameter.default!r}")
    if (parameter.type == "ioctl") != (ioctl is not None):
        raise ValueError(f"parameter {name} is of type ioctl or has an ioctl, and needs both")
    return parameter
