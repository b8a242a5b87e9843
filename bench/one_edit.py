# SPDX-License-Identifier: GPL-2.0-only
"""One edit of one place of a C file, as a process: `python -m bench.one_edit FILE`."""

import sys
from pathlib import Path

from dmabuf_patchgen.render import edit
from dmabuf_patchgen.render.patch_text import parse

PATCH = """call __dma_buf_mmap()

--- drivers/dma-buf/dma-buf.c
@@ function dma_buf_mmap @@
-dmabuf->ops->mmap(dmabuf, vma)
+__dma_buf_mmap(dmabuf, vma)
"""
#: The same for Coccinelle.
COCCI = """@@
expression dmabuf, vma;
@@
dma_buf_mmap(...)
{
<...
- dmabuf->ops->mmap(dmabuf, vma)
+ __dma_buf_mmap(dmabuf, vma)
...>
}
"""

if __name__ == "__main__":
    hunk = parse("bench", PATCH).hunks[0]
    sys.stdout.buffer.write(edit.apply(hunk, Path(sys.argv[1]).read_bytes()).body)
