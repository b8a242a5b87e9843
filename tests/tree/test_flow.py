# SPDX-License-Identifier: GPL-2.0-only
"""Whether control comes to a label from above, however long the way is."""

import pytest

from dmabuf_patchgen.tree import flow, labels
from dmabuf_patchgen.tree.c import CFile, parse
from tests.tree.parsed import only


def function(cases: str) -> CFile:
    body = f"int f(int cmd)\n{{\n\tswitch (cmd) {{\n{cases}\t\tbreak;\n\t}}\n}}\n"
    return parse(body.encode())


def runs_in(above: str) -> bool:
    """Whether what stands in a case runs into the label behind it."""
    c = function(f"\tcase 1:\n{above}\tcase 2:\n")
    (_, span) = labels.of_switch(c, only(c, "function", "f"), "cmd")[1]
    label = c.root.descendant_for_byte_range(span.start, span.start + 1)
    while label and label.type != "case_statement":
        label = label.parent
    assert label
    return flow.runs_into(label)


CHAIN = "".join(f"if (a == {n})\n\t\treturn {n};\n\telse " for n in range(1500))


@pytest.mark.parametrize(
    ("above", "runs"),
    [
        ("return 1;\n", False),
        ("goto out;\n", False),
        ("BUG();\n", False),
        ("call();\n", True),
        ("", True),
        ("if (a)\n\t\treturn 1;\n", True),
        ("if (a)\n\t\treturn 1;\n\telse\n\t\treturn 2;\n", False),
        ("if (a)\n\t\treturn 1;\n\telse\n\t\tcall();\n", True),
        ("if (a)\n\t\tcall();\n\telse\n\t\treturn 2;\n", True),
        ("if (a)\n\t\treturn 1;\n\telse if (b)\n\t\treturn 2;\n", True),
        ("{\n\treturn 1;\n\t}\n", False),
        ("#ifdef A\n\treturn 1;\n#else\n\tbreak;\n#endif\n", False),
        ("#ifdef A\n\treturn 1;\n#endif\n", True),
        (f"{CHAIN}return -1;\n", False),
        (f"{CHAIN}call();\n", True),
    ],
)
def test_what_runs_into_a_label(above: str, runs: bool) -> None:
    assert runs_in(above) is runs


def test_many_labels_in_a_row() -> None:
    c = function("".join(f"\tcase {n}:\n" for n in range(3000)))
    assert len(labels.of_switch(c, only(c, "function", "f"), "cmd")) == 3000
