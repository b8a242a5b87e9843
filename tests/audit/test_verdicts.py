# SPDX-License-Identifier: GPL-2.0-only
"""What each way of filling a mapping is called, written as exporters of all ages write it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmabuf_patchgen.audit.audit import audit
from dmabuf_patchgen.audit.lexer import Source
from dmabuf_patchgen.audit.statement import Unreadable, parse
from dmabuf_patchgen.audit.verdict import Entry, Kind
from dmabuf_patchgen.tree.source import open_tree
from tests.audit import exporter

FAULT = "\tvma->vm_ops = &pfn_ops;\n"


def judged(root: Path, body: str, more: str = "") -> Entry:
    (entry,) = audit(open_tree(exporter.tree(root, exporter.source(body, more)))).entries
    return entry


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (FAULT + "\tvm_flags_set(vma, VM_IO | VM_PFNMAP);\n\treturn 0;", Kind.PFNMAP),
        (FAULT + "\tvma->vm_flags |= VM_PFNMAP;\n\treturn 0;", Kind.PFNMAP),
        (FAULT + "\tvma_set_flags(vma, VMA_IO_BIT, VMA_PFNMAP_BIT);\n\treturn 0;", Kind.PFNMAP),
        (FAULT + "\tvm_flags_mod(vma, VM_PFNMAP, VM_MIXEDMAP);\n\treturn 0;", Kind.PFNMAP),
        (FAULT + "\tvm_flags_reset(vma, VM_PFNMAP | VM_IO);\n\treturn 0;", Kind.PFNMAP),
        ("\treturn remap_pfn_range(vma, a, b, c, vma->vm_page_prot);", Kind.PFNMAP),
        ("\treturn vm_map_pages(vma, pages, n);", Kind.VIOLATES),
        ("\treturn remap_vmalloc_range(vma, buffer, 0);", Kind.VIOLATES),
        ("\tvma->vm_ops = &page_ops;\n\treturn 0;", Kind.VIOLATES),
        (FAULT + "\tvma->vm_flags |= VM_PFNMAP;\n\tvma->vm_flags &= ~VM_PFNMAP;\n"
         "\tvma->vm_flags |= VM_MIXEDMAP;\n\treturn 0;", Kind.VIOLATES),
        (FAULT + "\tvma->vm_flags = (vma->vm_flags & ~VM_PFNMAP) | VM_MIXEDMAP;\n\treturn 0;",
         Kind.VIOLATES),
        ("\tvm_flags_set(vma, VM_MIXEDMAP);\n"
         "\treturn io_remap_pfn_range(vma, a, b, c, vma->vm_page_prot);", Kind.BOTH),
        ("\treturn dma_mmap_wc(dev, vma, cpu, addr, size);", Kind.DMA_API),
        ("\treturn -ENODEV;", Kind.REFUSES),
        ("\treturn dma_buf_mmap(other, vma, 0);", Kind.DELEGATES),
        ("\treturn call_mmap(file, vma);", Kind.DELEGATES),
        ("\tif (buffer->pages)\n\t\treturn vm_map_pages(vma, buffer->pages, n);\n"
         "\treturn remap_pfn_range(vma, a, b, c, vma->vm_page_prot);", Kind.BRANCH),
        ("\treturn somewhere_else(vma);", Kind.UNKNOWN),
        (FAULT + "\tvm_flags_set(vma, buffer->flags);\n\treturn 0;", Kind.UNKNOWN),
        ("\treturn buffer->fill(buffer, vma);", Kind.UNKNOWN),
    ],
)  # fmt: skip
def test_a_mapping_is_called_what_it_is(tmp_path: Path, body: str, kind: Kind) -> None:
    assert judged(tmp_path, body).kind is kind


def test_a_branch_names_its_condition_and_its_call(tmp_path: Path) -> None:
    body = "\tif (buffer->pages)\n\t\treturn vm_map_pages(vma, buffer->pages, n);\n\n" + (
        "\treturn remap_pfn_range(vma, a, b, c, vma->vm_page_prot);"
    )
    entry = judged(tmp_path, body)
    assert {(one.kind, one.when) for one in entry.branches} == {
        (Kind.VIOLATES, ("buffer->pages",)),
        (Kind.PFNMAP, ("not buffer->pages",)),
    }
    assert entry.violates


def test_what_only_fails_on_the_way_is_no_branch(tmp_path: Path) -> None:
    body = "\tif (!buffer)\n\t\treturn -EINVAL;\n\tret = vm_map_pages(vma, pages, n);\n" + (
        "\tif (ret < 0)\n\t\tgoto out;\n\tvm_flags_set(vma, VM_DONTEXPAND);\nout:\n\treturn ret;"
    )
    (branch,) = judged(tmp_path, body).branches
    assert (branch.kind, branch.when) == (Kind.VIOLATES, ())


@pytest.mark.parametrize(
    "test",
    [
        "is_cow_mapping(vma->vm_flags)",
        "vma_is_cow_mapping(vma)",
        "(vma->vm_flags & VM_SHARED) == 0",
        "!(vma->vm_flags & VM_SHARED)",
        "(vma->vm_flags & (VM_SHARED | VM_MAYSHARE)) == 0",
        "(vma->vm_flags & (VM_SHARED | VM_MAYWRITE)) == VM_MAYWRITE",
        "!vma_test(vma, VMA_SHARED_BIT)",
        "size > limit || is_cow_mapping(vma->vm_flags)",
    ],
)
def test_a_refusal_of_copy_on_write_is_found_where_it_is(tmp_path: Path, test: str) -> None:
    head = FAULT + f"\tif ({test})\n\t\treturn -EINVAL;\n"
    entry = judged(tmp_path, head + "\tvm_flags_set(vma, VM_PFNMAP);\n\treturn 0;")
    assert entry.copy_on_write.refused == "yes" and not entry.copy_on_write.bug
    assert [step.path for step in entry.copy_on_write.at] == [exporter.PATH]


@pytest.mark.parametrize("test", ["vma->vm_flags & VM_WRITE", "size > limit"])
def test_a_private_mapping_that_is_let_in_reaches_the_bug(tmp_path: Path, test: str) -> None:
    head = FAULT + f"\tif ({test})\n\t\treturn -EINVAL;\n"
    cow = judged(tmp_path, head + "\tvm_flags_set(vma, VM_PFNMAP);\n\treturn 0;").copy_on_write
    assert cow.refused == "no"
    assert cow.bug == "vmf_insert_pfn() of a copy-on-write VM_PFNMAP mapping"


def test_an_error_after_a_change_is_told_with_its_number(tmp_path: Path) -> None:
    body = "\tvma_set_file(vma, other);\n\tif (late)\n\t\treturn -ENOSPC;\n" + (
        "\treturn remap_pfn_range(vma, a, b, c, vma->vm_page_prot);"
    )
    entry = judged(tmp_path, body)
    assert len(entry.swaps_file) == 1
    assert ("ENOSPC", ("vm_file",)) in {(one.errno, one.changed) for one in entry.failures}


@pytest.mark.parametrize(
    ("protection", "caching"),
    [
        ("vm_get_page_prot(vma->vm_flags)", "cached"),
        ("pgprot_writecombine(vma_get_page_prot(vma))", "write-combined"),
        ("pgprot_noncached(vma->vm_page_prot)", "uncached"),
        ("pgprot_decrypted(pgprot_writecombine(vma->vm_page_prot))", "write-combined, decrypted"),
    ],
)
def test_the_page_protection_is_told(tmp_path: Path, protection: str, caching: str) -> None:
    body = FAULT + f"\tvm_flags_set(vma, VM_PFNMAP);\n\tvma->vm_page_prot = {protection};\n"
    assert judged(tmp_path, body + "\treturn 0;").caching == (caching,)


def test_helpers_are_followed_from_file_to_file(tmp_path: Path) -> None:
    helper = (
        "int helper_mmap(struct vm_area_struct *vma)\n{\n\treturn vm_map_pages(vma, p, n);\n}\n"
    )
    root = exporter.tree(
        tmp_path,
        exporter.source("\treturn helper_mmap(vma);"),
        **{"drivers/video/helper.c": helper},
    )
    (entry,) = audit(open_tree(root)).entries
    assert entry.kind is Kind.VIOLATES
    assert [s.path for s in entry.branches[0].steps][-1] == "drivers/video/helper.c"


def test_an_ifdef_is_a_branch_and_if_0_is_none(tmp_path: Path) -> None:
    body = "#if 0\n\treturn vm_map_pages(vma, p, n);\n#endif\n#ifdef CONFIG_EXAMPLE\n" + (
        "\treturn dma_mmap_wc(dev, vma, c, a, s);\n#else\n\treturn -EINVAL;\n#endif"
    )
    entry = judged(tmp_path, body)
    assert entry.kind is Kind.DMA_API


@pytest.mark.parametrize(
    "broken", ["\tif (a {\n\treturn 0;", "\tswitch (a) {\n\tcase 1:\n\treturn 0;", "\treturn (0;"]
)
def test_code_that_does_not_read_is_unknown(tmp_path: Path, broken: str) -> None:
    entry = judged(tmp_path, broken)
    assert entry.kind is Kind.UNKNOWN
    assert "does not read as C" in entry.branches[0].why


def test_operations_that_a_macro_makes_stand_where_it_is_used(tmp_path: Path) -> None:
    header = (
        "#define DRM_GEM_FOPS \\\n\t.open = drm_open, \\\n\t.mmap = drm_gem_mmap\n\n"
        "#define DEFINE_DRM_GEM_FOPS(name) \\\n"
        "\tstatic const struct file_operations name = {\\\n"
        "\t\t.owner = THIS_MODULE,\\\n\t\tDRM_GEM_FOPS,\\\n\t}\n"
    )
    helper = (
        "int drm_gem_mmap(struct file *filp, struct vm_area_struct *vma)\n{\n"
        "\treturn remap_pfn_range(vma, a, b, c, vma->vm_page_prot);\n}\n"
    )
    driver = (
        "// A driver.\n\nDEFINE_DRM_GEM_FOPS(x_fops);\n\nstatic const struct drm_driver x = {\n};\n"
    )
    more = {
        "include/drm/drm_gem.h": header,
        "drivers/gpu/drm/drm_gem.c": helper,
        "drivers/gpu/drm/x/x_drv.c": driver,
    }
    root = exporter.tree(tmp_path, exporter.source("\treturn -ENODEV;"), **more)
    (entry,) = (one for one in audit(open_tree(root)).entries if one.name == "x_fops")
    lines = {s.line for one in entry.branches for s in one.steps if s.path.endswith("x_drv.c")}
    assert (entry.kind, entry.line, lines) == (Kind.PFNMAP, 3, {3})


def test_files_that_are_not_read_are_counted(tmp_path: Path) -> None:
    root = exporter.tree(tmp_path, exporter.source("\treturn -ENODEV;"))
    (root / "drivers/gpu/link.c").symlink_to("/etc/passwd")
    (root / "drivers/gpu/huge.h").write_bytes(b"#define X 1\n" * 100_000)
    (root / "drivers/gpu/binary.c").write_bytes(b"\xff\xfe\0struct vm_area_struct *\n{\n}" * 9)
    unread = dict(audit(open_tree(root)).unread)
    assert unread == {"drivers/gpu/link.c": "a link", "drivers/gpu/huge.h": "1.1 MiB, generated"}


def test_an_audit_is_kept_until_the_tree_changes(tmp_path: Path) -> None:
    root = exporter.tree(tmp_path, exporter.source("\treturn -ENODEV;"))
    first = audit(open_tree(root))
    assert audit(open_tree(root)) == first
    (root / exporter.PATH).write_text(exporter.source("\treturn vm_map_pages(vma, p, n);"))
    (entry,) = audit(open_tree(root)).entries
    assert entry.kind is Kind.VIOLATES


@given(st.text(alphabet="{}();if else return case x:\n\t#", max_size=200))
def test_no_body_makes_the_reader_fall(body: str) -> None:
    with suppress(Unreadable):
        parse(Source("x.c", "{" + body + "}", 1).tokens)
