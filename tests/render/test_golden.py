# SPDX-License-Identifier: GPL-2.0-only
"""The series as committed are those that the templates give on the reference tree."""

from pathlib import Path

from tests import golden


def test_the_reference_tree_gets_what_is_committed(linux_612: Path) -> None:
    expected, stored = golden.expected(linux_612), golden.stored()

    assert sorted(stored) == sorted(expected), "make golden writes them again"
    for path, body in expected.items():
        assert golden.content(path, stored[path]) == golden.content(path, body), path


def test_a_point_release_moves_lines_and_changes_no_content() -> None:
    patch = b"index 0123abc..4567def 100644\n@@ -10,7 +10,9 @@ int f(void)\n context\n+added\n"
    moved = patch.replace(b"-10,7 +10,9", b"-210,7 +210,9").replace(b"0123abc", b"89abcde")

    assert golden.content("x.patch", moved) == golden.content("x.patch", patch)


def test_any_other_difference_counts() -> None:
    patch = b"@@ -10,7 +10,9 @@ int f(void)\n context\n+added\n"

    for other in (b"+Added", b"+added\n+more"):
        changed = patch.replace(b"+added", other)
        assert golden.content("x.patch", changed) != golden.content("x.patch", patch)
    shorter = patch.replace(b"-10,7 +10,9", b"-10,6 +10,8")
    assert golden.content("x.patch", shorter) != golden.content("x.patch", patch)
