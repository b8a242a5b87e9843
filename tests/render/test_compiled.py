# SPDX-License-Identifier: GPL-2.0-only
"""Compiled templates: kept between runs, and never another thing than their source."""

from pathlib import Path

import pytest
from jinja2 import DictLoader, Environment

from dmabuf_patchgen.render.compiled import Compiled


def rendered(directory: Path, source: str) -> str:
    loader = DictLoader({"one": source})
    return (
        Environment(loader=loader, bytecode_cache=Compiled(directory)).get_template("one").render()
    )


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A directory with one template in it, and that template's file."""
    assert rendered(tmp_path / "kept", "a{{ 1 + 1 }}") == "a2"
    (file,) = (tmp_path / "kept").iterdir()
    return file


def test_it_is_taken_where_the_source_is_the_same(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compiled(*_: object, **__: object) -> None:
        raise AssertionError("compiled again")

    monkeypatch.setattr(Environment, "compile", compiled)
    assert rendered(kept.parent, "a{{ 1 + 1 }}") == "a2"
    with pytest.raises(AssertionError, match="compiled again"):
        rendered(kept.parent, "b{{ 1 + 1 }}")


def test_another_source_takes_its_place(kept: Path) -> None:
    assert rendered(kept.parent, "b") == "b"
    assert [*kept.parent.iterdir()] == [kept]
    assert rendered(kept.parent, "a{{ 1 + 1 }}") == "a2"


@pytest.mark.parametrize("at", [0, 5, 31, 32, 40, -1])
def test_what_is_damaged_is_compiled_again(kept: Path, at: int) -> None:
    body = kept.read_bytes()
    kept.write_bytes(body[:at])
    assert rendered(kept.parent, "a{{ 1 + 1 }}") == "a2"
    damaged = bytearray(body)
    damaged[at] ^= 1
    kept.write_bytes(damaged)
    assert rendered(kept.parent, "a{{ 1 + 1 }}") == "a2"
    assert kept.read_bytes() == body


def test_where_nothing_can_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert rendered(tmp_path / "file" / "kept", "a") == "a"
