# SPDX-License-Identifier: GPL-2.0-only
"""What the fault handlers of a mapping insert."""

from __future__ import annotations

from dataclasses import dataclass

from dmabuf_patchgen.audit import effects
from dmabuf_patchgen.audit.definitions import Function
from dmabuf_patchgen.audit.effects import Insert
from dmabuf_patchgen.audit.expression import Call, calls, texts
from dmabuf_patchgen.audit.index import Index
from dmabuf_patchgen.audit.state import Operations, Step

#: Members of struct vm_operations_struct that may fill the page table.
_HANDLERS = ("fault", "huge_fault", "map_pages", "pfn_mkwrite")
_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Insertion:
    """A call of a fault handler that inserts something, or `vmf->page =`."""

    name: str
    inserts: Insert
    at: Step
    protection: str = ""


@dataclass(frozen=True, slots=True)
class Handlers:
    """The fault handlers of some vm_ops: what they insert; found: whether they are known."""

    found: bool
    handler: str
    insertions: tuple[Insertion, ...]


class Faults:
    """Reads fault handlers, each once."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self._known: dict[Operations, Handlers] = {}

    def of(self, operations: Operations) -> Handlers:
        """The handlers of a vm_operations_struct."""
        if operations not in self._known:
            self._known[operations] = self._read(operations)
        return self._known[operations]

    def _read(self, operations: Operations) -> Handlers:
        one = self.index.instance("vm_operations_struct", operations.name, operations.near)
        named: list[tuple[str, str]] = []
        if one is not None:
            named = [(one.value(member), one.path) for member in _HANDLERS if one.value(member)]
        # Filled in at run time, from a copy of another one (radeon and amdgpu up to 5.10).
        for member in _HANDLERS:
            target = f"{operations.name}.{member}"
            named += [
                (name, path) for name, path, _ in self.index.assigned(target, operations.near)
            ]
        if one is None and not named:
            return Handlers(False, "", ())
        insertions: dict[Insertion, None] = {}
        for name, near in named:
            if name in effects.INSERTERS:
                line = one.line_of("fault") if one is not None else 0
                at = Step(near, line, f".fault = {name}")
                insertions[Insertion(name, effects.INSERTERS[name].inserts, at)] = None
                continue
            for function in self.index.function(name, near):
                insertions.update(dict.fromkeys(self._insertions(function, 0, set())))
        return Handlers(True, named[0][0] if named else "", tuple(insertions))

    def _insertions(self, function: Function, depth: int, seen: set[str]) -> list[Insertion]:
        if depth > _DEPTH or function.name in seen:
            return []
        seen.add(function.name)
        source = function.source
        names = function.mapping_names | function.fault_names
        found: list[Insertion] = []
        tokens = source.tokens
        for at in range(len(tokens) - 3):
            words = tuple(token.text for token in tokens[at : at + 4])
            if words[0] in names and words[1:] == ("->", "page", "="):
                step = Step(function.path, source.line(tokens[at]), f"{words[0]}->page =")
                found.append(Insertion("vmf->page =", Insert.PAGES, step))
        pending = [tokens]
        while pending:
            for call, _, _ in calls(pending.pop()):
                pending += [one for one in call.arguments if one]
                found += self._call(function, call, depth, seen)
        return found

    def _call(self, function: Function, call: Call, depth: int, seen: set[str]) -> list[Insertion]:
        source = function.source
        said = f"{call.name}({', '.join(source.words(one) for one in call.arguments)})"
        step = Step(function.path, source.line(call.at), said)
        mapper = effects.INSERTERS.get(call.name) or effects.MAPPERS.get(call.name)
        if mapper is not None and not call.is_indirect:
            protection = ""
            if mapper.protection is not None and len(call.arguments) > mapper.protection:
                protection = source.words(call.arguments[mapper.protection])
            return [Insertion(call.name, mapper.inserts, step, protection)]
        if call.name == "apply_to_page_range":
            # i915 and xe set PTEs themselves; pte_mkspecial() is what makes one a PFN's.
            special = b"pte_mkspecial" in self.index.body(function.path)
            return [Insertion(call.name, Insert.PFNS if special else Insert.PAGES, step)]
        handed = {
            word
            for argument in call.arguments
            for word in texts(argument)[:1]
            if len(argument) == 1 or texts(argument)[1:] == ("->", "vma")
        }
        if call.is_indirect or not handed & (function.mapping_names | function.fault_names):
            return []
        if call.name in effects.HARMLESS or not self.index.function(call.name, function.path):
            return []
        found: list[Insertion] = []
        for target in self.index.function(call.name, function.path):
            found += self._insertions(target, depth + 1, seen)
        return found
