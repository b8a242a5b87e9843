# SPDX-License-Identifier: GPL-2.0-only
"""What is done to the flags of a mapping, in all the ways that the kernel has had for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dmabuf_patchgen.audit import effects
from dmabuf_patchgen.audit.expression import Call, texts
from dmabuf_patchgen.audit.lexer import Tokens
from dmabuf_patchgen.audit.state import Flag, State, Step

if TYPE_CHECKING:
    from dmabuf_patchgen.audit.path import Frame


def apply(call: Call, state: State, frame: Frame, step: Step) -> State:
    """vm_flags_set(), vm_flags_mod(), vma_clear_flags() and the like."""
    if call.name in effects.BIT_SETTERS:
        names = _names([word for one in call.arguments[1:] for word in texts(one)], frame)
        if effects.BIT_SETTERS[call.name]:
            return _changed(state, names, set(), step)
        return _changed(state, set(), names, step)
    if call.name in effects.FLAG_RESETTERS:
        return resets(state, "=", call.arguments[1] if len(call.arguments) > 1 else (), frame, step)
    sets_at, clears_at = effects.FLAG_SETTERS[call.name]
    sets = _argument(call, sets_at, frame)
    clears = _argument(call, clears_at, frame)
    return _changed(state, sets, clears, step)


def resets(state: State, sign: str, right: Tokens, frame: Frame, step: Step) -> State:
    """`vma->vm_flags |= ...`, `&= ~...` and `= ...`."""
    names = _names(list(texts(right)), frame)
    if sign == "|=":
        return _changed(state, names, set(), step)
    if sign == "&=":
        if texts(right)[:1] == ("~",):
            return _changed(state, set(), names, step)
        return _changed(state, set(), {"?"}, step)
    kept = frame.function.mapping_names | {"vm_flags", "->", "(", ")", "|", "&"}
    if "vm_flags" in texts(right):
        # vma->vm_flags = (vma->vm_flags & ~A) | B.
        cleared, others = _complements(texts(right))
        sets = _names([word for word in others if word not in kept], frame)
        return _changed(state, sets, _names(cleared, frame), step)
    anew = replace(state, pfnmap=Flag.CLEAR, mixedmap=Flag.CLEAR)
    return _changed(anew, names, set(), step)


def _complements(words: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """The words below a `~`, and all the others."""
    below: list[str] = []
    others: list[str] = []
    at = 0
    while at < len(words):
        if words[at] != "~":
            others.append(words[at])
            at += 1
            continue
        at += 1
        if words[at : at + 1] == ("(",):
            end = words.index(")", at)
            below += words[at + 1 : end]
            at = end + 1
        else:
            below += words[at : at + 1]
            at += 1
    return below, others


def _argument(call: Call, at: int | None, frame: Frame) -> set[str]:
    if at is None or len(call.arguments) <= at:
        return set()
    return _names(list(texts(call.arguments[at])), frame)


def _names(words: list[str], frame: Frame) -> set[str]:
    """The flags that an expression names; `?` for what may be any of them.

    A flag is spelled VM_PFNMAP or VMA_PFNMAP_BIT; a macro of the same file is looked into.
    """
    found: set[str] = set()
    definitions = None
    for word in words:
        if word.startswith("VM_"):
            found.add(word)
        elif word.startswith("VMA_"):
            found.add("VM_" + word[4:].removesuffix("_BIT"))
        elif word.isidentifier() and word not in frame.function.mapping_names | {"vm_flags"}:
            if word in ("mk_vma_flags", "vm_flags_t", "unsigned", "long"):
                continue
            definitions = definitions or frame.define(word)
            found |= {part for part in definitions.split() if part.startswith("VM_")} or {"?"}
    return found


def _changed(state: State, sets: set[str], clears: set[str], step: Step) -> State:
    after = state.changed("flags", step)
    if "?" in sets or "?" in clears:
        after = after.puzzled(f"flags that are not spelled out: {step.what}", step)
    if "VM_PFNMAP" in sets | clears:
        after = replace(after, pfnmap=Flag.SET if "VM_PFNMAP" in sets else Flag.CLEAR)
    if "VM_MIXEDMAP" in sets | clears:
        after = replace(after, mixedmap=Flag.SET if "VM_MIXEDMAP" in sets else Flag.CLEAR)
    if {"VM_PFNMAP", "VM_MIXEDMAP"} & sets:
        after = replace(after, decided_by=step)
    if "VM_MAYWRITE" in clears and "VM_WRITE" not in sets:
        # is_cow_mapping() asks for VM_MAYWRITE without VM_SHARED: such a mapping is none.
        after = replace(after, cow="readonly", cow_at=step)
    return after
