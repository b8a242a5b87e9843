# SPDX-License-Identifier: GPL-2.0-only
"""What is known of a mapping at one point of a path, and how paths that know the same are one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum

#: So many states may stand at one point before a path counts as not understood.
MOST = 96
#: So many steps, or conditions, may stand on one way. What someone wrote has some dozens.
LONGEST = 1000


class TooMuch(Exception):
    """A callback that is not followed to its end: it was generated, or written to be endless."""


class Flag(Enum):
    """What is known of a flag of the VMA."""

    CLEAR = "clear"
    SET = "set"
    DMA = "as the DMA API does"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Step:
    """A line of source on the way, and what it does."""

    path: str
    line: int
    what: str


@dataclass(frozen=True, slots=True)
class Decision:
    """A condition on the way, and which way it was left."""

    condition: str
    held: bool
    path: str
    line: int

    def __str__(self) -> str:
        return self.condition if self.held else f"not {self.condition}"


@dataclass(frozen=True, slots=True)
class Operations:
    """The vm_ops of a mapping: their name and the file that uses that name."""

    name: str
    near: str


@dataclass(frozen=True, slots=True)
class Handover:
    """The mapping was given to something else, which knew so much when it gave it back.

    to: what it was given to, resolved: name of the instance that this is taken to be, empty
    if it is not known; after: the facts when it returned.
    """

    to: str
    resolved: str
    after: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class State:
    """What is known at one point. Two states are equal if they know the same of the mapping.

    cow: private or shared where a test has told, or readonly where VM_MAYWRITE was taken away, so
    that it is no copy-on-write mapping any more; cow_at: where; guesses: functions that a member
    was taken to be, one of several; through_gem: whether drm_gem_mmap_obj() was on the way;
    changes: what of the VMA was changed; vm_ops: None where unknown, () where none;
    values: of a function's variables; chosen: which instance a pointer to operations was
    taken to be.
    """

    pfnmap: Flag = Flag.CLEAR
    mixedmap: Flag = Flag.CLEAR
    inserts: frozenset[str] = frozenset()
    vm_ops: tuple[Operations, ...] | None = ()
    caching: tuple[str, ...] = ()
    cow: str = ""
    changes: frozenset[str] = frozenset()
    handover: Handover | None = None
    unknown: tuple[str, ...] = ()
    chosen: tuple[tuple[str, str], ...] = ()
    guesses: frozenset[str] = frozenset()
    through_gem: bool = False
    values: tuple[tuple[str, str], ...] = ()
    cow_at: Step | None = field(default=None, compare=False)
    changed_at: Step | None = field(default=None, compare=False)
    file_at: Step | None = field(default=None, compare=False)
    decided_by: Step | None = field(default=None, compare=False)
    decisions: tuple[Decision, ...] = field(default=(), compare=False)
    steps: tuple[Step, ...] = field(default=(), compare=False)

    def value(self, name: str) -> str:
        """What a variable is known to be: zero, true, error, error:EINVAL, &name; or empty."""
        for known, value in self.values:
            if known == name:
                return value
        return ""

    def with_value(self, name: str, value: str) -> State:
        """The state with a variable known, or with value empty not known any more."""
        kept = [pair for pair in self.values if pair[0] != name]
        if value:
            kept.append((name, value))
        return replace(self, values=tuple(sorted(kept)))

    def stepped(self, step: Step) -> State:
        """The state after another step, which is noted once. Raises TooMuch."""
        if step in self.steps:
            return self
        if len(self.steps) == LONGEST:
            raise TooMuch("its way is too long")
        return replace(self, steps=(*self.steps, step))

    def changed(self, what: str, step: Step) -> State:
        """The state with something of the VMA changed."""
        return replace(
            self, changes=self.changes | {what}, changed_at=self.changed_at or step
        ).stepped(step)

    def decided(self, decision: Decision) -> State:
        """The state after a condition was left one way. Raises TooMuch."""
        if decision in self.decisions:
            return self
        if len(self.decisions) == LONGEST:
            raise TooMuch("its way has too many conditions")
        return replace(self, decisions=(*self.decisions, decision))

    def puzzled(self, why: str, step: Step) -> State:
        """The state after something that was not understood."""
        if why in self.unknown:
            return self
        return replace(self, unknown=(*self.unknown, why)).stepped(step)

    @property
    def facts(self) -> tuple[object, ...]:
        """What a verdict is made from."""
        return (self.pfnmap, self.mixedmap, self.inserts, self.vm_ops)


def merged(states: Iterable[State]) -> list[State]:
    """States of one point, those that know the same as one, with the decisions they share.

    Raises TooMuch.
    """
    found: dict[State, State] = {}
    for state in states:
        known = found.get(state)
        if known is None:
            found[state] = state
        elif known.decisions != state.decisions:
            shared = tuple(one for one in known.decisions if one in state.decisions)
            found[state] = replace(known, decisions=shared)
    if len(found) <= MOST:
        return list(found.values())
    # What the variables are is let go first: it matters to errors, not to the mapping.
    fewer: dict[State, State] = {}
    for state in found.values():
        less = replace(state, values=())
        fewer.setdefault(less, replace(less, decisions=()))
    if len(fewer) > MOST:
        raise TooMuch("it has too many paths")
    return list(fewer.values())
