# SPDX-License-Identifier: GPL-2.0-only
"""From the ends of all paths of an entry to its verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from dmabuf_patchgen.audit.effects import CHECKED, INSERTERS, MAPPERS, Insert
from dmabuf_patchgen.audit.fault import Faults, Insertion
from dmabuf_patchgen.audit.state import Flag, State, Step
from dmabuf_patchgen.audit.verdict import Branch, CopyOnWrite, Failure, Kind

#: Why a way that sets the flag and leaves it at that is not understood.
_IDLE = "VM_PFNMAP is set and nothing is seen to insert PFNs"
#: Changes that mm undoes or that mean nothing once mmap() has failed.
_NOTHING = frozenset({"vm_private_data", "vm_ops", "vm_pgoff", "vm_page_prot", "handed over"})


class Judge:
    """Judges the ends of paths."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults

    def branches(self, ends: Sequence[tuple[State, str]]) -> tuple[Branch, ...]:
        """What the ways that end in a mapping come to, those that come to the same as one."""
        found: dict[tuple[Kind, str, str, str], list[Branch]] = {}
        mapped = successes(ends)
        choices = _choices(mapped)
        for state in mapped:
            branch = self._branch(state, choices)
            if branch is None:
                continue
            key = (branch.kind, branch.why, branch.to, branch.resolved)
            found.setdefault(key, []).append(branch)
        made = []
        for same in found.values():
            shared = tuple(one for one in same[0].when if all(one in b.when for b in same))
            shortest = min(same, key=lambda branch: len(branch.steps))
            made.append(replace(shortest, when=shared))
        # Such as a switch over all values of an enum, which might have none of them.
        return tuple(one for one in made if one.why != _IDLE) or tuple(made)

    def _branch(self, state: State, choices: set[tuple[str, int]]) -> Branch | None:
        kind, why = self._kind(state)
        if kind is None:
            return None
        to = resolved = ""
        if state.handover is not None and state.handover.after == state.facts:
            to, resolved = state.handover.to, state.handover.resolved
        steps = self._steps(state)
        when = tuple(str(one) for one in state.decisions if (one.path, one.line) in choices)
        when += tuple(sorted(state.guesses))
        return Branch(kind, when, why, steps, to, resolved, bool(state.guesses))

    def _steps(self, state: State) -> tuple[Step, ...]:
        steps = list(state.steps)
        for insertion in self._insertions(state):
            steps.append(insertion.at)
        return tuple(dict.fromkeys(steps))

    def _insertions(self, state: State) -> list[Insertion]:
        found: list[Insertion] = []
        for operations in state.vm_ops or ():
            found += self.faults.of(operations).insertions
        return found

    def _kind(self, state: State) -> tuple[Kind | None, str]:
        """The verdict of one way, and what decides it; no verdict where nothing is mapped."""
        if state.unknown:
            return Kind.UNKNOWN, state.unknown[0]
        flags = (state.pfnmap, state.mixedmap)
        if Flag.UNKNOWN in flags:
            if state.pfnmap is Flag.SET and state.mixedmap is Flag.CLEAR:
                return Kind.PFNMAP, ""
            to = state.handover.to if state.handover else "something unknown"
            return Kind.DELEGATES, to
        if flags == (Flag.SET, Flag.SET):
            return Kind.BOTH, _decided(state)
        if state.mixedmap is Flag.SET:
            return Kind.VIOLATES, self._violation(state)
        if Flag.DMA in flags:
            return Kind.DMA_API, _decided(state)
        if state.pfnmap is Flag.SET:
            if not state.inserts and state.vm_ops is not None and not self._insertions(state):
                return Kind.UNKNOWN, _IDLE
            return Kind.PFNMAP, _decided(state)
        return self._by_handler(state)

    def _violation(self, state: State) -> str:
        """Which call inserts pages, or what a fault does in a VM_MIXEDMAP mapping."""
        for name in sorted(state.inserts):
            mapper = MAPPERS.get(name) or INSERTERS.get(name)
            if mapper is not None and mapper.inserts is Insert.PAGES:
                return f"{name}()"
        names = dict.fromkeys(one.name for one in self._insertions(state))
        said = ", ".join(name if " " in name else f"{name}()" for name in names)
        return f"VM_MIXEDMAP, {said}" if said else "VM_MIXEDMAP"

    def _by_handler(self, state: State) -> tuple[Kind | None, str]:
        """A way that sets no flag: what its fault handler inserts."""
        if state.vm_ops is None:
            return Kind.UNKNOWN, "its vm_ops are not known"
        if not state.vm_ops:
            return None, ""
        missing = [one.name for one in state.vm_ops if not self.faults.of(one).found]
        if missing:
            return Kind.UNKNOWN, f"the definition of {missing[0]} was not found"
        insertions = self._insertions(state)
        if insertions:
            names = dict.fromkeys(
                one.name if " " in one.name else f"{one.name}()" for one in insertions
            )
            return Kind.VIOLATES, f"no VM_PFNMAP, a fault does {', '.join(names)}"
        return None, ""

    def copy_on_write(self, ends: Sequence[tuple[State, str]]) -> CopyOnWrite:
        """What becomes of a private mapping, and whether one can get to a BUG_ON()."""
        mapped = [state for state in successes(ends) if self._kind(state)[0] is not None]
        at = tuple(
            dict.fromkeys(
                state.cow_at
                for state, value in ends
                if state.cow_at is not None
                and (state.cow == "readonly" or (state.cow == "private" and _is_error(value)))
            )
        )
        if not mapped:
            return CopyOnWrite("yes", at)
        accepted = [state for state in mapped if state.cow not in ("shared", "readonly")]
        if not accepted:
            spoiled = any(state.cow == "readonly" for state in mapped)
            return CopyOnWrite("yes, or made read-only" if spoiled else "yes", at)
        given = [state for state in accepted if _is_given_away(state)]
        if given and len(given) == len(accepted):
            answer = (
                "yes, but for what it delegates to"
                if len(given) < len(mapped)
                else ("by what it delegates to")
            )
            return CopyOnWrite(answer, at)
        if any(state.unknown for state in accepted):
            return CopyOnWrite("unknown", at)
        answer = "no" if len(accepted) == len(mapped) else "on some paths"
        for state in accepted:
            bug, insertion = self._bug(state)
            if bug:
                steps = (insertion.at,) if insertion else ()
                return CopyOnWrite(answer, at, bug, steps)
        return CopyOnWrite(answer, at)

    def _bug(self, state: State) -> tuple[str, Insertion | None]:
        """Why a fault of a private mapping hits a BUG_ON() of vmf_insert_pfn_prot(), if it does."""
        for insertion in self._insertions(state):
            if insertion.name not in CHECKED:
                continue
            if state.pfnmap is Flag.SET and state.mixedmap is Flag.CLEAR:
                return f"{insertion.name}() of a copy-on-write VM_PFNMAP mapping", insertion
            if state.pfnmap is Flag.SET and state.mixedmap is Flag.SET:
                return f"{insertion.name}() with VM_PFNMAP and VM_MIXEDMAP", insertion
        return "", None

    def caching(self, ends: Sequence[tuple[State, str]]) -> tuple[str, ...]:
        """What the mapping's protection may be, a line for each way."""
        found: dict[str, None] = {}
        for state in successes(ends):
            if self._kind(state)[0] is None:
                continue
            if _is_given_away(state):
                found["by what it delegates to"] = None
                continue
            said = ", ".join(state.caching) or "as mm chose it, cached"
            at_fault = {
                insertion.protection
                for insertion in self._insertions(state)
                if insertion.protection and not insertion.protection.endswith("vm_page_prot")
            }
            if at_fault:
                said += ", chosen again at fault"
            found[said] = None
        return tuple(found)


def successes(ends: Iterable[tuple[State, str]]) -> list[State]:
    """The ends that are no errors."""
    return [state for state, value in ends if not _is_error(value)]


def _is_error(value: str) -> bool:
    return value.startswith("error")


def _choices(mapped: Iterable[State]) -> set[tuple[str, int]]:
    """Places of conditions that were left in more than one way by ways that end in a mapping."""
    left: dict[tuple[str, int], set[tuple[str, bool]]] = {}
    for state in mapped:
        for one in state.decisions:
            left.setdefault((one.path, one.line), set()).add((one.condition, one.held))
    return {place for place, ways in left.items() if len(ways) > 1}


def failures(ends: Iterable[tuple[State, str]]) -> tuple[Failure, ...]:
    """Errors that come after a change of the VMA that outlives them."""
    found: dict[tuple[str, tuple[str, ...]], Failure] = {}
    for state, value in ends:
        changed = tuple(sorted(state.changes - _NOTHING))
        if not _is_error(value) or not changed or state.changed_at is None:
            continue
        errno = value.partition(":")[2] or "of a call"
        found.setdefault((errno, changed), Failure(errno, changed, state.changed_at))
    return tuple(found.values())


def swaps(ends: Iterable[tuple[State, str]]) -> tuple[Step, ...]:
    """Where vma->vm_file is exchanged."""
    return tuple(dict.fromkeys(state.file_at for state, _ in ends if state.file_at is not None))


def overall(branches: Sequence[Branch]) -> Kind:
    """The verdict of an entry: that of its ways, where they agree.

    A way that hands the mapping of an imported buffer to its exporter is that exporter's; what
    depends on the DMA API may be VM_PFNMAP, so that it takes in a way that always is.
    """
    own = [one for one in branches if one.to != "dma_buf_mmap"] or list(branches)
    kinds = {one.kind for one in own}
    if not kinds:
        return Kind.REFUSES
    if Kind.UNKNOWN in kinds:
        return Kind.UNKNOWN
    if all(one.to for one in own):
        return Kind.DELEGATES
    if kinds == {Kind.DMA_API, Kind.PFNMAP}:
        return Kind.DMA_API
    if len(kinds) == 1:
        return kinds.pop()
    # Which of several functions a member is, is known when it runs.
    return Kind.UNKNOWN if any(one.guessed for one in own) else Kind.BRANCH


def _decided(state: State) -> str:
    return state.decided_by.what if state.decided_by is not None else ""


def _is_given_away(state: State) -> bool:
    return state.handover is not None and (
        state.pfnmap is Flag.UNKNOWN or state.mixedmap is Flag.UNKNOWN
    )
