# SPDX-License-Identifier: GPL-2.0-only
"""Trees as people have them: the reference tree with edits, and what comes of each, by hand."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.render.environment import Environment, Facts
from dmabuf_patchgen.render.outcome import Rendered
from dmabuf_patchgen.render.series import attempt
from dmabuf_patchgen.tree.facts import TreeFacts
from dmabuf_patchgen.tree.source import DirectoryTree, Overlay, Tree
from tests import tiny
from tests.render.edits import (
    CMA,
    CORE,
    DIRECTORY,
    EXPORTER,
    HEADER,
    HEAPS,
    KSELFTEST,
    MAP_INFO,
    PFNMAP,
    SYSTEM,
    TABLE,
    UDMABUF,
    Edit,
    Files,
    put,
    sub,
    udmabuf,
    without,
)  # fmt: skip

#: An exporter of a vendor's own.
VENDOR = b"""\
// SPDX-License-Identifier: GPL-2.0
#include <linux/dma-buf.h>

static struct dma_buf *rk_export(struct dma_buf_export_info *exp_info)
{
	return dma_buf_export(exp_info);
}
"""


def built(line: bytes) -> Edit:
    """The Makefile of the heaps, and two exporters that are not mainline's."""

    def edit(tree: Tree) -> Files:
        path = f"{HEAPS}/Makefile"
        return {
            path: tree.read(path).replace(b"+= system_heap.o", b"+= " + line),
            f"{HEAPS}/rk_system_heap.c": VENDOR,
            f"{HEAPS}/samsung/Makefile": b"obj-$(CONFIG_S) += samsung_heap.o\n",
            f"{HEAPS}/samsung/samsung_heap.c": VENDOR,
        }

    return edit


def kabi(macro: bytes, end: bytes, *, usable: bool = True) -> Edit:
    """Two structs with reserved slots, and the header of the macros."""

    def edit(tree: Tree) -> Files:
        slot = b"\n\t%s_RESERVE(1)%s\n\t%s_RESERVE(2)%s\n" % (macro, end, macro, end)
        body = tree.read(HEADER)
        for struct in (b"dma_buf", b"dma_buf_export_info"):
            body = re.sub(
                rb"(\nstruct %s \{.*?\n)(\};\n)" % struct,
                lambda m: m[1] + slot + m[2], body, count=1, flags=re.S,
            )  # fmt: skip
        body = body.replace(
            b"#include <linux/err.h>\n", b"#include <linux/err.h>\n#include <linux/kabi.h>\n"
        )
        uses = b"#define %s_USE(n, new) new\n" % macro if usable else b""
        return {HEADER: body, "include/linux/kabi.h": b"#define %s_RESERVE(n)\n" % macro + uses}

    return edit


@dataclass(frozen=True)
class Case:
    """A tree and what comes of it.

    left_out: by the end of a template's name, a part of the reason for which it is left out;
    has, lacks: tokens that a file has after the series, or lacks; told: parts of remarks.
    """

    edits: tuple[Edit, ...]
    series: str = MAP_INFO
    left_out: Mapping[str, str] = field(default_factory=dict)
    has: Mapping[str, str] = field(default_factory=dict)
    lacks: Mapping[str, str] = field(default_factory=dict)
    told: tuple[str, ...] = ()
    typed: Mapping[str, str] = field(default_factory=dict)


CASES = {
    "a vendor's heap beside the unused original": Case(
        (built(b"rk_system_heap.o"),),
        left_out={"04-system-heap": "the tree has system_heap.c and does not build it"},
        lacks={SYSTEM: "map_info"},
        has={CMA: "exp_info.map_info = DMA_BUF_MAP_INCOHERENT;"},
    ),
    "a vendor's heaps in a directory of their own": Case(
        (built(b"system_heap.o samsung/"),),
        has={SYSTEM: "exp_info.map_info = DMA_BUF_MAP_INCOHERENT;"},
    ),
    "the check names what a vendor builds": Case(
        (built(b"system_heap.o samsung/"),),
        PFNMAP,
        told=(f"not looked at: {HEAPS}/samsung/samsung_heap.c",),
    ),
    "old heap helpers left lying": Case(
        (put({f"{HEAPS}/heap-helpers.c": b"int dma_heap_mmap(void)\n{\n\treturn 0;\n}\n"}),),
        left_out={"03-heap-helpers": "has heap helpers and builds none"},
        has={SYSTEM: "exp_info.map_info = DMA_BUF_MAP_INCOHERENT;"},
    ),
    "a system heap with an uncached kind": Case(
        (
            sub(
                SYSTEM,
                rb"\tstruct sg_page_iter piter;\n\tint ret;\n",
                b"""\
	struct sg_page_iter piter;
	int ret;

	if (buffer->uncached)
		vma->vm_page_prot = pgprot_writecombine(vma->vm_page_prot);
""",
            ),
        ),
        has={SYSTEM: "exp_info.map_info = buffer->uncached ? DMA_BUF_MAP_COHERENT_WC :"},
    ),
    "a system heap that is mapped in another way": Case(
        (
            sub(
                SYSTEM,
                rb"\tstruct sg_page_iter piter;\n\tint ret;\n",
                b"""\
	struct sg_page_iter piter;
	int ret;

	vma->vm_page_prot = pgprot_noncached(vma->vm_page_prot);
""",
            ),
        ),
        left_out={"04-system-heap": "in no way that is known, so nothing is claimed"},
        lacks={SYSTEM: "map_info"},
    ),
    "a CMA heap that is mapped write-combined": Case(
        (
            sub(
                CMA,
                rb"(static int cma_heap_mmap[^{]*\{)",
                b"""\
static int cma_heap_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	vma->vm_page_prot = pgprot_writecombine(vma->vm_page_prot);
""",
            ),
        ),
        left_out={"05-cma-heap": "in no way that is known"},
    ),
    "no CMA heap": Case((put({CMA: None}),), left_out={"05-cma-heap": "the tree has no CMA heap"}),
    "no udmabuf": Case((put({UDMABUF: None}),), left_out={"06-udmabuf": "the tree has no udmabuf"}),
    "udmabuf without a bound": Case(
        (udmabuf(b"", b"vmf->pgoff"),),
        PFNMAP,
        has={UDMABUF: "page_to_pfn(ubuf->pages[vmf->pgoff])"},
        lacks={UDMABUF: "get_page("},
    ),
    "udmabuf with a bound": Case(
        (
            udmabuf(
                b"\tpgoff_t pgoff = vmf->pgoff;\n\n\tif (pgoff >= ubuf->pagecount)\n"
                b"\t\treturn VM_FAULT_SIGBUS;\n",
                b"pgoff",
            ),
        ),
        PFNMAP,
        has={UDMABUF: "page_to_pfn(ubuf->pages[pgoff])"},
        lacks={UDMABUF: "get_page("},
    ),
    "a harness without variants": Case(
        (sub(f"{KSELFTEST}/kselftest_harness.h", rb"FIXTURE_VARIANT\b", b"FIXTURE_KIND"),),
        left_out={
            "08-kselftest": "FIXTURE_VARIANT() in kselftest_harness.h",
            "09-kselftest-exporter": "FIXTURE_VARIANT() in kselftest_harness.h",
        },
    ),
    "uapi headers without io_uring": Case(
        (put({"include/uapi/linux/io_uring.h": None}),),
        PFNMAP,
        left_out={
            "06-kselftest": "linux/io_uring.h",
            "07-kselftest-exporter": "linux/io_uring.h",
        },
    ),
    "no .gitignore": Case(
        (put({f"{KSELFTEST}/drivers/.gitignore": None}),),
        left_out={f"{KSELFTEST}/drivers/.gitignore": "the tree has no .gitignore"},
        has={f"{DIRECTORY}/Makefile": "dma-buf-map-info-claims"},
    ),
    "no kselftests of dma-buf": Case(
        (without(DIRECTORY), sub(f"{KSELFTEST}/Makefile", rb"TARGETS \+= drivers/dma-buf\n", b"")),
        has={
            f"{DIRECTORY}/Makefile": "TEST_GEN_PROGS := dma-buf-map-info dma-buf-map-info-claims",
            f"{DIRECTORY}/config": "CONFIG_UDMABUF=y",
            f"{KSELFTEST}/Makefile": "TARGETS += drivers/dma-buf TARGETS += drivers/s390x/uvdevice",
        },
    ),
    "no tools": Case(
        (without(KSELFTEST),),
        PFNMAP,
        left_out={
            "06-kselftest": "lacks what they are written with: tools/testing/selftests",
            "07-kselftest-exporter": "tools/testing/selftests",
        },
    ),
    "no kselftests wanted": Case(
        (),
        PFNMAP,
        left_out={
            "06-kselftest": "kselftests=no",
            "07-kselftest-exporter": "kselftests=no",
        },
        typed={"kselftests": "no"},
    ),
    "the table of ioctl numbers where it was in 5.4": Case(
        (
            lambda tree: {
                TABLE: None,
                "Documentation/ioctl/ioctl-number.rst": re.sub(
                    rb"[^\n]*linux/dma-buf\.h[^\n]*\n(?: +<mailto:[^\n]*\n)?", b"", tree.read(TABLE)
                ),
            },
        ),
        has={"Documentation/ioctl/ioctl-number.rst": "'b' 00-0F linux/dma-buf.h conflict!"},
    ),
    "the table of ioctl numbers where it was in 4.19": Case(
        (
            put(
                {
                    TABLE: None,
                    "Documentation/ioctl/ioctl-number.txt": (
                        b"'b'\t00-FF\t\t\t\tconflict! bit3 vme host bridge\n"
                        b"\t\t\t\t\t<mailto:natalia@nikhefk.nikhef.nl>\n"
                    ),
                }
            ),
        ),
        has={"Documentation/ioctl/ioctl-number.txt": "'b' 00-0F linux/dma-buf.h conflict!"},
    ),
    "no table of ioctl numbers": Case(
        (put({TABLE: None}),), left_out={TABLE: "the tree has no table of ioctl numbers"}
    ),
    "a table without the row beside which it goes": Case(
        (put({TABLE: b"Ioctl Numbers\n=============\n"}),),
        left_out={TABLE: "has no row beside which this one would go"},
    ),
    "slots as Android reserves them": Case(
        (kabi(b"ANDROID_KABI", b";"),),
        has={HEADER: "ANDROID_KABI_USE(1, enum dma_buf_map_info map_info);"},
        told=(
            "takes ANDROID_KABI_RESERVE(1) of struct dma_buf,",
            "takes ANDROID_KABI_RESERVE(1) of struct dma_buf_export_info,",
        ),
    ),
    "slots as Red Hat reserves them": Case(
        (kabi(b"RH_KABI", b""),),
        has={HEADER: "RH_KABI_USE(1, enum dma_buf_map_info map_info) RH_KABI_RESERVE(2)"},
        told=("takes RH_KABI_RESERVE(1) of struct dma_buf,", "of struct dma_buf_export_info,"),
    ),
    "slots that nothing can take": Case(
        (kabi(b"OLD_KABI", b";", usable=False),),
        has={HEADER: "enum dma_buf_map_info map_info;"},
        told=("by a macro that cannot be used here", "map_info changes its layout"),
    ),
    "an exporter has to have a map callback": Case(
        (
            sub(
                CORE,
                rb"\|\| !exp_info->ops->release",
                b"|| !exp_info->ops->map ||\n !exp_info->ops->release",
            ),
        ),
        EXPORTER,
        has={"drivers/dma-buf/dma-buf-test-exporter.c": ".map = test_map,"},
    ),
    "no heaps and no udmabuf in Kconfig and Makefile": Case(
        (
            put(
                {
                    "drivers/dma-buf/Kconfig": (
                        b'menu "DMABUF options"\n\nconfig SYNC_FILE\n\tbool\n\nendmenu\n'
                    ),
                    "drivers/dma-buf/Makefile": (
                        b"obj-y := dma-buf.o\nobj-$(CONFIG_SW_SYNC)\t\t+= sw_sync.o sync_debug.o\n"
                    ),
                }
            ),
        ),
        EXPORTER,
        has={
            "drivers/dma-buf/Kconfig": "config DMABUF_TEST_EXPORTER",
            "drivers/dma-buf/Makefile": "dma-buf-test-exporter.o",
        },
    ),
    "DMA mapping and ioctls as in 4.19": Case(
        (
            sub("include/linux/dma-mapping.h", rb"\bdma_map_sgtable\b", b"dma_map_other"),
            sub("include/linux/fs.h", rb"\bcompat_ptr_ioctl\b", b"compat_other_ioctl"),
        ),
        EXPORTER,
        has={"drivers/dma-buf/dma-buf-test-exporter.c": ".compat_ioctl = test_compat_ioctl,"},
        lacks={"drivers/dma-buf/dma-buf-test-exporter.c": "dma_map_sgtable"},
    ),
    "no vmf_insert_pfn()": Case(
        (sub("include/linux/mm.h", rb"\bvmf_insert_pfn\b", b"vm_insert_pfn"),),
        EXPORTER,
        left_out={"01-test-exporter": "no vmf_insert_pfn()"},
    ),
}


def rendered(root: Path, case: Case) -> Rendered:
    tree: Tree = DirectoryTree(root)
    for edit in case.edits:
        tree = Overlay(tree, edit(tree))
    return attempt(Environment(), tree, [case.series], case.typed)


def after(made: Rendered) -> Overlay:
    files: Files = {}
    for commit in made.commits:
        files.update(commit.files)
    return Overlay(made.tree, files)


@pytest.mark.parametrize("name", CASES)
def test_a_tree_as_people_have_it(name: str, linux_612: Path) -> None:
    case = CASES[name]
    plain = rendered(linux_612, Case((), case.series))
    usual = {(one.template, one.path) for one in plain.left_out}
    made = rendered(linux_612, case)
    assert made.obstacles == ()

    reasons = {
        one.path or Path(one.template).name.removesuffix(".patch.j2"): one.reason
        for one in made.left_out
        if (one.template, one.path) not in usual or one.reason not in _reasons(plain)
    }
    assert {
        key: said in reasons.get(key, "") for key, said in case.left_out.items()
    } == dict.fromkeys(case.left_out, True), reasons
    assert reasons.keys() <= case.left_out.keys(), reasons
    facts = TreeFacts(after(made))
    for path, code in case.has.items():
        assert facts.contains(code, path), (path, code)
    for path, code in case.lacks.items():
        assert not facts.contains(code, path), (path, code)
    said = [remark.said for remark in made.remarks]
    for part in case.told:
        assert any(part in one for one in said), said
    assert bool(said) == bool(case.told), said


def _reasons(plain: Rendered) -> set[str]:
    return {one.reason for one in plain.left_out}


@pytest.mark.parametrize("name", [n for n, case in CASES.items() if case.series == MAP_INFO])
def test_the_tree_that_has_it_needs_none_of_it(name: str, linux_612: Path) -> None:
    made = after(rendered(linux_612, CASES[name]))
    again = attempt(Environment(), made, [MAP_INFO], CASES[name].typed)
    assert again.obstacles == () and again.patches == ()


def test_no_sentence_of_caching_is_told_of_a_heap_with_two_kinds(linux_612: Path) -> None:
    made = rendered(linux_612, CASES["a system heap with an uncached kind"])
    (message,) = (p.commit.message for p in made.patches if "04-system-heap" in p.template)
    assert "their mappings are cached" not in " ".join(message.split())
    assert "mapped write-combined" in " ".join(message.split())


def test_what_exports_is_named_only_where_it_is_built(linux_612: Path) -> None:
    def exporters(line: bytes) -> list[str]:
        tree = DirectoryTree(linux_612)
        facts = Facts(Environment(), TreeFacts(Overlay(tree, built(line)(tree))))
        found: list[str] = facts["other_exporters"]
        return found

    assert exporters(b"system_heap.o") == []
    assert exporters(b"rk_system_heap.o samsung/") == [
        f"{HEAPS}/rk_system_heap.c", f"{HEAPS}/samsung/samsung_heap.c",
    ]  # fmt: skip


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0bf4\nsize 42102\n"


def test_a_pointer_of_git_lfs_is_told_for_what_it_is(tmp_path: Path) -> None:
    root = tiny.tree(tmp_path / "tree", drivers_dma_buf_dma_buf_c=POINTER)
    made = attempt(tiny.environment(tmp_path / "t"), DirectoryTree(root), ["toy"], {})
    assert {one.said for one in made.obstacles} == {
        "drivers/dma-buf/dma-buf.c: a pointer of Git LFS, and its content is elsewhere"
    }


def test_nothing_is_answered_of_what_git_lfs_keeps_elsewhere(tmp_path: Path) -> None:
    root = tiny.tree(tmp_path / "tree", include_linux_mm_h=POINTER)
    facts = TreeFacts(DirectoryTree(root))
    assert facts.exists("include/linux/mm.h")
    with pytest.raises(UserError, match=r"mm\.h is a pointer of Git LFS"):
        facts.declares("vmf_insert_pfn", "include/linux/mm.h")


def test_a_merge_with_its_marks_is_told_for_what_it_is(tmp_path: Path) -> None:
    marks = tiny.DMA_BUF_C.replace(
        b"#include <linux/mm.h>\n",
        b"<<<<<<< HEAD\n#include <linux/mm.h>\n=======\n>>>>>>> theirs\n",
    )
    root = tiny.tree(tmp_path / "tree", drivers_dma_buf_dma_buf_c=marks)
    made = attempt(tiny.environment(tmp_path / "t"), DirectoryTree(root), ["toy"], {})
    said = {one.said for one in made.obstacles}
    assert said == {
        "drivers/dma-buf/dma-buf.c: a merge was committed unfinished, line 7 has '<<<<<<< HEAD'"
    }


def test_a_name_that_is_not_utf8_does_not_come_out_broken(tmp_path: Path) -> None:
    root = tiny.tree(tmp_path / "tree")
    known = "Andre Who <andre@example.org>"
    (root / ".mailmap").write_bytes(b"Andr\xe9 Who <new@example.org> <andre@example.org>\n")
    assert TreeFacts(DirectoryTree(root)).person(known) == known
    (root / ".mailmap").write_text("André Who <new@example.org> <andre@example.org>\n", "utf-8")
    assert TreeFacts(DirectoryTree(root)).person(known) == "André Who <new@example.org>"
