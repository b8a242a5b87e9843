# SPDX-License-Identifier: GPL-2.0-only
"""Where control goes from a statement: whether it runs into the label behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node

# Statements after which the next one is not run.
_JUMPS = frozenset({"break_statement", "return_statement", "goto_statement", "continue_statement"})
# Calls that do not return. Rule: include/linux/compiler.h, __noreturn in kernel/.
_ENDS = frozenset(
    {b"unreachable", b"__builtin_unreachable", b"BUG", b"panic", b"do_exit", b"kthread_exit"}
)
_ALTERNATIVES = frozenset({"preproc_else", "preproc_elif", "preproc_elifdef"})


def is_statement(node: Node) -> bool:
    """Whether a node is a statement or declaration, as stand one after the other in a block."""
    return node.type.endswith("_statement") or node.type == "declaration"


def runs_into(label: Node) -> bool:
    """Whether control may come to a label from the text above it."""
    node = label
    while node.parent is not None:
        # Other branches of the same #if are not above it.
        for above in reversed(_statements_before(node)):
            if not above.type.startswith("preproc_"):
                return _goes_on(above)
            if any(_goes_on(last) for last in _last_of_branches(above)):
                return True
            if _is_complete(above):
                return False
        if node.parent.type == "case_statement":
            return True
        if node.parent.type == "compound_statement":
            return False
        node = node.parent
        while node.type in _ALTERNATIVES and node.parent is not None:
            node = node.parent
    return True


def _statements_before(node: Node) -> list[Node]:
    assert node.parent is not None
    return [s for s in _statements(node.parent) if s.start_byte < node.start_byte]


def _statements(node: Node) -> list[Node]:
    """The statements right below a node, and what of an #if, or of an error, is among them."""
    return [
        child
        for child in node.named_children
        if is_statement(child)
        or child.type == "ERROR"
        or (child.type in ("preproc_if", "preproc_ifdef"))
    ]


def _branches(group: Node) -> list[Node]:
    found = [group]
    while (alternative := found[-1].child_by_field_name("alternative")) is not None:
        found.append(alternative)
    return found


def _last_of_branches(group: Node) -> list[Node]:
    return [_statements(branch)[-1] for branch in _branches(group) if _statements(branch)]


def _is_complete(group: Node) -> bool:
    """Whether an #if has a statement on every configuration."""
    branches = _branches(group)
    return branches[-1].type == "preproc_else" and all(_statements(b) for b in branches)


def _goes_on(node: Node) -> bool:
    """Whether control may go past the end of a statement."""
    while node.type == "if_statement":
        consequence = node.child_by_field_name("consequence")
        alternative = node.child_by_field_name("alternative")
        if consequence is None or alternative is None or _goes_on(consequence):
            return True
        node = alternative.named_children[-1]
    if node.type in _JUMPS:
        return False
    if node.type in ("compound_statement", "case_statement", "labeled_statement"):
        inner = _statements(node)
        return not inner or _goes_on(inner[-1])
    if node.type in ("preproc_if", "preproc_ifdef"):
        return not _is_complete(node) or any(_goes_on(last) for last in _last_of_branches(node))
    if node.type == "expression_statement" and node.named_children:
        call = node.named_children[0]
        called = call.child_by_field_name("function") if call.type == "call_expression" else None
        return called is None or called.text not in _ENDS
    return True
