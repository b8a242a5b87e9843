# SPDX-License-Identifier: GPL-2.0-only
"""Mainline's releases from 4.19 on: what the series come to on each, by the forms that it has."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.render.environment import Environment
from dmabuf_patchgen.render.series import attempt
from dmabuf_patchgen.tree.facts import TreeFacts
from dmabuf_patchgen.tree.source import DirectoryTree, Overlay, Tree
from tests import golden
from tests.render.edits import CORE, EXPORTER, HEADER, MAP_INFO, PFNMAP, Files, edited
from tests.render.releases import FORMS, RELEASES, Form, forms_of

#: Releases of the same forms are one tree.
ERAS: dict[tuple[Form, ...], list[str]] = {}
for release in RELEASES:
    ERAS.setdefault(forms_of(release), []).append(release)

DOCUMENT = golden.CHECKOUT / "docs/series.md"
#: A row of the table of docs/series.md: release, tree, and a number of patches for each series.
ROW = re.compile(r"^\| (\d\.\d+) \| .* \| (\d) \| (\d) \| (\d) \|", re.M)


@dataclass(frozen=True)
class Outcome:
    """What all series come to on a tree.

    templates: what was rendered; left_out: by template, why not; files: what they change;
    facts: of the tree after them.
    """

    templates: list[str]
    left_out: dict[str, str]
    messages: list[str]
    files: Files
    facts: TreeFacts

    def has(self, form: Form) -> bool:
        """Whether the series made all that has to come of a form."""
        return all(
            path in self.files and self.facts.contains(code, path)
            for path, code in form.has.items()
        )


def tree_of(root: Path, release: str) -> Tree:
    """The tree that the forms of a release make."""
    return edited(DirectoryTree(root), [edit for form in forms_of(release) for edit in form.edits])


def rendered(root: Path, release: str) -> Outcome:
    """All series, one on top of the other, on a release."""
    tree = tree_of(root, release)
    made = attempt(Environment(), tree, [EXPORTER, PFNMAP, MAP_INFO], {})
    assert made.obstacles == ()
    files: Files = {}
    for commit in made.commits:
        files.update(commit.files)
    return Outcome(
        [one.template for one in made.patches],
        {one.template.removesuffix(".patch.j2"): one.reason for one in made.left_out},
        [" ".join(commit.message.split()) + " " for commit in made.commits],
        files,
        TreeFacts(Overlay(tree, files)),
    )


@pytest.fixture(scope="module", params=[releases[0] for releases in ERAS.values()])
def era(request: pytest.FixtureRequest, linux_612: Path) -> tuple[str, Outcome]:
    """The first release of those that have the same forms."""
    return request.param, rendered(linux_612, request.param)


def test_a_release_is_rendered_as_its_forms_need(era: tuple[str, Outcome]) -> None:
    release, made = era
    forms = forms_of(release)
    for form in forms:
        assert made.has(form), form.has
        for path, code in form.lacks.items():
            assert not made.facts.contains(code, path), (path, code)
        assert any(form.says in message for message in made.messages), form.says
        assert not form.silent or not any(form.silent in message for message in made.messages)
    wanted = {template: said for form in forms for template, said in form.left_out.items()}
    assert made.left_out.keys() == wanted.keys()
    assert [one for one, said in wanted.items() if said not in made.left_out[one]] == []
    assert made.facts.says("The mapping must be VM_PFNMAP", HEADER)
    assert made.facts.contains("case DMA_BUF_IOCTL_INFO: return dma_buf_query_info(", CORE)


def test_a_release_comes_to_what_is_documented_of_a_tree(era: tuple[str, Outcome]) -> None:
    release, made = era
    own = [template.partition("/")[0] for template in made.templates]
    # Each of the two begins with the patch that both share.
    counts = (1 + own.count(PFNMAP), 1 + own.count(MAP_INFO), own.count(EXPORTER))
    text = DOCUMENT.read_text(encoding="utf-8")
    documented = {row[0]: tuple(map(int, row[1:])) for row in ROW.findall(text)}
    for one in ERAS[forms_of(release)]:
        assert documented.get(one, counts) == counts, one


def test_every_release_is_tried_or_told_to_be_none_that_was_had() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    tried = {row[0] for row in ROW.findall(text)}
    (untried,) = re.findall(r"No tree was had of ([\d., and]+)[:;]", text)
    assert tried | set(re.findall(r"\d\.\d+", untried)) == set(RELEASES)
    assert len(RELEASES) == 46


def test_a_form_is_told_from_the_reference_tree(linux_612: Path) -> None:
    """What has to come of another form does not come of the reference tree as it is."""
    made = rendered(linux_612, "6.12")
    others = [form for form in FORMS if form.edits and form.has and not form.is_in("6.12")]
    assert [form.has for form in others if made.has(form)] == []


@pytest.mark.parametrize("release", ["5.11", "6.13"])
def test_mappings_are_refused_where_mmap_can_fail_then(release: str, linux_612: Path) -> None:
    made = attempt(Environment(), tree_of(linux_612, release), [PFNMAP], {"severity": "refuse"})
    assert made.obstacles == ()
    with pytest.raises(UserError, match="needs mmap_error_puts_vm_file"):
        attempt(Environment(), tree_of(linux_612, "5.10"), [PFNMAP], {"severity": "refuse"})
