# SPDX-License-Identifier: GPL-2.0-only
"""What series come to: hunks that a tree does not need, and all that is in the way at once."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.render.outcome import Refused, Rendered
from dmabuf_patchgen.render.series import attempt, render
from dmabuf_patchgen.tree.source import DirectoryTree, Overlay, Tree
from tests import tiny

CHECK, HEAP, IOCTL = (f"toy/{name}.patch.j2" for name in ("01-check", "02-heap", "03-ioctl"))
DMA_BUF = "drivers/dma-buf/dma-buf.c"
UAPI = "include/uapi/linux/dma-buf.h"
IGNORE = """\
dma-buf: ignore the toy

--- drivers/dma-buf/dma-toy.c
@@ new file @@
+int dma_toy;
--- drivers/dma-buf/.gitignore
@@ sorted lines @@ optional: the tree ignores nothing there
+/dma-toy.o
"""


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return DirectoryTree(tiny.tree(tmp_path / "tree"))


def toy(tmp_path: Path, on: Tree, changed: Mapping[str, str] | None = None) -> Rendered:
    return attempt(tiny.environment(tmp_path / "t", changed), on, ["toy"], {})


def test_an_optional_hunk_whose_file_is_not_there(tmp_path: Path, tree: Tree) -> None:
    rendered = toy(tmp_path, tree, {CHECK: IGNORE})
    assert list(rendered.commits[0].files) == ["drivers/dma-buf/dma-toy.c"]
    left = rendered.left_out[0]
    assert (left.template, left.path, left.place) == (
        CHECK, "drivers/dma-buf/.gitignore", "sorted lines",
    )  # fmt: skip
    assert left.reason == "the tree ignores nothing there"
    assert rendered.obstacles == ()


def test_an_optional_hunk_whose_file_is_there(tmp_path: Path, tree: Tree) -> None:
    have = Overlay(tree, {"drivers/dma-buf/.gitignore": b"/a.o\n"})
    rendered = toy(tmp_path, have, {CHECK: IGNORE})
    assert rendered.commits[0].files["drivers/dma-buf/.gitignore"] == b"/a.o\n/dma-toy.o\n"
    assert [left.template for left in rendered.left_out] == [HEAP]


def test_the_same_hunk_without_the_word_is_an_obstacle(tmp_path: Path, tree: Tree) -> None:
    plain = IGNORE.replace(" optional: the tree ignores nothing there", "")
    rendered = toy(tmp_path, tree, {CHECK: plain})
    (obstacle,) = rendered.obstacles
    assert obstacle.said == "drivers/dma-buf/.gitignore: the tree has no such file"


def test_a_patch_of_nothing_but_hunks_that_are_left_out(tmp_path: Path, tree: Tree) -> None:
    text = (
        "dma-buf: say it\n\n--- a\n@@ file @@ left out: there is no a\n"
        "--- b\n@@ end of file @@ optional: there is no b\n+b\n"
    )
    rendered = toy(tmp_path, tree, {CHECK: text})
    assert [patch.template for patch in rendered.patches] == [IOCTL]
    first = rendered.left_out[0]
    assert (first.template, first.subject, first.path) == (CHECK, "dma-buf: say it", "")
    assert first.reason == "there is no a; there is no b"


def test_a_tree_that_has_all_but_what_it_does_not_need(tmp_path: Path, tree: Tree) -> None:
    have = Overlay(tree, {"drivers/dma-buf/dma-toy.c": b"int dma_toy;\n"})
    rendered = toy(tmp_path, have, {CHECK: IGNORE})
    assert rendered.left_out[0].reason == "the tree already has it"
    assert rendered.obstacles == ()


def test_a_remark_is_told_where_the_hunk_applies(tmp_path: Path, tree: Tree) -> None:
    text = tiny.TEMPLATES[CHECK].replace("@@ new file @@", "@@ new file @@ told: it is a toy")
    (remark,) = toy(tmp_path, tree, {CHECK: text}).remarks
    assert (remark.template, remark.path, remark.said) == (
        CHECK, "drivers/dma-buf/dma-toy.c", "it is a toy",
    )  # fmt: skip
    have = Overlay(tree, dict(toy(tmp_path, tree).commits[0].files))
    assert toy(tmp_path, have, {CHECK: text}).remarks == ()


def test_a_hunk_that_is_left_out_has_no_lines(tmp_path: Path, tree: Tree) -> None:
    text = "dma-buf: say it\n\n--- a\n@@ file @@ left out: there is no a\n+a\n"
    with pytest.raises(UserError, match="a hunk that is left out has no lines"):
        toy(tmp_path, tree, {CHECK: text})


def test_every_obstacle_is_told_at_once(tmp_path: Path, tree: Tree) -> None:
    body = tiny.DMA_BUF_C.replace(b"int dma_buf_mmap(", b"int dma_buf_mmap2(")
    odd = Overlay(
        tree,
        {
            DMA_BUF: body.replace(b"\tdefault:\n", b"\tcase ~0:\n"),
            UAPI: None,
            "drivers/dma-buf/dma-toy.c": b"int mine;\n",
        },
    )
    rendered = toy(tmp_path, odd)
    assert rendered.patches == ()
    assert [(one.template, one.path, one.place) for one in rendered.obstacles] == [
        (CHECK, DMA_BUF, "function dma_buf_mmap, before dmabuf->ops->mmap(dmabuf, vma)"),
        (CHECK, "drivers/dma-buf/dma-toy.c", "new file"),
        (IOCTL, UAPI, "after last #define DMA_BUF_*"),
        (IOCTL, DMA_BUF, "function dma_buf_ioctl, switch (cmd), before default"),
    ]
    # What is refused in a file that another patch should have changed may be no fault of its own.
    assert [one.after for one in rendered.obstacles] == ["", "", "", "dma-buf: check the flags"]

    with pytest.raises(Refused) as error:
        render(tiny.environment(tmp_path / "t"), odd, ["toy"], {})
    assert error.value.message == "toy: 4 obstacles in 2 of 2 patches"
    assert len(error.value.details) == 4
    assert error.value.details[0].startswith(
        f"1. 'dma-buf: check the flags': {DMA_BUF}: function dma_buf_mmap is not there; see "
    )


def test_what_fits_is_tried_on_what_fits_of_a_patch_that_does_not(
    tmp_path: Path, tree: Tree
) -> None:
    have = Overlay(tree, {"drivers/dma-buf/dma-toy.c": b"int mine;\n"})
    rendered = toy(tmp_path, have)
    assert [patch.template for patch in rendered.patches] == [IOCTL]
    body = rendered.commits[0].files[DMA_BUF]
    assert body and b"VM_SHARED" in body
    assert [one.template for one in rendered.obstacles] == [CHECK]


def test_a_reason_may_depend_on_the_tree(tmp_path: Path, tree: Tree) -> None:
    series = tiny.TEMPLATES["toy/series.toml"].replace(
        'unless = "the tree has no heap"',
        "unless = \"{{ 'no heap' if not fact.heap }} of {{ tree.version }}\"",
    )
    rendered = toy(tmp_path, tree, {"toy/series.toml": series})
    assert rendered.left_out[0].reason == "no heap of 6.12.9-rc1"
