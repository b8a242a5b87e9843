# SPDX-License-Identifier: GPL-2.0-only
"""Labels of a switch are its own."""

from dmabuf_patchgen.tree import labels
from dmabuf_patchgen.tree.c import parse
from tests.tree.parsed import only


def names(body: bytes, subject: str = "cmd") -> list[str]:
    c = parse(b"int f(int cmd)\n{\n" + body + b"}\n")
    return [name for name, _ in labels.of_switch(c, only(c, "function", "f"), subject)]


def test_switch_labels() -> None:
    body = (
        b"\tswitch (cmd) {\n\tcase A:\n\tcase B:\n\t\treturn 1;\n\tdefault:\n\t\treturn 0;\n\t}\n"
    )
    assert names(body) == ["case A", "case B", "default"]
    assert names(body, "other") == []


def test_default_behind_endif() -> None:
    body = (
        b"\tswitch (cmd) {\n\tcase A:\n\t\treturn 1;\n\n#if IS_ENABLED(CONFIG_SYNC_FILE)\n"
        b"\tcase B:\n\t\treturn 2;\n#endif\n\n\tdefault:\n\t\treturn 0;\n\t}\n"
    )
    assert names(body) == ["case A", "case B", "default"]


def test_default_within_an_if() -> None:
    body = (
        b"\tswitch (cmd) {\n\tcase A:\n\t\treturn 1;\n#ifdef B\n"
        b"\tdefault:\n\t\treturn 2;\n#endif\n\t}\n"
    )
    assert names(body) == ["case A", "default"]


def test_labels_of_a_nested_switch_are_its_own() -> None:
    body = (
        b"\tswitch (cmd) {\n\tcase A:\n\t\tswitch (sub.x) {\n\t\tcase A:\n\t\t\tbreak;\n"
        b"\t\tdefault:\n\t\t\tbreak;\n\t\t}\n\t\tbreak;\n\tdefault:\n\t\treturn 0;\n\t}\n"
    )
    assert names(body) == ["case A", "default"]
    assert names(body, "sub . x") == ["case A", "default"]
    c = parse(b"int f(int cmd)\n{\n" + body + b"}\n")
    outer, inner = (labels.of_switch(c, only(c, "function", "f"), on) for on in ("cmd", "sub.x"))
    assert not {*outer} & {*inner}


def test_two_switches_on_the_same() -> None:
    body = b"\tswitch (cmd) {\n\tcase A:\n\t\tbreak;\n\t}\n"
    assert names(body + body) == ["case A", "case A"]
