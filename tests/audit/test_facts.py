# SPDX-License-Identifier: GPL-2.0-only
"""What a template learns from an audit, and that none is made for one that does not ask."""

from __future__ import annotations

from pathlib import Path

import pytest

from dmabuf_patchgen.audit.facts import AuditFacts
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.render.environment import Environment, Facts
from dmabuf_patchgen.render.series import render
from dmabuf_patchgen.tree.facts import TreeFacts
from dmabuf_patchgen.tree.source import Overlay, open_tree
from tests import tiny
from tests.audit import exporter

FACTS = """
[violating]
meaning = "names of exporters that violate"
find = 'audit.violates | join(" ")'

[plain]
meaning = "asks the tree alone"
find = 'tree.exists("Kbuild")'
"""
#: A series that asks by a condition, for a value of a parameter, and in a message.
SERIES = """
title = "dma-buf: asks"
summary = "What is said follows from the exporters."
revised = 2026-01-02T03:04:05Z

[parameters.how]
type = "choice"
help = "what becomes of a mapping that is wrong"
default = "warn"

[parameters.how.choices]
warn = { help = "a warning" }
refuse = { help = "an error", needs = "none_violates" }

[[patch]]
template = "toy/01-check.patch.j2"
when = "fact.violating"
unless = "no exporter violates"

[[patch]]
template = "toy/02-rest.patch.j2"
"""
MESSAGE = """\
dma-buf: {subject}

These are wrong: {{{{ fact.violating }}}}.

--- drivers/dma-buf/{subject}.c
@@ new file @@
+int x;
"""
ASKING = {
    "facts.toml": FACTS
    + """
[none_violates]
meaning = "no exporter violates"
find = "not fact.violating"
""",
    "toy/series.toml": SERIES,
    "toy/01-check.patch.j2": MESSAGE.format(subject="check"),
    "toy/02-rest.patch.j2": MESSAGE.format(subject="rest"),
}
VIOLATES = "\treturn vm_map_pages(vma, p, n);"
PFNMAP = "\tvma->vm_ops = &pfn_ops;\n\tvm_flags_set(vma, VM_PFNMAP);\n\treturn 0;"


def test_facts_ask_the_audit(tmp_path: Path) -> None:
    root = exporter.tree(tmp_path / "linux", exporter.source(VIOLATES))
    environment = tiny.environment(tmp_path / "templates", {"facts.toml": FACTS})
    assert Facts(environment, TreeFacts(open_tree(root)))["violating"] == "example_ops"


def test_conditions_parameters_and_messages_follow_from_the_audit(tmp_path: Path) -> None:
    environment = tiny.environment(tmp_path / "templates", ASKING)
    wrong = open_tree(exporter.tree(tmp_path / "wrong", exporter.source(VIOLATES)))
    right = open_tree(exporter.tree(tmp_path / "right", exporter.source(PFNMAP)))
    check, rest = render(environment, wrong, ["toy"], {}).commits
    assert (check.subject, rest.subject) == ("dma-buf: check", "dma-buf: rest")
    assert "These are wrong: example_ops." in check.message
    with pytest.raises(UserError, match="needs none_violates"):
        render(environment, wrong, ["toy"], {"how": "refuse"})
    (rest,) = render(environment, right, ["toy"], {"how": "refuse"}).commits
    assert rest.subject == "dma-buf: rest"


def test_a_patch_of_the_series_does_not_change_the_answer(tmp_path: Path) -> None:
    tree = open_tree(exporter.tree(tmp_path, exporter.source(PFNMAP)))
    changed = exporter.source(VIOLATES).encode()
    assert AuditFacts(Overlay(tree, {exporter.PATH: changed})).verdict("example_ops") == "PFNMAP"


def test_each_question_has_its_answer(tmp_path: Path) -> None:
    said = AuditFacts(open_tree(exporter.tree(tmp_path, exporter.source(PFNMAP))))
    assert (said.violates, said.bugs) == ((), ("example_ops",))
    assert said.verdict("example_ops") == "PFNMAP" and said.verdict("no_such_ops") == ""
    assert not said.refuses_cow("example_ops") and not said.refuses_cow("no_such_ops")


def test_no_audit_is_made_unless_one_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    kept = tmp_path / "cache/dmabuf-patchgen/audits"
    root = exporter.tree(tmp_path / "linux", exporter.source(PFNMAP))
    environment: Environment = tiny.environment(tmp_path / "templates", {"facts.toml": FACTS})
    facts = Facts(environment, TreeFacts(open_tree(root)))
    assert facts["plain"] and not kept.exists()
    # The control: one that is made is kept.
    assert facts["violating"] == "" and len([*kept.iterdir()]) == 1
