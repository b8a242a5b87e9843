# SPDX-License-Identifier: GPL-2.0-only
"""What the bench does where a command fails."""

import sys

import pytest

from bench.timing import said


def test_what_a_failed_command_said_is_told() -> None:
    script = "import sys; print('not proved: a:b'); print('why', file=sys.stderr); sys.exit(2)"
    with pytest.raises(SystemExit) as ended:
        said([sys.executable, "-c", script])
    assert str(ended.value).endswith("exit code 2\nnot proved: a:b\nwhy")
    assert said([sys.executable, "-c", "print('proved')"]) == "proved\n"
