# SPDX-License-Identifier: GPL-2.0-only
"""What the kselftests of a series do on a kernel without it, as templates/SERIES/proof.toml says.

A test that no entry names is a control: it passes with the series and without.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.prove.evidence import Outcome
from dmabuf_patchgen.render.environment import Environment

FILE = "proof.toml"
_KEYS = {"program", "names", "when", "base", "says", "reason"}
_BASES = {"fail": Outcome.FAIL, "crash": Outcome.CRASH}


@dataclass(frozen=True, slots=True)
class Expectation:
    """How some tests of a program fail on the base.

    names: shell patterns; base: FAIL or CRASH; says: what must stand in what the test says, or
    for a crash in what the kernel says; reason: the same in words; place: file and entry.
    """

    program: str
    names: tuple[str, ...]
    base: Outcome
    says: re.Pattern[str]
    reason: str
    place: str

    def about(self, program: str, test: str) -> bool:
        """Whether it is about a test of a program."""
        return program == self.program and any(fnmatchcase(test, name) for name in self.names)


@dataclass(frozen=True, slots=True)
class Expectations:
    """All that some series say. alone: programs that need a boot of their own."""

    tests: tuple[Expectation, ...]
    alone: tuple[str, ...]

    def of(self, program: str, test: str) -> Expectation | None:
        """What is said of a test; None for a control."""
        return next((one for one in self.tests if one.about(program, test)), None)


def load(
    environment: Environment, names: Sequence[str], contexts: Mapping[str, Mapping[str, Any]]
) -> Expectations:
    """What series say of their tests on a tree.

    contexts: by series, what a `when` may ask: fact, param, tree, arch. Raises UserError for a
    wrong file, naming it and the entry. A series without one has no tests that tell.
    """
    tests: list[Expectation] = []
    alone: dict[str, None] = {}
    for name in names:
        file = f"{name}/{FILE}"
        if not (environment.root / file).exists():
            continue
        declared = environment.toml(file)
        try:
            for number, entry in enumerate(declared.get("test", []), 1):
                tests += _expectation(environment, entry, contexts[name], f"{file}, test {number}")
            for entry in declared.get("boot", []):
                alone[str(entry["program"])] = None
        except (KeyError, TypeError, ValueError, AttributeError, re.error) as error:
            raise UserError(f"{environment.root / file}: wrong or missing entry: {error}") from None
    return Expectations(tuple(tests), tuple(alone))


def _expectation(
    environment: Environment, entry: Mapping[str, Any], context: Mapping[str, Any], place: str
) -> list[Expectation]:
    """The expectation of an entry, none if its condition does not hold."""
    unknown = entry.keys() - _KEYS
    if unknown:
        raise ValueError(f"{place}: nothing is called {', '.join(sorted(unknown))}")
    made = Expectation(
        program=str(entry["program"]),
        names=tuple(map(str, entry["names"])),
        base=_BASES[entry["base"]],
        says=re.compile(entry["says"]),
        reason=str(entry["reason"]),
        place=place,
    )
    if isinstance(entry["names"], str) or not made.names or not made.reason.strip():
        raise ValueError(f"{place}: names has to be a list, and reason a text")
    when = entry.get("when")
    if when and not environment.evaluate(when, context, place.partition(",")[0]):
        return []
    return [made]
