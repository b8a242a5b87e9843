# SPDX-License-Identifier: GPL-2.0-only
"""The rooms of docs/architecture.md: a room uses only what stands to its left.

And what it works with is handed in: no test, no benchmark puts something in the place of it.
"""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.conftest import CHECKOUT

PACKAGE = CHECKOUT / "dmabuf_patchgen"
DOCUMENT = CHECKOUT / "docs" / "architecture.md"
#: Beside the rooms; what every room may use.
COMMON = {"errors", "forked", "kept", "process", "signals", "xdg"}


def rooms() -> list[str]:
    """The rooms from left to right, as the document's table has them."""
    return re.findall(r"^\| (\w+)/ \|", DOCUMENT.read_text(), re.M)


def imported(source: str) -> Iterator[tuple[int, str]]:
    """Line and second part of each name of this package that a module imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dmabuf_patchgen"):
            parts = (node.module or "").split(".")
            yield from ((node.lineno, (*parts, alias.name)[1]) for alias in node.names)
        elif isinstance(node, ast.Import):
            names = (alias.name.split(".") for alias in node.names)
            yield from (
                (node.lineno, name[1])
                for name in names
                if name[0] == "dmabuf_patchgen" and name[1:]
            )


def wrong(room: str, source: str) -> list[tuple[int, str]]:
    """The imports of a module of a room that go to its right."""
    row = rooms()
    allowed = {*row[: row.index(room) + 1], *COMMON, "__version__"}
    return [(line, name) for line, name in imported(source) if name not in allowed]


def test_every_package_is_a_room() -> None:
    found = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert sorted(rooms()) == sorted(found)


@pytest.mark.parametrize("room", rooms())
def test_no_arrow_goes_to_the_right(room: str) -> None:
    found = {
        str(path.relative_to(CHECKOUT)): arrows
        for path in sorted((PACKAGE / room).rglob("*.py"))
        if (arrows := wrong(room, path.read_text()))
    }
    assert not found


@pytest.mark.parametrize("name", sorted(COMMON))
def test_what_all_use_uses_no_room(name: str) -> None:
    source = (PACKAGE / f"{name}.py").read_text()
    assert {name for _, name in imported(source)} <= COMMON


def test_an_arrow_to_the_right_is_seen() -> None:
    assert wrong("tree", "from dmabuf_patchgen.render import series\n") == [(1, "render")]
    assert wrong("check", "def f():\n    import dmabuf_patchgen.post.b4\n") == [(2, "post")]
    assert not wrong("prove", "from dmabuf_patchgen.check import step\n")


#: Of pytest's monkeypatch and of Python itself: what puts something in the place of code.
#: Variables of the environment and the current directory are the user's, and may be set.
_REPLACES = {"setattr", "delattr", "setitem", "delitem"}


def replaced(source: str) -> list[int]:
    """Lines in which a module puts something in the place of what another one has."""
    tree = ast.parse(source)
    modules = {
        (alias.asname or alias.name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else ast.unparse(called)
            if name in _REPLACES or ast.unparse(called).startswith(("mock.", "unittest.mock.")):
                lines.append(node.lineno)
        elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Delete):
            targets = node.targets if isinstance(node, ast.Assign | ast.Delete) else [node.target]
            lines += [
                node.lineno
                for target in targets
                if isinstance(target, ast.Attribute)
                and ast.unparse(target).partition(".")[0] in modules
            ]
    return sorted(lines)


def test_nothing_is_put_in_the_place_of_code() -> None:
    found = {
        str(path.relative_to(CHECKOUT)): lines
        for where in ("tests", "bench")
        for path in sorted((CHECKOUT / where).rglob("*.py"))
        if (lines := replaced(path.read_text()))
    }
    assert not found


@pytest.mark.parametrize(
    "line",
    [
        "monkeypatch.setattr(checks, 'check', print)",
        "patched.setitem(checks.TABLE, 'a', 1)",
        "setattr(checks, 'check', print)",
        "checks.check = print",
        "checks.Build.make = print",
        "del checks.check",
    ],
)
def test_what_is_put_in_its_place_is_seen(line: str) -> None:
    assert replaced(f"from dmabuf_patchgen.check import checks\n{line}\n") == [2]


def test_what_a_test_has_of_its_own_may_change() -> None:
    assert not replaced("import os\n\nself.told = []\nmonkeypatch.setenv('ARCH', 'x86')\n")
