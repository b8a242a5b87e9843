# SPDX-License-Identifier: GPL-2.0-only
"""Files that save time are as they were written, or they are not taken."""

import os
from pathlib import Path

import pytest

from dmabuf_patchgen import kept
from tests import damage


def test_it_is_as_it_was_written(tmp_path: Path) -> None:
    place = tmp_path / "some" / "where"
    assert kept.load(place) is None
    for body in (b"", b"one\n", b"\0" * 100):
        kept.save(place, body)
        assert kept.load(place) == body
    assert [*place.parent.iterdir()] == [place]


@pytest.mark.parametrize("what", damage.DAMAGES)
def test_damaged_it_is_not_taken(tmp_path: Path, what: str) -> None:
    place = tmp_path / "kept"
    kept.save(place, b"something of a length\n")
    damage.DAMAGES[what](place)
    assert kept.load(place) is None


def test_the_oldest_make_room(tmp_path: Path) -> None:
    for number in range(5):
        place = tmp_path / str(number)
        kept.save(place, b"x", siblings=3)
        os.utime(place, (number, number))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2", "3", "4"]


def test_where_nothing_can_be_kept_nothing_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    kept.save(tmp_path / "file" / "kept", b"x")
    assert kept.load(tmp_path / "file" / "kept") is None
