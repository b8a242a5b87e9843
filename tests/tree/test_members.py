# SPDX-License-Identifier: GPL-2.0-only
"""Members of structs and enums, with all of their names."""

from dmabuf_patchgen.tree import members
from dmabuf_patchgen.tree.c import parse
from tests.tree.parsed import only, text


def test_fields() -> None:
    c = parse(
        b"struct a {\n\tint x, *y;\n\tunsigned long bits : 3;\n\tint (*op)(int arg);\n"
        b"#ifdef CONFIG_B\n\tstruct b __rcu *deep;\n#endif\n\tchar name[8];\n"
        b"\tstruct c {\n\t\tint inner;\n\t} nested;\n};\n"
    )
    found = dict(members.of(c, only(c, "struct", "a")))
    assert [*found] == ["x", "y", "bits", "op", "deep", "name", "nested"]
    assert text(c, found["op"]) == "int (*op)(int arg);"
    assert text(c, found["deep"]) == "struct b __rcu *deep;"


def test_enumerators() -> None:
    c = parse(b"enum a {\n\tX = 1,\n\t/* the last */\n\tY,\n};\n")
    assert [(name, text(c, span)) for name, span in members.of(c, only(c, "enum", "a"))] == [
        ("X", "X = 1"),
        ("Y", "Y"),
    ]
