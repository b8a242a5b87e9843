# SPDX-License-Identifier: GPL-2.0-only
"""Compiled templates: kept between runs, and never another thing than their source."""

import gc
from collections.abc import Iterator
from pathlib import Path

import jinja2
import pytest
from jinja2 import DictLoader

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.render import compiled
from dmabuf_patchgen.render.compiled import Compiled
from dmabuf_patchgen.render.environment import Environment
from tests import calls


def rendered(place: Path, source: str, most: int = 500) -> str:
    keeper = Compiled(place, most)
    environment = jinja2.Environment(loader=DictLoader({"one": source}), bytecode_cache=keeper)
    said = environment.get_template("one").render()
    value = compiled.expression(environment, f"'{source}' | length")()
    text = compiled.text(environment, f"{source}{source}").render()
    keeper.save()
    return f"{said} {value} {text}"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A file with a template, an expression and a text in it."""
    assert rendered(tmp_path / "kept", "a{{ 1 + 1 }}") == "a2 12 a2a2"
    return tmp_path / "kept"


@pytest.fixture
def compiles() -> Iterator[list[str]]:
    """What is compiled of Jinja's from now on."""
    found: list[str] = []

    def see(event: str, args: tuple[object, ...]) -> None:
        if event == "compile" and args[1] == "<template>":
            found.append(str(args[0]))

    with calls.seen(see):
        yield found


def test_they_are_taken_where_the_source_is_the_same(kept: Path, compiles: list[str]) -> None:
    before = kept.stat().st_ino
    assert rendered(kept, "a{{ 1 + 1 }}") == "a2 12 a2a2"
    assert not compiles
    assert kept.stat().st_ino == before, "written though nothing is new"
    assert rendered(kept, "b{{ 1 + 1 }}") == "b2 12 b2b2"
    assert len(compiles) == 3


def test_another_source_is_kept_beside(kept: Path, compiles: list[str]) -> None:
    rendered(kept, "b")
    del compiles[:]
    assert rendered(kept, "a{{ 1 + 1 }}") == "a2 12 a2a2" and rendered(kept, "b") == "b 1 bb"
    assert not compiles


def test_what_is_not_asked_for_goes_when_there_are_too_many(
    kept: Path, compiles: list[str]
) -> None:
    rendered(kept, "b", most=5)
    del compiles[:]
    rendered(kept, "b", most=5)
    assert not compiles
    rendered(kept, "a{{ 1 + 1 }}", most=5)
    assert len(compiles) == 3


@pytest.mark.parametrize("at", [0, 5, 31, 32, 40, -1])
def test_what_is_damaged_is_compiled_again(kept: Path, at: int, compiles: list[str]) -> None:
    body = kept.read_bytes()
    damaged = bytearray(body)
    damaged[at] ^= 1
    for wrong in (body[:at], bytes(damaged)):
        kept.write_bytes(wrong)
        del compiles[:]
        assert rendered(kept, "a{{ 1 + 1 }}") == "a2 12 a2a2"
        assert len(compiles) == 3
    del compiles[:]
    assert rendered(kept, "a{{ 1 + 1 }}") == "a2 12 a2a2"
    assert not compiles


def test_where_nothing_can_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert rendered(tmp_path / "file" / "kept", "a") == "a 1 aa"


@pytest.mark.parametrize("wrong", ["1 +", "1 2", "1 }} 2", ""])
def test_a_wrong_expression_is_no_value(wrong: str) -> None:
    """As Jinja's own says it."""
    environment = jinja2.Environment()
    with pytest.raises(jinja2.TemplateSyntaxError) as own:
        compiled.expression(environment, wrong)
    with pytest.raises(jinja2.TemplateSyntaxError) as jinjas:
        environment.compile_expression(wrong)
    assert str(own.value) == str(jinjas.value)


def test_an_environment_keeps_what_it_compiled(
    tmp_path: Path, compiles: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("threads.toml", "facts.toml"):
        (tmp_path / name).write_text("")

    def value() -> object:
        environment = Environment(tmp_path)
        with pytest.raises(UserError):
            environment.evaluate("x + ", {"x": 1}, "facts.toml")
        return environment.evaluate("x + 1", {"x": 1}, "facts.toml")

    for _ in range(2):
        assert value() == 2 and len(compiles) == 1
        # It refers to itself, and writes when it ends.
        gc.collect()
