# SPDX-License-Identifier: GPL-2.0-only
"""A C file as a whole."""

from pathlib import Path

from dmabuf_patchgen.tree import kernel_doc, labels
from dmabuf_patchgen.tree.c import parse
from dmabuf_patchgen.tree.tokens import line_number
from tests.tree.parsed import only, text


def test_a_function_defined_twice_under_ifdef() -> None:
    c = parse(
        b"#ifdef CONFIG_DEBUG_FS\nstatic int setup(void)\n{\n\treturn 1;\n}\n"
        b"#else\nstatic inline int setup(void)\n{\n\treturn 0;\n}\n#endif\n"
    )
    assert [line_number(c.body, d.span.start) for d in c.named("function", "setup")] == [2, 7]
    assert c.defined_more_than_once() == {("function", "setup"): 2}


def test_what_may_be_declared_twice_is_not_defined_twice() -> None:
    c = parse(b"struct a;\nstruct a;\nint f(void);\nint f(void);\nextern int x;\nint x;\n")
    assert c.defined_more_than_once() == {}


def test_includes() -> None:
    c = parse(
        b'/* x */\n#include <linux/mm.h>\n#include "own.h"\n#ifdef A\n#include <a.h>\n#endif\n'
    )
    assert [name for name, _ in c.includes()] == ["<linux/mm.h>", '"own.h"']


def test_the_real_thing(linux_612: Path) -> None:
    c = parse((linux_612 / "drivers/dma-buf/dma-buf.c").read_bytes())
    for name in ("dma_buf_mmap_internal", "dma_buf_mmap", "dma_buf_export", "dma_buf_ioctl"):
        assert text(c, only(c, "function", name).span).endswith("\n}")
    found = [name for name, _ in labels.of_switch(c, only(c, "function", "dma_buf_ioctl"), "cmd")]
    assert found[0] == "case DMA_BUF_IOCTL_SYNC" and found[-1] == "default"
    assert len(kernel_doc.describing(c, "DOC: cpu access")) == 1
