# SPDX-License-Identifier: GPL-2.0-only
"""Why a symbol of Kconfig does not have the value that it was meant to have."""

from collections.abc import Iterable, Sequence
from typing import Any

from kconfiglib import (  # type: ignore[import-untyped]
    AND,
    BOOL,
    NOT,
    OR,
    STR_TO_TRI,
    TRI_TO_STR,
    TRISTATE,
    TYPE_TO_STR,
    Choice,
    Symbol,
    expr_items,
    expr_str,
    expr_value,
    split_expr,
)

#: So many symbols are named where any one of them would do.
_NAMED = 3
#: A macro that came to n is all that is left of such a test.
_FIXED = "a test of the compiler or the machine says no"


def why(symbol: Any, wanted: str) -> str:
    """Why a symbol that the tree has is not what was wanted, in the words of a sentence."""
    if symbol.orig_type in (BOOL, TRISTATE):
        if wanted not in STR_TO_TRI:
            return f"it is a {TYPE_TO_STR[symbol.orig_type]}, which {wanted!r} is no value of"
        if symbol.tri_value > STR_TO_TRI[wanted]:
            return _too_much(symbol, wanted)
        return _too_little(symbol, STR_TO_TRI[wanted], deeper=True)
    if symbol.visibility < 2:
        return _too_little(symbol, 2, deeper=True)
    for low, high, condition in symbol.ranges:
        if expr_value(condition):
            return f"it takes a value from {low.str_value} to {high.str_value}"
    return f"it is {TYPE_TO_STR[symbol.orig_type]}, which {wanted!r} is no value of"


def _too_little(symbol: Any, wanted: int, *, deeper: bool) -> str:
    """Why a symbol does not reach a value: the terms of its dependency that do not."""
    failing = _failing(symbol.direct_dep, wanted)
    prompts = [node.prompt[1] for node in symbol.nodes if node.prompt]
    if not failing and symbol.visibility < wanted:
        if not prompts:
            return _needs_select(symbol)
        if symbol.orig_type is TRISTATE and symbol.type is BOOL:
            return "MODULES is off"
        # Of several prompts any one would do; they seldom differ.
        failing = _failing(prompts[0], wanted)
    if failing:
        reasons = (_term(term, wanted, deeper=deeper) for term in failing)
        return ("; " if deeper else " and ").join(reasons)
    if symbol.choice and symbol.choice.selection not in (None, symbol):
        return f"{symbol.choice.selection.name} is taken of the same choice"
    if wanted == 1 and symbol.type is BOOL:
        return "MODULES is off" if symbol.orig_type is TRISTATE else "it is a bool, never m"
    return "nothing asks for more" if symbol.tri_value else "nothing asks for it"


def _failing(expression: Any, wanted: int) -> list[Any]:
    """Terms of an AND that do not reach a value, each once."""
    terms: list[Any] = []
    for term in split_expr(expression, AND):
        if expr_value(term) < wanted and term not in terms:
            terms.append(term)
    return terms


def _term(term: Any, wanted: int, *, deeper: bool) -> str:
    """What is the matter with one term of a dependency."""
    if isinstance(term, Choice):
        return "its choice is off"
    if isinstance(term, Symbol):
        if term.is_constant:
            return _FIXED
        if not term.nodes:
            return f"{term.name} is not in this tree"
        state = f"{term.name} is {_state(term)}"
        return f"{state} because {_too_little(term, wanted, deeper=False)}" if deeper else state
    operator, *parts = term
    if operator is NOT and isinstance(parts[0], Symbol):
        inside = parts[0]
        return _FIXED if inside.is_constant else f"{inside.name} is {_state(inside)}"
    if operator is OR:
        parts = split_expr(term, OR)
        if all(isinstance(part, Symbol) for part in parts):
            return f"none of {_listed(part.name for part in parts)} is on"
    names = sorted(
        f"{item.name} is {_state(item)}"
        for item in expr_items(term)
        if isinstance(item, Symbol) and not item.is_constant and item.nodes
    )
    return f"({_shown(term)}) does not hold" + (f": {', '.join(names)}" if names else "")


def _needs_select(symbol: Any) -> str:
    """That a symbol without a prompt is off, and which others would turn it on."""
    on = []
    off = []
    for select in split_expr(symbol.rev_dep, OR):
        by, *conditions = split_expr(select, AND)
        if not isinstance(by, Symbol) or not by.nodes:
            continue
        if by.tri_value and (lacking := [_shown(one) for one in conditions if not expr_value(one)]):
            # It would, but for this.
            on.append(f"{by.name} if {' && '.join(lacking)}")
        else:
            off.append(by.name)
    if on or off:
        return f"it cannot be set, only be selected by {_listed([*sorted(on), *sorted(off)])}"
    if symbol.defaults:
        return f"it cannot be set, and its default is {symbol.str_value}"
    return "it cannot be set, and nothing selects it"


def _too_much(symbol: Any, wanted: str) -> str:
    """Why a symbol is on that should not be."""
    for kind, reverse in (("selects", symbol.rev_dep), ("implies", symbol.weak_rev_dep)):
        for one in split_expr(reverse, OR):
            if expr_value(one) > STR_TO_TRI[wanted]:
                return f"{split_expr(one, AND)[0].name} {kind} it"
    if symbol.choice and symbol.choice.selection is symbol:
        return "its choice takes it"
    if symbol.orig_type is TRISTATE and symbol.type is BOOL and wanted == "m":
        return "MODULES is off"
    if symbol.visibility < 2:
        return f"it cannot be set here, and its default is {symbol.str_value}"
    return "its default is that, and nothing asks for another value"


def _state(symbol: Any) -> str:
    if symbol.orig_type in (BOOL, TRISTATE):
        return {"n": "off", "m": "m", "y": "on"}[TRI_TO_STR[symbol.tri_value]]
    return str(symbol.str_value) or "empty"


def _shown(expression: Any) -> str:
    return str(expr_str(expression, lambda item: item.name or "a choice"))


def _listed(names: Iterable[str]) -> str:
    found: Sequence[str] = list(dict.fromkeys(names))
    if len(found) > _NAMED:
        return f"{', '.join(found[:_NAMED])} or {len(found) - _NAMED} more"
    return " or ".join([", ".join(found[:-1]), found[-1]] if len(found) > 1 else found)
