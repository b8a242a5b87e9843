# SPDX-License-Identifier: GPL-2.0-only
"""What would let sparse pass a file unseen is no pass."""

from dmabuf_patchgen.check.compile import blind
from dmabuf_patchgen.kernel.diagnostics import Diagnostic

ERROR = Diagnostic("a.c", 3, "error", "error", "bad constant expression")
MOVED = Diagnostic("a.c", 9, "error", "error", "bad constant expression")
WARNING = Diagnostic("a.c", 3, "warning", "warning", "cast removes address space")


def test_an_old_error_hides_what_a_commit_adds() -> None:
    (one,) = blind([ERROR], [MOVED, WARNING])
    assert (one.type, one.line) == ("BLIND", 9)


def test_a_new_error_speaks_for_itself_and_an_old_warning_hides_nothing() -> None:
    assert blind([WARNING], [ERROR, WARNING]) == ()
