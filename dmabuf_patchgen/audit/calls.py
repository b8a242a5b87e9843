# SPDX-License-Identifier: GPL-2.0-only
"""What an expression does to a mapping: by the table of effects, or by following its calls."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from dmabuf_patchgen.audit import effects
from dmabuf_patchgen.audit.definitions import Function, Initialiser
from dmabuf_patchgen.audit.effects import Insert
from dmabuf_patchgen.audit.expression import (
    ASSIGNMENTS,
    Call,
    calls,
    find,
    member_path,
    split,
    stripped,
    texts,
    whole_call,
)
from dmabuf_patchgen.audit.flags import apply as apply_flags
from dmabuf_patchgen.audit.flags import resets
from dmabuf_patchgen.audit.lexer import Tokens
from dmabuf_patchgen.audit.operations import Pointers, caching_of
from dmabuf_patchgen.audit.state import Flag, Handover, Operations, State

if TYPE_CHECKING:
    from dmabuf_patchgen.audit.path import Frame, Walker

Outcome = list[tuple[State, str]]

#: So deep may calls nest before one counts as not understood.
DEPTH = 14

_ERROR = re.compile(r"E[A-Z0-9]{2,}")
_QUIET = re.compile(
    r"(?:trace_|dev_(?:dbg|info|warn|err)|pr_|DRM_|XDNA_|drm_(?:dbg|warn|err|info))"
)


class Calls:
    """Runs expressions on states."""

    def __init__(self, walker: Walker) -> None:
        self.walker = walker
        self.pointers = Pointers(walker.index)

    def run(self, tokens: Tokens, state: State, frame: Frame) -> Outcome:
        """An expression statement or a declaration: the states after it."""
        outcomes: Outcome = [(state, "")]
        for part in split(tokens, {",", ";"}):
            outcomes = [
                after for before, _ in outcomes for after in self._part(part, before, frame)
            ]
        return outcomes

    def _part(self, tokens: Tokens, state: State, frame: Frame) -> Outcome:
        at = find(tokens, ASSIGNMENTS)
        if at < 0:
            return self.value(tokens, state, frame)
        return self._assign(tokens[:at], tokens[at].text, tokens[at + 1 :], state, frame)

    def _assign(
        self, left: Tokens, sign: str, right: Tokens, state: State, frame: Frame
    ) -> Outcome:
        mapping = self._mapping_member(left, frame)
        if mapping:
            stored = self._store(mapping, left, sign, right, state, frame)
            return [(one, "") for one in stored]
        if not left:
            return [(state, "")]
        name = left[-1].text
        # `*p = x` and `a->b = x` are no variables; `struct s *p = x` is one.
        plain = not any(token.text in ("->", ".", "]") for token in left)
        outcomes: Outcome = []
        for after, value in self.value(right, state, frame):
            kept = after
            if plain and name in frame.tracked:
                kept = after.with_value(name, value if sign == "=" else "")
            outcomes.append((kept, value))
        return outcomes

    def value(self, tokens: Tokens, state: State, frame: Frame) -> Outcome:
        """An expression for its value: zero, true, error, error:ENOMEM, &name@file, or empty."""
        tokens = stripped(tokens)
        if not tokens:
            return [(state, "")]
        at = find(tokens, ASSIGNMENTS)
        if at > 0:
            return self._assign(tokens[:at], tokens[at].text, tokens[at + 1 :], state, frame)
        question = find(tokens, {"?"})
        if question > 0:
            return self._choice(tokens, question, state, frame)
        known = self._constant(tokens, state, frame)
        if known:
            return [(state, known)]
        call = whole_call(tokens)
        if call is not None:
            return self._call(call, state, frame)
        path = member_path(tokens)
        if len(path) > 1:
            return self.pointers.member(path, state, frame)
        outcomes: Outcome = [(state, "")]
        for inner, _, _ in calls(tokens):
            outcomes = [
                (after, "") for one, _ in outcomes for after, _ in self._call(inner, one, frame)
            ]
        return outcomes

    def _constant(self, tokens: Tokens, state: State, frame: Frame) -> str:
        words = texts(tokens)
        if len(words) == 1:
            word = words[0]
            if word in ("0", "NULL", "false"):
                return "zero"
            if word == "true" or word[0].isdigit():
                return "true"
            return state.value(word)
        if len(words) == 2 and words[0] == "-" and _ERROR.fullmatch(words[1]):
            return f"error:{words[1]}"
        if len(words) == 2 and words[0] == "&" and words[1].isidentifier():
            return f"&{words[1]}@{frame.function.path}"
        return ""

    def _choice(self, tokens: Tokens, at: int, state: State, frame: Frame) -> Outcome:
        colon = find(tokens[at + 1 :], {":"})
        if colon < 0:
            return [(state, "")]
        then, otherwise = tokens[at + 1 :][:colon], tokens[at + 1 :][colon + 1 :]
        outcomes: Outcome = []
        for after, truth in self.walker.conditions.test(tokens[:at], state, frame):
            if truth is not False:
                taken = self.value(then, after, frame) if then else [(after, "true")]
                outcomes += taken
            if truth is not True:
                outcomes += self.value(otherwise, after, frame)
        return outcomes

    def _mapping_member(self, left: Tokens, frame: Frame) -> str:
        """The member of the VMA that an expression names, empty if it names something else."""
        path = member_path(left)
        if len(path) == 2 and path[0] in frame.function.mapping_names:
            return path[1]
        if len(path) == 3 and path[0] in frame.function.fault_names and path[1] == "vma":
            return path[2]
        return ""

    def is_mapping(self, tokens: Tokens, frame: Frame) -> bool:
        """Whether an argument hands over the mapping, or the fault in it."""
        path = member_path(tokens)
        if len(path) == 1:
            return path[0] in frame.function.mapping_names | frame.function.fault_names
        return len(path) == 2 and path[0] in frame.function.fault_names and path[1] == "vma"

    def _store(
        self, member: str, left: Tokens, sign: str, right: Tokens, state: State, frame: Frame
    ) -> list[State]:
        source = frame.function.source
        step = frame.step(left[0], source.words((*left, *right)) if not right else "")
        step = replace(step, what=source.words((left[0], right[-1])) if right else step.what)
        match member:
            case "vm_flags" | "__vm_flags" | "flags":
                return [resets(state, sign, right, frame, step)]
            case "vm_ops":
                after = []
                for one, value in self.value(right, state, frame):
                    after.append(self._operations(one, value, right, frame).changed("vm_ops", step))
                return after
            case "vm_page_prot":
                after = []
                for one, _ in self.value(right, state, frame):
                    said = caching_of(texts(right), one.caching, frame)
                    after.append(replace(one, caching=said).changed("vm_page_prot", step))
                return after
            case "vm_file":
                return [
                    replace(one, file_at=one.file_at or step).changed("vm_file", step)
                    for one, _ in self.value(right, state, frame)
                ]
        return [one.changed(member, step) for one, _ in self.value(right, state, frame)]

    def _operations(self, state: State, value: str, right: Tokens, frame: Frame) -> State:
        if value == "zero":
            return replace(state, vm_ops=())
        if value.startswith("&"):
            name, _, near = value[1:].partition("@")
            return replace(state, vm_ops=(Operations(name, near),))
        path = member_path(right)
        if len(path) == 1:
            return replace(state, vm_ops=(Operations(path[0], frame.function.path),))
        known = self.pointers.setters(path, frame) if path else ()
        return replace(state, vm_ops=known or None)

    def _call(self, call: Call, state: State, frame: Frame) -> Outcome:
        """A call: what it does to the mapping, and what it returns."""
        name = call.name
        if not call.is_indirect and name in effects.FLAG_RESETTERS | {"vm_flags_set"} | set(
            effects.FLAG_SETTERS
        ) | set(effects.BIT_SETTERS):
            return self._flags(call, state, frame)
        outcomes: Outcome = [(state, "")]
        for argument in call.arguments:
            if any(token.text == "(" for token in argument):
                outcomes = [
                    (after, "")
                    for one, _ in outcomes
                    for after, _ in self.value(argument, one, frame)
                ]
        return [result for one, _ in outcomes for result in self._invoke(call, one, frame)]

    def _flags(self, call: Call, state: State, frame: Frame) -> Outcome:
        if not call.arguments or not self.is_mapping(call.arguments[0], frame):
            return [(state, "")]
        step = frame.step(call.at, self._said(call, frame))
        return [(apply_flags(call, state, frame, step), "")]

    def _said(self, call: Call, frame: Frame) -> str:
        words = frame.function.source.words
        return f"{'->'.join(call.callee)}({', '.join(words(one) for one in call.arguments)})"

    def _invoke(self, call: Call, state: State, frame: Frame) -> Outcome:
        name = call.name
        if name == "call_memop" and len(call.arguments) > 1:
            return self._through(("vb", "mem_ops", texts(call.arguments[1])[0]), call, state, frame)
        if call.is_indirect:
            if any(self.is_mapping(one, frame) for one in call.arguments):
                return self._through(call.callee, call, state, frame)
            return [(state, "")]
        if name in ("PTR_ERR", "ERR_CAST", "vmf_error"):
            return [(state, "error")]
        if name == "ERR_PTR" and call.arguments:
            return self.value(call.arguments[0], state, frame)
        if name == "PTR_ERR_OR_ZERO" and call.arguments:
            known = state.value(texts(call.arguments[0])[-1])
            return [(state, known if known == "error" else "zero" if known else "")]
        if not any(self.is_mapping(one, frame) for one in call.arguments):
            return [(state, "")]
        if name in effects.MAPPERS:
            return self._mapped(call, state, frame)
        if name in effects.INSERTERS:
            step = frame.step(call.at, self._said(call, frame))
            return [(replace(state, inserts=state.inserts | {name}).changed("ptes", step), "")]
        if name in effects.FILE_SETTERS:
            step = frame.step(call.at, self._said(call, frame))
            swapped = replace(state, file_at=state.file_at or step)
            return [(swapped.changed("vm_file", step), "")]
        if name in effects.FILE_MAPPERS:
            return self._to_file(call, effects.FILE_MAPPERS[name], state, frame)
        if name == "dma_buf_mmap":
            return self.hand_over("dma_buf_mmap", call, state, frame)
        if name in effects.HARMLESS or _QUIET.match(name):
            return [(state, "")]
        return self._follow(name, call, state, frame)

    def _mapped(self, call: Call, state: State, frame: Frame) -> Outcome:
        mapper = effects.MAPPERS[call.name]
        step = frame.step(call.at, self._said(call, frame))
        done = replace(state, inserts=state.inserts | {call.name}).changed("ptes", step)
        match mapper.inserts:
            case Insert.PFNS:
                done = replace(done, pfnmap=Flag.SET, decided_by=done.decided_by or step)
            case Insert.PAGES:
                done = replace(done, mixedmap=Flag.SET, decided_by=step)
            case _:
                pfnmap = Flag.SET if done.pfnmap is Flag.SET else Flag.DMA
                done = replace(done, pfnmap=pfnmap, mixedmap=Flag.DMA, decided_by=step)
        if mapper.caching:
            done = replace(done, caching=(mapper.caching,))
        elif mapper.protection is not None and len(call.arguments) > mapper.protection:
            argument = call.arguments[mapper.protection]
            path = member_path(argument)
            if not (len(path) == 2 and path[1] == "vm_page_prot"):
                said = caching_of(texts(argument), done.caching, frame)
                done = replace(done, caching=("a local value", *said))
        failed = state.changed("ptes", step)
        return [(done, "zero"), (failed, "error")]

    def _to_file(self, call: Call, which: int, state: State, frame: Frame) -> Outcome:
        """The mapping given to another file's mmap; a GEM object's own file is shmem's.

        Source: struct drm_gem_object in include/drm/drm_gem.h, "filp".
        """
        argument = call.arguments[which] if len(call.arguments) > which else ()
        step = frame.step(call.at, self._said(call, frame))
        if texts(argument)[-2:] in (("->", "filp"), (".", "filp")):
            done = replace(
                state,
                pfnmap=Flag.CLEAR,
                vm_ops=(Operations("shmem_vm_ops", "mm/shmem.c"),),
                decided_by=step,
            ).changed("vm_ops", step)
            return [(done, "zero"), (state, "error")]
        return self.hand_over(
            f"the file {frame.function.source.words(argument)}", call, state, frame
        )

    def hand_over(self, to: str, call: Call, state: State, frame: Frame) -> Outcome:
        """The mapping given to something that is not known here."""
        step = frame.step(call.at, self._said(call, frame))
        blind = replace(state, pfnmap=Flag.UNKNOWN, mixedmap=Flag.UNKNOWN, vm_ops=None)
        blind = replace(blind, handover=Handover(to, "", blind.facts), decided_by=step)
        return [(blind.changed("handed over", step), "zero"), (state.stepped(step), "error")]

    def _through(self, callee: tuple[str, ...], call: Call, state: State, frame: Frame) -> Outcome:
        """A call through a member: to what the member is bound to, or known to be set to."""
        if callee[-2] == "vm_ops":
            return [(state, "")]
        step = frame.step(call.at, self._said(call, frame))
        outcomes: Outcome = []
        for one, instance, kind in self.pointers.instances(callee[:-1], state, frame):
            if kind and instance is None:
                outcomes += self.hand_over(f"{'->'.join(callee[-2:])}()", call, one, frame)
            elif instance is not None:
                outcomes += self._by_instance(instance, kind, callee[-1], call, one, frame)
            else:
                targets = self.pointers.functions(callee, call, frame)
                if not targets:
                    why = f"{'->'.join(callee)}() is set nowhere that was looked at"
                    outcomes.append((one.puzzled(why, step), ""))
                for target in targets:
                    taken = one
                    if len(targets) > 1:
                        guess = f"{'->'.join(callee[-2:])} is {target.name}()"
                        taken = replace(one, guesses=one.guesses | {guess})
                    outcomes += self._into(target, call, taken, frame)
        return outcomes

    def _by_instance(
        self,
        instance: Initialiser,
        kind: str,
        member: str,
        call: Call,
        state: State,
        frame: Frame,
    ) -> Outcome:
        """A call of a member of operations whose instance is known, or taken to be known."""
        name = instance.value(member)
        step = frame.step(call.at, f"{self._said(call, frame)} is {name}() in {instance.name}")
        found = self.walker.index.function(name, instance.path) if name else ()
        if not found:
            why = f"{name}(), which {instance.name} names, was not found"
            return [(state.puzzled(why, step), "")]
        outcomes: Outcome = []
        for function in found:
            for after, value in self._enter(function, call, state.stepped(step), frame):
                if kind not in frame.bindings.certain and not _is_blind(after):
                    after = replace(after, handover=Handover(kind, instance.name, after.facts))
                outcomes.append((after, value))
        return outcomes

    def _follow(self, name: str, call: Call, state: State, frame: Frame) -> Outcome:
        found = self.walker.index.function(name, frame.function.path)
        step = frame.step(call.at, self._said(call, frame))
        if not found:
            if self._is_macro_of_nothing(name):
                return [(state, "")]
            why = f"{name}() takes the mapping and was not found"
            return [(state.puzzled(why, step), "")]
        outcomes: Outcome = []
        for function in found:
            outcomes += self._into(function, call, state, frame)
        return outcomes

    def _is_macro_of_nothing(self, name: str) -> bool:
        return name.isupper()

    def _into(self, function: Function, call: Call, state: State, frame: Frame) -> Outcome:
        step = frame.step(call.at, self._said(call, frame))
        return self._enter(function, call, state.stepped(step), frame)

    def _enter(self, function: Function, call: Call, state: State, frame: Frame) -> Outcome:
        if function.spoils_nothing:
            return [(state, "")]
        if frame.depth >= DEPTH:
            step = frame.step(call.at, self._said(call, frame))
            return [(state.puzzled(f"{function.name}() nests too deep", step), "")]
        arguments = [self._constant(stripped(one), state, frame) for one in call.arguments]
        return self.walker.enter(function, [state], frame.bindings, arguments, frame.depth + 1)


def _is_blind(state: State) -> bool:
    """Whether the mapping is with something that is not known."""
    return Flag.UNKNOWN in (state.pfnmap, state.mixedmap)
