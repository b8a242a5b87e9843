# SPDX-License-Identifier: GPL-2.0-only
"""A series that is written wrongly is refused in one line, never with a traceback."""

import shutil
from pathlib import Path

import pytest

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.render.environment import Environment
from dmabuf_patchgen.render.series import render
from dmabuf_patchgen.tree.source import DirectoryTree
from tests.conftest import CHECKOUT

SERIES = """\
title = "one"
summary = "One."
revised = 2026-11-20T12:00:00Z

[parameters.level]
type = "choice"
help = "a level"
default = "low"

[parameters.level.choices]
low = { help = "not high" }

[[patch]]
template = "one/01.patch.j2"
when = 'tree.exists("a")'
"""
PATCH = """\
one: change a

--- a
@@ end of file @@
+{{ param.level }}
"""


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, DirectoryTree]:
    """Templates with one small series, and a tree for it."""
    templates = tmp_path / "templates"
    (templates / "one").mkdir(parents=True)
    for name in ("facts.toml", "threads.toml"):
        shutil.copy(CHECKOUT / "templates" / name, templates)
    (templates / "one" / "series.toml").write_text(SERIES)
    (templates / "one" / "01.patch.j2").write_text(PATCH)
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a").write_text("first\n")
    return templates, DirectoryTree(tree)


def test_it_renders_as_it_is(made: tuple[Path, DirectoryTree]) -> None:
    (commit,) = render(Environment(made[0]), made[1], ["one"], {}).commits
    assert commit.files["a"] == b"first\nlow\n"


@pytest.mark.parametrize(
    ("name", "right", "wrong", "said"),
    [
        ("series.toml", 'default = "low"', "", "parameter level has default None"),
        ("series.toml", 'default = "low"', 'default = "no"', "parameter level has default 'no'"),
        ("series.toml", '"choice"', '"number"', "parameter level has type 'number'"),
        ("series.toml", '"choice"', '"ioctl"', "parameter level has default 'low'"),
        ("series.toml", "T12:00:00Z", "", "revised has to be a date and time with its offset"),
        ("series.toml", "00Z", "00", "revised has to be a date and time with its offset"),
        ("series.toml", "title =", 'lists = "a@b"\ntitle =', "lists has to be a list of mail"),
        ("series.toml", "when =", "where =", "unexpected keyword argument 'where'"),
        ("series.toml", "title =", "title", "series.toml: Expected '='"),
        ("series.toml", 'exists("a")', "exists()", "missing 1 required positional argument"),
        ("series.toml", 'exists("a")', 'exists("a") / "2"', "unsupported operand"),
        ("series.toml", "01.patch.j2", "02.patch.j2", "'one/02.patch.j2' not found"),
        ("01.patch.j2", "param.level", "param.depth", "01.patch.j2:5: 'dict object' has no"),
        ("01.patch.j2", "param.level", "1 / 0", "01.patch.j2:5: division by zero"),
        ("01.patch.j2", "param.level", "link('nix')", "no thread is named 'nix'"),
        ("01.patch.j2", "{{ param.level }}", "{{ param.level", "01.patch.j2:5: unexpected end"),
    ],
)
def test_it_is_refused(
    made: tuple[Path, DirectoryTree], name: str, right: str, wrong: str, said: str
) -> None:
    path = made[0] / "one" / name
    text = path.read_text()
    assert right in text
    path.write_text(text.replace(right, wrong, 1))
    with pytest.raises(UserError) as refused:
        render(Environment(made[0]), made[1], ["one"], {})
    assert said in refused.value.message
    assert str(made[0]) in refused.value.message
