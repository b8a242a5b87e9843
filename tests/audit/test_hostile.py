# SPDX-License-Identifier: GPL-2.0-only
"""What was generated, or written to break a reader, is told and keeps nobody from the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from dmabuf_patchgen.audit.audit import audit
from dmabuf_patchgen.audit.verdict import Audit, Kind
from dmabuf_patchgen.tree.source import open_tree
from tests.audit import exporter

_OTHER = exporter.source("\treturn vm_map_pages(vma, p, n);").replace("example", "other")
#: Each of them sets a flag or leaves another value in another variable.
_BRANCHES = "".join(
    f"\tif (c{n})\n\t\tvm_flags_set(vma, {('VM_PFNMAP', 'VM_MIXEDMAP')[n % 2]});\n"
    f"\telse\n\t\tr{n} = f{n}(vma);\n"
    for n in range(500)
)


def audited(root: Path, source: str) -> Audit:
    """The audit of a tree with that exporter, and with another one beside it."""
    more = {"drivers/gpu/other.c": _OTHER}
    return audit(open_tree(exporter.tree(root / "linux", source, **more)))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("\tif (a) {" * 2000 + "}" * 2000, "nested too deeply"),
        ("\tfor (;;) {" * 25 + "f(vma);" + "}" * 25, "too long to follow"),
        (_BRANCHES, "too many paths"),
        ("".join(f"\tf{n}(vma);\n" for n in range(3000)), "way is too long"),
        ("\tif (a {", "does not read as C"),
        ("#if A\n\tif (a) {\n#else\n\t{\n#endif\n\t}", "preprocessor cuts through"),
    ],
    ids=["nested", "loops", "branches", "lines", "unclosed", "cut"],
)
def test_what_is_not_followed_is_unknown_with_its_reason(
    tmp_path: Path, body: str, why: str
) -> None:
    source = exporter.source(f"{body}\n\treturn vm_map_pages(vma, p, n);")
    made = {entry.name: entry for entry in audited(tmp_path, source).entries}
    assert made["example_ops"].kind is Kind.UNKNOWN
    assert any(why in branch.why for branch in made["example_ops"].branches)
    assert made["other_ops"].kind is Kind.VIOLATES


def test_a_file_whose_structs_are_nested_too_deeply_is_told(tmp_path: Path) -> None:
    nested = f"static const struct dma_buf_ops x_ops = {{\n{'.a = {' * 500}{'}' * 500}\n}};\n"
    made = audited(tmp_path, nested)
    assert made.unread == ((exporter.PATH, "a struct is nested more than 30 deep"),)
    assert [entry.name for entry in made.entries] == ["other_ops"]


@pytest.mark.parametrize(
    "source",
    [
        "",
        "struct vm_area_struct dma_buf_ops {{{((",
        "static const struct dma_buf_ops x_ops = {\n\t.mmap = x_mmap,\n",
        "/* \" ' struct dma_buf_ops x_ops = {\n",
        "\0\ufffd\x1b struct vm_area_struct *vma)\n{\n}",
        "#if A\n" * 3000 + "struct dma_buf_ops x_ops = { .mmap = x_mmap, };\n",
    ],
)
def test_what_is_hardly_c_keeps_nobody_from_the_rest(tmp_path: Path, source: str) -> None:
    made = audited(tmp_path, source)
    (other,) = (entry for entry in made.entries if entry.name == "other_ops")
    assert other.kind is Kind.VIOLATES
    assert all(entry.kind is Kind.UNKNOWN for entry in made.entries if entry is not other)
