# SPDX-License-Identifier: GPL-2.0-only
"""What tools say is read right, and compared by what it says, not by where."""

from dmabuf_patchgen.kernel.diagnostics import (
    Diagnostic,
    added,
    parse,
    parse_build,
    worst,
    written_lines,
)

ROOT = "/cache/build/src"


def warning(line: int, text: str = "unused variable 'ret'", path: str = "a.c") -> Diagnostic:
    return Diagnostic(path, line, "warning", "-Wunused-variable", text)


def test_each_tool_is_understood() -> None:
    lines = [
        f"{ROOT}/a.c: In function 'f':",
        f"{ROOT}/a.c:12:6: warning: unused variable 'ret' [-Wunused-variable]",
        "   12 |  int ret;",
        "a.c:3:10: fatal error: none.h: No such file or directory",
        f"{ROOT}/include/x.h:6: warning: Function parameter 'a' not described in 'f'",
        "Warning: include/x.h:6 function parameter 'a' not described in 'f'",
        "a.o: warning: objtool: f()+0x12: unreachable instruction",
        "t.c:(.text+0x5): undefined reference to `g'",
    ]
    assert parse(lines, ROOT) == (
        warning(12),
        Diagnostic("a.c", 3, "error", "error", "none.h: No such file or directory"),
        Diagnostic(
            "include/x.h", 6, "warning", "warning",
            "Function parameter 'a' not described in 'f'",
        ),
        Diagnostic(
            "include/x.h", 6, "warning", "warning",
            "function parameter 'a' not described in 'f'",
        ),
        Diagnostic("a.o", 0, "warning", "warning", "objtool: f()+0x12: unreachable instruction"),
        Diagnostic("t.c", 0, "error", "error", "undefined reference to `g'"),
    )  # fmt: skip


def test_a_relative_path_is_one_of_the_directory_the_tool_ran_in() -> None:
    said = parse(["../harness.h:7:1: warning: x [-Wy]"], ROOT, "tools/tests/mine")
    assert said[0].path == "tools/tests/harness.h"


def test_sparse_tells_expected_and_got_on_lines_of_their_own() -> None:
    lines = [
        f"{ROOT}/a.c:53:19: warning: incorrect type in initializer (different address spaces)",
        f"{ROOT}/a.c:53:19:    expected int *to",
        f"{ROOT}/a.c:53:19:    got int [noderef] __user *from",
    ]
    (one,) = parse(lines, ROOT)
    assert one.text.endswith("expected int *to, got int [noderef] __user *from")


def test_a_build_log_is_told_apart_by_object() -> None:
    output = f"""make[1]: Entering directory '/cache/build/out'
  CC      drivers/a.o
{ROOT}/drivers/a.c:12:6: warning: unused variable 'ret' [-Wunused-variable]
  CC [M]  drivers/b.o
{ROOT}/drivers/b.c:5:2: error: 'x' undeclared (first use in this function)
make[3]: *** [{ROOT}/scripts/Makefile.build:229: drivers/b.o] Error 1
  CHECK   {ROOT}/drivers/a.c
  AR      drivers/built-in.a
make[3]: *** No rule to make target 'drivers/c.o', needed by 'drivers/built-in.a'.
"""
    log = parse_build(output, ROOT)
    assert log.built == {"drivers/a", "drivers/b"}
    assert log.checked == {"drivers/a"}
    assert log.failed == {"drivers/b"}
    assert {stem: len(said) for stem, said in log.messages.items()} == {
        "drivers/a": 1, "drivers/b": 1,
    }  # fmt: skip


def test_a_message_that_only_moved_is_not_new() -> None:
    assert added([warning(3)], [warning(8)], {}) == ()


def test_of_two_alike_the_one_on_a_new_line_is_new() -> None:
    both = [warning(8), warning(30)]
    assert added([warning(3)], both, {"a.c": frozenset({8})}) == (warning(8),)
    assert added([warning(3)], both, {}) == (warning(30),)


def test_line_numbers_inside_a_text_do_not_make_it_new() -> None:
    old = warning(3, "redeclared, first seen at b.h:12:3")
    assert added([old], [warning(4, "redeclared, first seen at b.h:14:3")], {}) == ()


def test_what_an_error_hid_is_remembered() -> None:
    error = Diagnostic("a.c", 1, "error", "error", "stop")
    assert worst([warning(3)], [error]) == (warning(3), error)
    assert worst([warning(3)], [warning(9), warning(10)]) == (warning(3), warning(10))


def test_written_lines_are_those_a_change_wrote() -> None:
    assert written_lines(b"a\nb\nc\n", b"a\nx\nb\nc\ny\n") == {2, 5}
