# SPDX-License-Identifier: GPL-2.0-only
"""Pointers to operations: which instance one means, what its members are, and page protections."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dmabuf_patchgen.audit.definitions import Function, Initialiser
from dmabuf_patchgen.audit.effects import PROTECTIONS
from dmabuf_patchgen.audit.expression import Call, member_path
from dmabuf_patchgen.audit.index import Index
from dmabuf_patchgen.audit.lexer import Tokens
from dmabuf_patchgen.audit.state import Decision, Operations, State

if TYPE_CHECKING:
    from dmabuf_patchgen.audit.path import Frame


class Pointers:
    """What members that hold functions or operations stand for."""

    def __init__(self, index: Index) -> None:
        self.index = index

    def instances(
        self, path: tuple[str, ...], state: State, frame: Frame
    ) -> list[tuple[State, Initialiser | None, str]]:
        """What a pointer such as obj->funcs may point to, and the type of that.

        None with a type: an instance that is not known; none and no type: another pointer.
        """
        kind = _kind(path, frame)
        candidates = frame.bindings.instances.get(kind) if kind else None
        if candidates is None:
            return [(state, None, kind)]
        chosen = dict(state.chosen).get(kind)
        if len(candidates) == 1 or chosen:
            one = next((c for c in candidates if c.name == chosen), candidates[0])
            return [(state, one, kind)]
        found: list[tuple[State, Initialiser | None, str]] = []
        for one in candidates:
            picked = replace(
                state, chosen=tuple(sorted({**dict(state.chosen), kind: one.name}.items()))
            )
            decision = Decision(f"{'->'.join(path[-1:])} is {one.name}", True, one.path, one.line)
            found.append((picked.decided(decision), one, kind))
        return found

    def member(self, path: tuple[str, ...], state: State, frame: Frame) -> list[tuple[State, str]]:
        """The value of `a->b->c`: zero, true, &name@file, or empty where it is not known."""
        if path[0] in frame.function.mapping_names and path[1:] == ("vm_ops",):
            return [(state, "" if state.vm_ops is None else "true" if state.vm_ops else "zero")]
        own = _kind(path, frame)
        if own:
            candidates = frame.bindings.instances.get(own)
            if candidates is not None:
                return [(state, "true" if candidates else "zero")]
            return [(state, "")]
        if len(path) < 3 or not _kind(path[:-1], frame):
            return [(state, "")]
        found = []
        for one, instance, _ in self.instances(path[:-1], state, frame):
            value = ""
            if instance is not None:
                name = instance.value(path[-1])
                value = f"&{name}@{instance.path}" if name else "zero"
            found.append((one, value))
        return found

    def setters(self, path: tuple[str, ...], frame: Frame) -> tuple[Operations, ...]:
        """The vm_ops that the driver sets a member to, wherever it does."""
        if _kind(path[:-1], frame):
            return ()
        found = self.index.setters(path[-1], frame.function.path)
        return tuple(dict.fromkeys(Operations(name, near) for name, near, _ in found))

    def functions(self, callee: tuple[str, ...], call: Call, frame: Frame) -> list[Function]:
        """Functions that the driver sets a member to, and that take what the call gives."""
        types = [_type(argument, frame) for argument in call.arguments]
        found: dict[str, Function] = {}
        for name, near, _ in self.index.setters(callee[-1], frame.function.path):
            for function in self.index.function(name, near):
                if _takes(function, types):
                    found[name] = function
        return list(found.values())


def _kind(path: tuple[str, ...], frame: Frame) -> str:
    """The type of operations that a pointer points to, by the names of the kernel's structs."""
    if len(path) < 2:
        return ""
    match path[-1]:
        case "funcs":
            return "drm_gem_object_funcs"
        case "mem_ops":
            return "vb2_mem_ops"
        case "fops" if path[-2] == "driver":
            return "file_operations"
        case "driver":
            return "drm_driver"
        case "ops" if _base(path, frame) == "struct dma_buf *":
            return "dma_buf_ops"
    return ""


def _base(path: tuple[str, ...], frame: Frame) -> str:
    if len(path) == 2:
        return frame.function.types.get(path[0], "")
    return "struct dma_buf *" if path[-2] in ("dmabuf", "dma_buf") else ""


def _type(argument: Tokens, frame: Frame) -> str:
    path = member_path(argument)
    return frame.function.types.get(path[0], "") if len(path) == 1 else ""


def _takes(function: Function, types: Sequence[str]) -> bool:
    """Whether a function's parameters are of these types, as far as they are known."""
    if len(function.parameters) != len(types):
        return False
    own = [function.types.get(name, "") for name in function.parameter_names]
    pairs = [(a, b) for a, b in zip(own, types, strict=True) if a and b]
    return bool(pairs) and all(a == b for a, b in pairs)


def caching_of(words: Sequence[str], before: tuple[str, ...], frame: Frame) -> tuple[str, ...]:
    """What an expression makes of the page protection: cached, write-combined, uncached, ...

    before: what it was; a local variable is looked up in the whole function.
    """
    found: list[str] = []
    if "vm_page_prot" in words and not any(word.endswith("get_page_prot") for word in words):
        found += before
    for at in range(len(words) - 1, -1, -1):
        word = words[at]
        called = at + 1 < len(words) and words[at + 1] == "("
        if called and word in PROTECTIONS:
            found.append(PROTECTIONS[word])
        elif called and "prot" in word and word not in ("__pgprot", "pgprot_val"):
            found.append(f"chosen by {word}()")
        elif not called and "prot" in word and word != "vm_page_prot":
            assigned = re.findall(rf"\b{re.escape(word)}\s*=([^;=]+);", frame.function.text)
            for text in assigned:
                found += [said for name, said in PROTECTIONS.items() if name + "(" in text]
    unique = list(dict.fromkeys(found))
    if len(unique) > 1 and "cached" in unique:
        stronger = {"write-combined", "uncached"} & set(unique)
        if stronger or any(one.startswith("chosen") for one in unique):
            unique.remove("cached")
    return tuple(unique)
