# SPDX-License-Identifier: GPL-2.0-only
"""Templates and conditions: what they may say, and where it is told when they are wrong.

Wrong entries of series.toml are in test_wrong_templates.
"""

from pathlib import Path

import pytest

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.render.environment import Environment, Facts, added, wrapped
from dmabuf_patchgen.render.series import render
from dmabuf_patchgen.tree.facts import TreeFacts
from dmabuf_patchgen.tree.source import DirectoryTree
from tests import tiny

CHECK = "toy/01-check.patch.j2"


@pytest.fixture
def tree(tmp_path: Path) -> DirectoryTree:
    return DirectoryTree(tiny.tree(tmp_path / "tree"))


def refused(tree: DirectoryTree, root: Path, **changed: str) -> str:
    """The message for the series with a line of a template changed: name=(old, new)."""
    with pytest.raises(UserError) as error:
        render(tiny.environment(root / "t", changed), tree, ["toy"], {})
    assert "\n" not in error.value.message
    return error.value.message.replace(f"{root / 't'}", "T")


def check(line: str) -> dict[str, str]:
    """The first template of the series with a line in the place of its reason, line 3."""
    text = tiny.TEMPLATES[CHECK]
    return {CHECK: text.replace(text.splitlines()[2], line)}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{% if param.loud %}", "T/toy/01-check.patch.j2:5: Unexpected end of template."),
        ("{% nonsense %}", "T/toy/01-check.patch.j2:3: Encountered unknown tag 'nonsense'."),
        ("{{ 1 + }}", "T/toy/01-check.patch.j2:3: unexpected 'end of"),
        ("{{ nothing }}", "T/toy/01-check.patch.j2:3: 'nothing' is undefined"),
        ("{{ fact.nothing }}", "T/toy/01-check.patch.j2:3: "),
        ("{{ param.nothing }}", "T/toy/01-check.patch.j2:3: 'dict object' has no attribute"),
        ("{{ 'a' | nothing }}", "T/toy/01-check.patch.j2:3: No filter named 'nothing'."),
        ("{{ tree.exists() }}", "T/toy/01-check.patch.j2:3: "),
        ("{{ 1 / 0 }}", "T/toy/01-check.patch.j2:3: division by zero"),
        ("{{ tree._tree }}", "T/toy/01-check.patch.j2:3: access to attribute '_tree' of"),
        ("{{ link('gossip') }}", "T/toy/01-check.patch.j2:3: no thread is named 'gossip' in"),
        ('{% import "no.j2" as no %}', "T/toy/01-check.patch.j2:3: 'no.j2' not found"),
        ('{% include "no.j2" %}', "T/toy/01-check.patch.j2:3: 'no.j2' not found"),
    ],
)
def test_a_template_that_is_wrong(
    tree: DirectoryTree, tmp_path: Path, line: str, message: str
) -> None:
    assert refused(tree, tmp_path, **check(line)).startswith(message)


def test_a_macro_file_that_is_wrong_is_named_itself(tree: DirectoryTree, tmp_path: Path) -> None:
    line = '{% import "k.j2" as k with context %}{{ k.broken() }}'
    for body, message in {
        "\n\n{% macro broken() %}{{ nothing }}{% endmacro %}\n": "T/k.j2:3: 'nothing' is undefined",
        "\n{% macro broken() %}\n": "T/k.j2:2: Unexpected end of template.",
    }.items():
        assert refused(tree, tmp_path, **check(line), **{"k.j2": body}).startswith(message)


def test_a_template_that_is_no_patch_is_named(tree: DirectoryTree, tmp_path: Path) -> None:
    assert refused(tree, tmp_path, **{CHECK: "s\n\nbody\n"}) == (
        "T/toy/01-check.patch.j2: it changes no file"
    )


def test_a_template_in_another_encoding(tree: DirectoryTree, tmp_path: Path) -> None:
    environment = tiny.environment(tmp_path / "t")
    (tmp_path / "t" / CHECK).write_bytes("s\n\nAndr\u00e9\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"01-check.patch.j2: .*can't decode byte 0xe9"):
        render(environment, tree, ["toy"], {})


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("fact.heap and", "unexpected 'end of"),
        ("fact.nothing", "'nothing'"),
        ("nothing", "'nothing' is undefined"),
        ("tree.exists()", "missing 1 required positional argument"),
        ("param.loud > 'a'", "not supported between"),
        ("link('gossip')", "no thread is named 'gossip'"),
    ],
)
def test_a_condition_that_is_wrong(
    tree: DirectoryTree, tmp_path: Path, condition: str, message: str
) -> None:
    """Refused with the file, the line and the expression."""
    text = tiny.TEMPLATES["toy/series.toml"]
    line = next(n for n, said in enumerate(text.splitlines(), 1) if "when = " in said)
    changed = text.replace('when = "fact.heap"', f'when = "{condition}"')
    assert changed != text
    said = refused(tree, tmp_path, **{"toy/series.toml": changed})
    assert said.startswith(f"T/toy/series.toml:{line}: ") and message in said
    assert said.endswith(f" in {condition!r}")


def test_a_fact_that_is_wrong(tree: DirectoryTree, tmp_path: Path) -> None:
    text = tiny.TEMPLATES["facts.toml"].replace('tree.exists("drivers', 'tree.exist("drivers')
    said = refused(tree, tmp_path, **{"facts.toml": text})
    assert said.startswith("T/facts.toml:3: ") and "has no attribute 'exist'" in said


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("facts.toml", "[heap\n", "T/facts.toml: Expected ']' at the end of a table"),
        ("threads.toml", "talk\n", "T/threads.toml: Expected '=' after a key"),
        ("facts.toml", "a = 1\na = 2\n", "T/facts.toml: Cannot overwrite a value (at line 2,"),
    ],
)
def test_a_data_file_that_is_wrong(
    tree: DirectoryTree, tmp_path: Path, name: str, text: str, message: str
) -> None:
    said = refused(tree, tmp_path, **{name: text})
    assert said.startswith(message) and "line " in said


def test_a_data_file_in_another_encoding(tmp_path: Path) -> None:
    tiny.environment(tmp_path)
    (tmp_path / "facts.toml").write_bytes(b"# Andr\xe9\n")
    with pytest.raises(UserError, match=r"facts.toml: .*can't decode byte 0xe9"):
        Environment(tmp_path)


def test_a_data_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"threads.toml: no such file"):
        Environment(tmp_path)


def test_a_template_cannot_leave_the_sandbox(tree: DirectoryTree, tmp_path: Path) -> None:
    said = refused(tree, tmp_path, **check("{{ ''.__class__.__mro__[1].__subclasses__() }}"))
    assert said.startswith("T/toy/01-check.patch.j2:3: access to attribute '__class__'")


def test_a_template_cannot_change_what_others_see(tree: DirectoryTree, tmp_path: Path) -> None:
    said = refused(tree, tmp_path, **check("{{ fact.ioctls.clear() }}"))
    assert said.startswith("T/toy/01-check.patch.j2:3: ") and "clear" in said


def test_facts_are_found_once_and_only_when_asked(tree: DirectoryTree, tmp_path: Path) -> None:
    broken = '[good]\nmeaning = "g"\nfind = "1 + 1"\n[bad]\nmeaning = "b"\nfind = "1 / 0"\n'
    facts = Facts(tiny.environment(tmp_path / "t", {"facts.toml": broken}), TreeFacts(tree))
    assert facts["good"] == 2 and [*facts] == ["good", "bad"] and len(facts) == 2
    with pytest.raises(UserError, match="division by zero"):
        facts["bad"]


def test_a_link(tmp_path: Path) -> None:
    environment = tiny.environment(tmp_path / "t")
    assert environment.link("talk") == "https://lore.kernel.org/r/1@example.org"


def test_added() -> None:
    assert added("a\n\n\tb\n\n") == "+a\n+\n+\tb\n"


def test_wrapped() -> None:
    text = "word " * 30 + "vma_is_cow_mapping-and_more " + "word " * 5
    lines = wrapped(f"  {text}\n{text}").splitlines()
    assert all(len(line) <= 74 for line in lines)
    assert " ".join(lines).split() == (text + text).split()
    assert wrapped("x" * 90) == "x" * 90 + "\n"
