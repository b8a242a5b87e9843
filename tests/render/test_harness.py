# SPDX-License-Identifier: GPL-2.0-only
"""The harness for authors of templates, on this project's own templates and a small series."""

from pathlib import Path

import pytest

from dmabuf_patchgen.errors import UserError, Why
from dmabuf_patchgen.render import harness
from tests import tiny

BUFFER = "drivers/dma-buf/dma-buf.c"
CALLERS = """\
static int dma_buf_mmap_internal(struct file *file, struct vm_area_struct *vma)
{
	/* Once: return dmabuf->ops->mmap(dmabuf, vma); */
	return dmabuf->ops->mmap(dmabuf, vma);
}

int dma_buf_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	return dmabuf->ops->mmap(dmabuf, vma);
}
"""
FACTOR = "common/factor-out-mmap.patch.j2"


def test_a_template() -> None:
    done = harness.template(FACTOR, {BUFFER: CALLERS})
    assert done.refused == () and done.message.startswith("dma-buf: factor out")
    assert done.after[BUFFER].count("__dma_buf_mmap(dmabuf, vma);") == 2
    assert "Once: return dmabuf->ops->mmap(dmabuf, vma);" in done.after[BUFFER]


def test_a_template_that_is_there() -> None:
    made = harness.template(FACTOR, {BUFFER: CALLERS}).after
    again = harness.template(FACTOR, made)
    assert again.left_out == ("the tree already has it",) and again.after == made


def test_a_template_that_does_not_fit() -> None:
    """A call that only a comment has is not there."""
    before = CALLERS.replace("	return dmabuf->ops->mmap(dmabuf, vma);\n}\n\nint", "}\n\nint")
    done = harness.template(FACTOR, {BUFFER: before})
    assert done.refused == (Why.MISSING,)
    assert "what line 9 has is no such code, but a comment" in done.said[0]
    assert done.after == {BUFFER: before}
    assert harness.template(FACTOR, {}).refused == (Why.NO_SUCH_FILE,)


def test_a_series_with_parameters(tmp_path: Path) -> None:
    environment = tiny.environment(tmp_path)
    files = {path: body.decode("latin-1") for path, body in tiny.FILES.items()}
    done = harness.series("toy", files, environment, nr="5", loud="yes")
    assert done.refused == ()
    assert "_IO(DMA_BUF_BASE, 5)" in done.after["include/uapi/linux/dma-buf.h"]
    with pytest.raises(UserError, match="number 0 is taken by"):
        harness.series("toy", files, environment, nr="0")


def test_a_template_that_no_series_has() -> None:
    with pytest.raises(UserError, match=r"no series has a template 'nix\.j2'"):
        harness.template("nix.j2", {})
