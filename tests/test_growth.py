# SPDX-License-Identifier: GPL-2.0-only
"""What tells linear from quadratic does so."""

from tests.growth import is_linear


def test_linear_work() -> None:
    assert is_linear(lambda n: "x" * n, lambda text: [*text], 200_000)


def test_quadratic_work() -> None:
    assert not is_linear(lambda n: [*range(n)], lambda some: [one in some for one in some], 4000)
