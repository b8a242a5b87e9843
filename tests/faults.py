# SPDX-License-Identifier: GPL-2.0-only
"""A series in which every check has something to find, and a commit in which none has."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests import repos

Edit = Callable[[str], str]
#: Subject of a commit -> what it does to each file.
Series = Mapping[str, Mapping[str, Edit]]

TESTS = "tools/testing/selftests/drivers/dma-buf"
CLEAN = "dma-buf: use a helper for the last page of a mapping"
FAULTY = "dma-buf: do everything wrong at once"
BROKEN = "dma-buf: sync_file: call what is not there"
REPAIRED = "dma-buf: sync_file: no longer call what is not there"
FORGOTTEN = "dma-buf: add files that no Makefile knows"

_BODY = """
So that a check has something to look at, which is the only reason
for this change.

Signed-off-by: A. Developer <developer@example.org>
"""

_HELPER = """static unsigned long dma_buf_last_page(struct vm_area_struct *vma)
{
	return vma->vm_pgoff + vma_pages(vma);
}

"""

_TEST = """// SPDX-License-Identifier: GPL-2.0-only
/* A test that only has to compile, and has one parameter too many. */
#include "../../kselftest_harness.h"

static int four(int unneeded)
{
	return 4;
}

TEST(number)
{
	EXPECT_EQ(four(0), 4);
}

TEST_HARNESS_MAIN
"""


def before(anchor: str, text: str) -> Edit:
    """Insert text before the first place of an anchor, which must be there."""

    def edit(body: str) -> str:
        assert anchor in body
        return body.replace(anchor, text + anchor, 1)

    return edit


def replaced(old: str, new: str) -> Edit:
    """Replace the first place of some text, which must be there."""

    def edit(body: str) -> str:
        assert old in body
        return body.replace(old, new, 1)

    return edit


def new(text: str) -> Edit:
    """A new file."""
    return lambda _: text


def _clean(body: str) -> str:
    body = before("static int dma_buf_mmap_internal(", _HELPER)(body)
    return replaced("if (vma->vm_pgoff + vma_pages(vma) >", "if (dma_buf_last_page(vma) >")(body)


SERIES: Series = {
    CLEAN: {"drivers/dma-buf/dma-buf.c": _clean},
    FAULTY: {
        # checkpatch: trailing white space.
        "drivers/dma-buf/dma-buf.c": replaced(
            "	return vma->vm_pgoff + vma_pages(vma);\n",
            "	return vma_pages(vma) + vma->vm_pgoff; \n",
        ),
        # kernel-doc: a parameter that is not described. checkpatch: CHECK, so --strict.
        "include/linux/dma-buf.h": before(
            "#endif /* __DMA_BUF_H__ */",
            "/**\n * dma_buf_one() - the number one\n * @a: not used\n *\n * Return: one.\n */\n"
            "static inline int dma_buf_one(void *a, int b)\n{\n	return a == NULL;\n}\n\n",
        ),
        # The compiler, and only with W=1: set but not used.
        "drivers/dma-buf/udmabuf.c": before(
            "static int mmap_udmabuf(",
            "static void udmabuf_forget(int value)\n{\n	int kept;\n\n	kept = value;\n}\n\n"
            "static void (*udmabuf_hook)(int) __used = udmabuf_forget;\n\n",
        ),
        # The same in a file that kbuild must be asked for.
        "lib/cmdline.c": before(
            "static int get_range(",
            "static void cmdline_forget(int value)\n{\n	int kept;\n\n	kept = value;\n}\n\n"
            "static void (*cmdline_hook)(int) __used = cmdline_forget;\n\n",
        ),
        # sparse: an address of userspace taken for one of the kernel's.
        "drivers/dma-buf/dma-heap.c": before(
            "static int dma_heap_open(",
            "static int dma_heap_peek(int __user *from)\n{\n	int *to = from;\n\n"
            "	return *to;\n}\n\n"
            "static int (*dma_heap_hook)(int __user *) __used = dma_heap_peek;\n\n",
        ),
        # kselftest: a parameter that is not used, which only -Wextra tells.
        f"{TESTS}/number.c": new(_TEST),
        f"{TESTS}/Makefile": replaced(":= udmabuf", ":= udmabuf number"),
    },
    BROKEN: {
        "drivers/dma-buf/sync_file.c": before(
            "static struct sync_file *sync_file_alloc(",
            "static void *sync_file_none(void)\n{\n	return sync_file_is_not_there();\n}\n\n"
            "static void *(*sync_file_hook)(void) __used = sync_file_none;\n\n",
        ),
    },
    REPAIRED: {
        "drivers/dma-buf/sync_file.c": replaced("sync_file_is_not_there()", "NULL"),
        # Lines move, and what FAULTY left is still said: it was said before, too.
        "drivers/dma-buf/udmabuf.c": before(
            "static void udmabuf_forget(", "/* A comment that moves lines. */\n"
        ),
        "drivers/dma-buf/dma-heap.c": before(
            "static int dma_heap_peek(", "/* A comment that moves lines. */\n"
        ),
        f"{TESTS}/number.c": before("static int four(", "/* A comment. */\n"),
        "lib/cmdline.c": before("static void cmdline_forget(", "/* A comment. */\n"),
        # Kconfig is read anew; with input from nowhere it must not ask.
        "drivers/dma-buf/Kconfig": before(
            "config DMABUF_DEBUG\n",
            'config DMABUF_NOTHING\n	bool "A symbol that does nothing"\n	help\n'
            "	  A symbol that is there so that the configuration is read anew,\n"
            "	  and whose help is long enough for what checkpatch asks of help\n"
            "	  texts, which is four lines.\n	  Say N.\n\n",
        ),
    },
    FORGOTTEN: {
        "drivers/dma-buf/forgotten.c": new(
            "// SPDX-License-Identifier: GPL-2.0-only\nint dma_buf_forgotten;\n"
        ),
        f"{TESTS}/forgotten.c": new(
            "// SPDX-License-Identifier: GPL-2.0-only\nint main(void)\n{\n	return 0;\n}\n"
        ),
        "tools/testing/selftests/Makefile": before(
            "TARGETS += drivers/dma-buf\n", "TARGETS += drivers/nowhere\n"
        ),
    },
}


def commit(repo: Path, series: Series) -> Sequence[str]:
    """Commit a series on what is checked out; the ids of its commits."""
    ids = []
    for subject, edits in series.items():
        for name, edit in edits.items():
            path = repo / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(edit(path.read_text() if path.exists() else ""))
        repos.git(repo, "add", "--force", "--", *edits)
        repos.git(
            repo, "-c", "user.name=A. Developer", "-c", "user.email=developer@example.org",
            "commit", "-q", "-F", "-", stdin=f"{subject}\n{_BODY}".encode(),
        )  # fmt: skip
        ids.append(repos.git(repo, "rev-parse", "HEAD").strip())
    return ids
