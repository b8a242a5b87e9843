# SPDX-License-Identifier: GPL-2.0-only
"""Series that stand on others: brought in before them, once, and told."""

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.kernel import architecture as architectures
from dmabuf_patchgen.kernel.configuration import requests
from dmabuf_patchgen.render import catalogue, harness
from dmabuf_patchgen.render.environment import Environment
from dmabuf_patchgen.render.outcome import Refused
from dmabuf_patchgen.render.series import attempt, render
from dmabuf_patchgen.render.survey import Verdict, survey
from dmabuf_patchgen.tree.source import DirectoryTree, Overlay, Tree
from tests import tiny
from tests.conftest import Cli

UAPI = "include/uapi/linux/dma-buf.h"
#: Who requires whom: top stands on both sides, which stand on the ground.
DIAMOND = {"top": ["left", "right"], "left": ["ground"], "right": ["ground"], "ground": []}


def files(required: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Templates of series that each add a #define of their name."""
    found = {}
    for name, others in required.items():
        found[f"{name}/series.toml"] = (
            f'title = "dma-buf: {name}"\nsummary = "x"\nrevised = 2026-01-02T00:00:00Z\n'
            f"requires = {json.dumps(list(others))}\n"
            '[parameters.loud]\ntype = "bool"\nhelp = "loudly"\ndefault = false\n'
            f'[[patch]]\ntemplate = "{name}/01.patch.j2"\n'
        )
        found[f"{name}/01.patch.j2"] = (
            f"dma-buf: {name}{{{{ '!' if param.loud }}}}\n\n--- {UAPI}\n"
            f"@@ after last #define DMA_BUF_* @@\n+#define DMA_BUF_{name.upper()} 1\n"
        )
    return found


@pytest.fixture
def diamond(tmp_path: Path) -> Environment:
    return tiny.environment(tmp_path / "templates", files(DIAMOND))


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return DirectoryTree(tiny.tree(tmp_path / "tree"))


def test_what_is_required_comes_before_and_once(diamond: Environment, tree: Tree) -> None:
    made = render(diamond, tree, ["top"], {"loud": "yes"})
    assert made.series == ("ground", "left", "right", "top")
    assert [commit.subject for commit in made.commits] == [
        f"dma-buf: {name}!" for name in made.series
    ]
    assert made.brought == {
        "ground": ("left", "right"), "left": ("top",), "right": ("top",),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("names", "order"),
    [
        # Who asks for both gets them in the order in which they can be.
        (["left", "ground"], ["ground", "left"]),
        (["ground", "left"], ["ground", "left"]),
        # What stands by itself stays where it was asked for.
        (["toy", "left"], ["toy", "ground", "left"]),
        (["right", "left"], ["ground", "right", "left"]),
        (["ground"], ["ground"]),
    ],
)
def test_what_was_asked_for_is_brought_by_nobody(
    names: list[str], order: list[str], diamond: Environment, tree: Tree
) -> None:
    made = render(diamond, tree, names, {})
    assert list(made.series) == order
    assert set(made.brought) == set(order) - set(names)


def test_what_the_tree_has_of_it_is_left_out(diamond: Environment, tree: Tree) -> None:
    (commit,) = render(diamond, tree, ["ground"], {}).commits
    made = render(diamond, Overlay(tree, dict(commit.files)), ["left"], {})
    assert [commit.subject for commit in made.commits] == ["dma-buf: left"]
    assert [(one.series, one.reason) for one in made.left_out] == [
        ("ground", "the tree already has it")
    ]


def test_one_that_does_not_fit_is_in_the_way_of_what_stands_on_it(
    diamond: Environment, tree: Tree
) -> None:
    body = tree.read(UAPI) + b"#define DMA_BUF_GROUND 2\n"
    other = Overlay(tree, {UAPI: body})
    assert [one.series for one in attempt(diamond, other, ["left"], {}).obstacles] == ["ground"]
    with pytest.raises(Refused):
        render(diamond, other, ["left"], {})
    (found,) = survey(diamond, other, ["left"], {})
    assert (found.verdict, len(found.patches)) == (Verdict.REFUSED, 1)
    assert found.as_dict()["obstacles"][0]["series"] == "ground"


def test_a_series_is_surveyed_on_what_it_requires(diamond: Environment, tree: Tree) -> None:
    found = {one.name: one for one in survey(diamond, tree, [], {"loud": "yes"})}
    assert {name: list(one.requires) for name, one in found.items()} == {
        "ground": [], "left": ["ground"], "right": ["ground"], "top": ["ground", "left", "right"],
        "toy": [],
    }  # fmt: skip
    # Only what is its own counts, and below it are those of the others.
    assert [one.commit.subject for one in found["top"].patches] == ["dma-buf: top!"]
    assert found["top"].as_dict()["requires"] == ["ground", "left", "right"]
    assert "  on top of ground, left, right, which it requires" in found["top"].lines()
    assert not any("on top of" in line for line in found["ground"].lines())


@pytest.mark.parametrize(
    ("required", "said"),
    [
        ({"one": ["two"]}, r"one/series\.toml: requires 'two', and no series is named so"),
        ({"one": ["one"]}, r"one/series\.toml: .* cannot stand on itself: one requires one$"),
        (
            {"one": ["two"], "two": ["three"], "three": ["two"]},
            r"three/series\.toml: .* cannot stand on itself: two requires three requires two$",
        ),
    ],
)
def test_what_cannot_be_brought_in_is_refused_by_name(
    required: dict[str, list[str]], said: str, tmp_path: Path, tree: Tree
) -> None:
    environment = tiny.environment(tmp_path / "templates", files(required))
    with pytest.raises(UserError) as error:
        render(environment, tree, ["one"], {})
    assert re.search(said, error.value.message)
    # The control: what does not need it can be had.
    assert len(render(environment, tree, ["toy"], {}).commits) == 2


@pytest.mark.parametrize("value", ['"ground"', "[1]", "{}"])
def test_requires_is_a_list_of_names(value: str, tmp_path: Path) -> None:
    wrong = files({"one": []})
    wrong["one/series.toml"] = wrong["one/series.toml"].replace(
        "requires = []", f"requires = {value}"
    )
    environment = tiny.environment(tmp_path / "templates", wrong)
    with pytest.raises(UserError, match="requires has to be a list of series"):
        catalogue.load(environment, "one")


@given(st.dictionaries(st.sampled_from("abcde"), st.sets(st.sampled_from("abcde"), max_size=3)))
def test_any_series_stand_in_an_order_or_on_themselves(found: dict[str, set[str]]) -> None:
    required = {name: sorted(found.get(name, ())) for name in "abcde"}
    with tempfile.TemporaryDirectory() as root:
        environment = tiny.environment(Path(root), files(required))
        try:
            TopologicalSorter(required).prepare()
        except CycleError:
            with pytest.raises(UserError, match="cannot stand on itself"):
                catalogue.stacked(environment, list(required))
            return
        order = [one.name for one in catalogue.stacked(environment, list(required))]
    assert sorted(order) == sorted(required)
    for name, others in required.items():
        assert all(order.index(other) < order.index(name) for other in others)


def test_the_harness_and_the_configuration_have_it_as_well(diamond: Environment) -> None:
    done = harness.series("left", {UAPI: tiny.FILES[UAPI].decode()}, diamond)
    assert "#define DMA_BUF_GROUND 1\n" in done.after[UAPI] and done.refused == ()
    tiny.write(
        diamond.root,
        {"ground/kernel.config": "CONFIG_GROUND=y\n", "common/kselftest.config": ""},
    )
    architecture = architectures.here().chosen()
    wanted = {
        name: {
            symbol.name for one in requests(diamond, [name], architecture) for symbol in one.choices
        }
        for name in ("left", "toy")
    }
    assert wanted["left"] - wanted["toy"] == {"GROUND"}


def test_the_verbs_tell_it(cli: Cli, tmp_path: Path) -> None:
    run = tiny.toy(cli, tmp_path / "toy", files({"one": ["two"], "two": []}))
    tree = tiny.tree(tmp_path / "linux")

    assert "one                    dma-buf: one (requires two)\n" in run("list").stdout
    listed = {one["name"]: one["requires"] for one in json.loads(run("list", "--json").stdout)}
    assert listed == {"one": ["two"], "two": [], "toy": []}
    assert "\nRequires: two\n" in run("show", "one").stdout
    assert "Requires" not in run("show", "two").stdout
    assert json.loads(run("show", "one", "--json").stdout)["requires"] == ["two"]

    out = tmp_path / "out"
    said = run("-C", tree, "render", "one", "-o", out).stdout.splitlines()
    assert said[1:5] == [
        "series two, which one requires: loud=no",
        "series one: loud=no",
        "  0001 dma-buf: two",
        "  0002 dma-buf: one",
    ]
    assert json.loads((out / "series.json").read_text())["brought"] == {"two": ["one"]}
    shown = run("-C", tree, "render", "one", "--diff")
    assert "with series two, which one requires\n" in shown.stderr
    assert "which one requires" not in shown.stdout
    # The control: what was asked for is not told to be brought.
    assert "requires" not in run("-C", tree, "render", "two", "one", "--diff").stderr
