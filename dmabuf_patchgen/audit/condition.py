# SPDX-License-Identifier: GPL-2.0-only
"""Conditions: which way one is left by what is known, and what is known once it is left."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dmabuf_patchgen.audit.effects import COW_TESTS
from dmabuf_patchgen.audit.expression import (
    ASSIGNMENTS,
    find,
    split,
    stripped,
    texts,
    whole_call,
)
from dmabuf_patchgen.audit.lexer import Tokens
from dmabuf_patchgen.audit.state import Flag, State

if TYPE_CHECKING:
    from dmabuf_patchgen.audit.path import Frame, Walker

Truths = list[tuple[State, bool | None]]

#: Variables that hold an error, by custom.
RESULTS = frozenset({"ret", "err", "rc", "r", "error", "retval", "result", "status", "rv"})
_COMPARISONS = frozenset({"==", "!=", "<", ">", "<=", ">="})
_WRAPPERS = frozenset(
    {"likely", "unlikely", "WARN_ON", "WARN_ON_ONCE", "IS_ERR_VALUE", "drm_WARN_ON", "WARN",
     "drm_WARN_ON_ONCE", "GEM_WARN_ON", "xe_assert", "WARN_ONCE"}
)  # fmt: skip
_SHARED = frozenset({"VM_SHARED", "VM_MAYSHARE"})


class Conditions:
    """Tests conditions on states."""

    def __init__(self, walker: Walker) -> None:
        self.walker = walker

    def test(self, tokens: Tokens, state: State, frame: Frame) -> Truths:
        """Each state after a condition, and whether it holds there; None where it may."""
        tokens = stripped(tokens)
        for sign, ends in (("||", True), ("&&", False)):
            parts = split(tokens, {sign})
            if len(parts) > 1:
                return self._chain(parts, ends, state, frame)
        if tokens and tokens[0].text == "!" and find(tokens, _COMPARISONS) < 0:
            return [
                (after, None if truth is None else not truth)
                for after, truth in self.test(tokens[1:], state, frame)
            ]
        call = whole_call(tokens)
        if call is not None and call.name in _WRAPPERS and call.arguments:
            which = 1 if call.name.startswith("drm_WARN") and len(call.arguments) > 1 else 0
            return self.test(call.arguments[which], state, frame)
        asked = self._copy_on_write(tokens, state, frame)
        if asked is not None:
            return asked
        flag = self._flag(tokens, state, frame)
        if flag is not None:
            return [(state, flag)]
        at = find(tokens, _COMPARISONS)
        if at > 0:
            return self._compare(tokens[:at], tokens[at].text, tokens[at + 1 :], state, frame)
        return self._truth(tokens, state, frame)

    def _chain(self, parts: list[Tokens], ends: bool, state: State, frame: Frame) -> Truths:
        """`a || b`, which ends where one holds, or `a && b`, which ends where one does not."""
        running: list[tuple[State, bool]] = [(state, True)]
        done: Truths = []
        for part in parts:
            following: list[tuple[State, bool]] = []
            for before, certain in running:
                for after, truth in self.test(part, before, frame):
                    if truth is None:
                        following.append((after, False))
                        continue
                    if truth is ends:
                        done.append((after, ends))
                        continue
                    following.append((after, certain))
            running = following
        return done + [(after, (not ends) if certain else None) for after, certain in running]

    def _copy_on_write(self, tokens: Tokens, state: State, frame: Frame) -> Truths | None:
        """A test for a copy-on-write or private mapping, None if a condition is no such test."""
        private = _asks_for_private(tokens, frame)
        if private is None:
            return None
        step = frame.step(tokens[0], frame.function.source.words(tokens))
        if state.cow == "private":
            return [(replace(state, cow_at=step).stepped(step), private)]
        if state.cow:
            return [(state, not private)]
        return [
            (replace(state, cow="private", cow_at=step).stepped(step), private),
            (replace(state, cow="shared", cow_at=step).stepped(step), not private),
        ]

    def _flag(self, tokens: Tokens, state: State, frame: Frame) -> bool | None:
        """A test for VM_PFNMAP or VM_MIXEDMAP alone, as far as its answer is known."""
        words = set(texts(tokens))
        if not words & {"vm_flags", "vma_test"}:
            return None
        asked = [word for word in words if word.startswith(("VM_", "VMA_"))]
        if len(asked) != 1:
            return None
        flag = {"PFNMAP": state.pfnmap, "MIXEDMAP": state.mixedmap}.get(
            asked[0].removeprefix("VMA_").removeprefix("VM_").removesuffix("_BIT")
        )
        if flag is None or flag in (Flag.UNKNOWN, Flag.DMA):
            return None
        negated = "==" in words and "0" in words
        return (flag is Flag.SET) is not negated

    def _compare(
        self, left: Tokens, sign: str, right: Tokens, state: State, frame: Frame
    ) -> Truths:
        outcomes: Truths = []
        wanted = texts(right)
        for after, value in self.walker.calls.value(left, state, frame):
            truth = _compared(value, sign, wanted)
            if truth is not None:
                outcomes.append((after, truth))
                continue
            name = _variable(left)
            whole = (*left, *right)
            outcomes += _refined(after, name, sign, wanted, whole, frame)
        return outcomes

    def _truth(self, tokens: Tokens, state: State, frame: Frame) -> Truths:
        call = whole_call(tokens)
        if call is not None and call.name in ("IS_ERR", "IS_ERR_OR_NULL") and call.arguments:
            name = _variable(call.arguments[0])
            value = state.value(name)
            if value:
                return [(state, value.startswith("error"))]
            if name in frame.tracked:
                return [
                    (state.with_value(name, "error"), True),
                    (state.with_value(name, "true"), False),
                ]
            return [(state, None)]
        outcomes: Truths = []
        for after, value in self.walker.calls.value(tokens, state, frame):
            if value:
                outcomes.append((after, value != "zero"))
                continue
            name = _variable(tokens)
            outcomes += _refined(after, name, "!=", ("0",), tokens, frame)
        return outcomes


def _variable(tokens: Tokens) -> str:
    tokens = stripped(tokens)
    at = find(tokens, ASSIGNMENTS)
    if at > 0:
        tokens = tokens[:at]
    return tokens[0].text if len(tokens) == 1 else ""


def _compared(value: str, sign: str, right: tuple[str, ...]) -> bool | None:
    """What a comparison of something known with a constant comes to."""
    if right in (("0",), ("NULL",), ("false",)):
        kind = value.split(":")[0] if not value.startswith("&") else "true"
        table = {
            "zero": {"==": True, "!=": False, "<": False, ">": False, "<=": True, ">=": True},
            "error": {"==": False, "!=": True, "<": True, ">": False, "<=": True, ">=": False},
            "true": {"==": False, "!=": True},
        }
        return table.get(kind, {}).get(sign)
    if len(right) == 2 and right[0] == "-" and sign in ("==", "!="):
        if value == "zero":
            return sign == "!="
        if value.startswith("error:"):
            return (value == f"error:{right[1]}") is (sign == "==")
    return None


def _refined(
    state: State, name: str, sign: str, right: tuple[str, ...], condition: Tokens, frame: Frame
) -> Truths:
    """Both ways of a condition on a variable that nothing is known of."""
    if name not in frame.tracked or right not in (("0",), ("NULL",)):
        return [(state, None)]
    is_result = name in RESULTS
    holds = "error" if is_result else "true"
    yes, no = {
        "==": ("zero", holds), "!=": (holds, "zero"), "<": ("error", "zero"),
        ">=": ("zero", "error"), ">": ("true", "zero"), "<=": ("error", "true"),
    }[sign]  # fmt: skip
    held, failed = state.with_value(name, yes), state.with_value(name, no)
    if not is_result:
        held = held.decided(frame.decision(condition, True))
        failed = failed.decided(frame.decision(condition, False))
    return [(held, True), (failed, False)]


def _asks_for_private(tokens: Tokens, frame: Frame) -> bool | None:
    """Whether a condition that holds means a private mapping; None if it asks something else.

    is_cow_mapping(vma->vm_flags), vma_is_cow_mapping(vma), (flags & VM_SHARED) == 0,
    (flags & (VM_SHARED | VM_MAYSHARE)) == 0, (flags & (VM_SHARED | VM_MAYWRITE)) == VM_MAYWRITE
    and vma_test(vma, VMA_SHARED_BIT) are all ways to ask.
    """
    call = whole_call(tokens)
    if call is not None and call.name in COW_TESTS:
        return True
    words = texts(tokens)
    flags = {_flag_name(word) for word in words if word.startswith(("VM_", "VMA_"))}
    if not flags & _SHARED:
        return None
    if call is not None:
        if call.name in ("vma_test", "vma_test_any") and flags <= _SHARED:
            return False
        return None
    if "vm_flags" not in words and not any("flags" in word for word in words):
        return None
    at = find(tokens, _COMPARISONS)
    if at < 0:
        return False if flags <= _SHARED else None
    left, sign, right = tokens[:at], tokens[at].text, texts(stripped(tokens[at + 1 :]))
    masked = {_flag_name(word) for word in texts(left) if word.startswith(("VM_", "VMA_"))}
    if sign not in ("==", "!="):
        return None
    equal = sign == "=="
    if right == ("0",) and masked <= _SHARED:
        return equal
    if right == ("VM_MAYWRITE",) and masked == {"VM_SHARED", "VM_MAYWRITE"}:
        return equal
    if right == ("VM_SHARED",) and masked <= _SHARED:
        return not equal
    return None


def _flag_name(word: str) -> str:
    if word.startswith("VMA_"):
        return "VM_" + word[4:].removesuffix("_BIT")
    return word
