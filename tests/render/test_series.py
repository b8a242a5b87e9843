# SPDX-License-Identifier: GPL-2.0-only
"""Series on trees: what a tree needs is rendered, what it has is left out, the rest is refused."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.render import catalogue
from dmabuf_patchgen.render.environment import Environment
from dmabuf_patchgen.render.outcome import Rendered
from dmabuf_patchgen.render.place import PlaceError
from dmabuf_patchgen.render.series import render
from dmabuf_patchgen.tree.c import parse
from dmabuf_patchgen.tree.source import DirectoryTree, Overlay, Tree
from tests import tiny

CHECK, HEAP, IOCTL = (f"toy/{name}.patch.j2" for name in ("01-check", "02-heap", "03-ioctl"))
DMA_BUF = "drivers/dma-buf/dma-buf.c"
PFNMAP, MAP_INFO = "dma-buf-pfnmap", "dma-buf-map-info"


Toy = Callable[..., Rendered]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return DirectoryTree(tiny.tree(tmp_path / "tree"))


@pytest.fixture
def toy(tmp_path: Path, tree: Tree) -> Toy:
    """Renders the small series, on the small tree if on no other."""

    def run(
        on: Tree | None = None, changed: Mapping[str, str] | None = None, **typed: str
    ) -> Rendered:
        return render(tiny.environment(tmp_path / "t", changed), on or tree, ["toy"], typed)

    return run


def after(rendered: Rendered, patches: slice = slice(None)) -> Overlay:
    """The tree with some of the patches."""
    files: dict[str, bytes | None] = {}
    for commit in rendered.commits[patches]:
        files.update(commit.files)
    return Overlay(rendered.tree, files)


def edited(tree: Tree, path: str, old: bytes, new: bytes) -> Overlay:
    body = tree.read(path)
    assert old in body
    return Overlay(tree, {path: body.replace(old, new, 1)})


def test_what_a_series_gives(toy: Toy) -> None:
    rendered = toy()
    assert [patch.template for patch in rendered.patches] == [CHECK, IOCTL]
    first, second = rendered.commits
    assert first.message == (
        "dma-buf: check the flags\n\nBecause it is quiet, says Andr\u00e9.\n\n"
        "Link: https://lore.kernel.org/r/1@example.org\n"
    )
    assert first.subject == "dma-buf: check the flags"
    assert sorted(first.files) == [
        "drivers/dma-buf/Makefile", DMA_BUF, "drivers/dma-buf/dma-toy.c",
    ]  # fmt: skip
    assert rendered.parameters == {"toy": {"loud": False, "level": "far", "nr": 3}}
    # Only what the hunks say has changed, the byte that is no UTF-8 included.
    check = b"\tif (!(vma->vm_flags & VM_SHARED))\n\t\treturn -EINVAL;\n\n"
    assert first.files[DMA_BUF] == b"{\n".join(
        [*tiny.DMA_BUF_C.split(b"{\n")[:-1], check + tiny.DMA_BUF_C.split(b"{\n")[-1]]
    )
    body = second.files[DMA_BUF]
    assert body and body.startswith(b"// SPDX") and check in body and b"Andr\xe9" in body


def test_each_patch_is_made_on_the_one_before(toy: Toy) -> None:
    first, second = toy().commits
    before, body = first.files[DMA_BUF], second.files[DMA_BUF]
    assert before and body and b"DMA_BUF_IOCTL_TOY" not in before
    label = b"\tcase DMA_BUF_IOCTL_TOY:\n\t\treturn 1;\n\n"
    assert body == before.replace(b"\tdefault:", label + b"\tdefault:")


def test_parameters_reach_the_text(toy: Toy) -> None:
    rendered = toy(loud="yes", nr="6")
    assert "it is LOUD" in rendered.commits[0].message
    header = rendered.commits[1].files["include/uapi/linux/dma-buf.h"]
    assert header and header.endswith(b"#define DMA_BUF_IOCTL_TOY\t_IO(DMA_BUF_BASE, 6)\n")


def test_a_condition_that_holds(toy: Toy, tree: Tree) -> None:
    rendered = toy(Overlay(tree, {"drivers/dma-buf/heap.c": b"int heap;\n"}))
    assert [patch.template for patch in rendered.patches] == [CHECK, HEAP, IOCTL]
    assert rendered.commits[1].files == {"drivers/dma-buf/heap.c": b"int heap;\nint heap_toy;\n"}
    assert rendered.left_out == ()


def test_a_condition_that_does_not_hold_tells_why(toy: Toy) -> None:
    (left,) = toy().left_out
    assert (left.template, left.reason) == (HEAP, "the tree has no heap")


def test_a_tree_that_has_the_series(toy: Toy) -> None:
    again = toy(after(toy(nr="5")))
    assert again.patches == ()
    assert {left.template: left.reason for left in again.left_out} == {
        CHECK: "the tree already has it",
        HEAP: "the tree has no heap",
        IOCTL: "the tree already has it",
    }
    assert again.parameters["toy"]["nr"] == 5


def test_a_patch_that_the_tree_has_is_left_out(toy: Toy) -> None:
    again = toy(after(toy(), slice(1)))
    assert [patch.template for patch in again.patches] == [IOCTL]
    assert [left.subject for left in again.left_out] == ["dma-buf: check the flags", ""]


def test_a_later_patch_without_an_earlier_one(toy: Toy, tree: Tree) -> None:
    files = toy().commits[1].files
    have = Overlay(tree, {"include/uapi/linux/dma-buf.h": files["include/uapi/linux/dma-buf.h"]})
    label = b"\tcase DMA_BUF_IOCTL_TOY:\n\t\treturn 1;\n\n"
    have = edited(have, DMA_BUF, b"\tdefault:", label + b"\tdefault:")
    assert [patch.template for patch in toy(have).patches] == [CHECK]


def test_a_half_present_patch_tells_both_halves(toy: Toy, tree: Tree) -> None:
    header = "include/uapi/linux/dma-buf.h"
    have = Overlay(tree, {header: toy().commits[1].files[header]})
    with pytest.raises(PlaceError) as error:
        toy(have)
    assert error.value.message == (
        f"'dma-buf: add an ioctl': the tree has half of it: it has {header} "
        f"(after last #define DMA_BUF_*), and not {DMA_BUF} "
        "(function dma_buf_ioctl, switch (cmd), before default)"
    )
    assert error.value.hint == "take the patch out of the tree, or finish it there"


def test_a_half_present_patch_whose_other_half_has_no_place(toy: Toy, tree: Tree) -> None:
    header = "include/uapi/linux/dma-buf.h"
    have = Overlay(tree, {header: toy().commits[1].files[header]})
    have = edited(have, DMA_BUF, b"\tdefault:\n", b"\tcase ~0:\n")
    with pytest.raises(PlaceError, match=r"half of .* switch .* default is not there"):
        toy(have)


def test_an_entry_of_a_set_says_nothing_about_the_patch(toy: Toy, tree: Tree) -> None:
    have = edited(tree, "drivers/dma-buf/Makefile", b"dma-fence.o", b"dma-fence.o dma-toy.o")
    first = toy(have).commits[0]
    assert sorted(first.files) == [DMA_BUF, "drivers/dma-buf/dma-toy.c"]


def test_another_version_of_what_is_added(toy: Toy, tree: Tree) -> None:
    have = edited(
        tree,
        "include/uapi/linux/dma-buf.h",
        b"#define DMA_BUF_SET_NAME",
        b"#define DMA_BUF_IOCTL_TOY _IOR(DMA_BUF_BASE, 5, int)\n#define DMA_BUF_SET_NAME",
    )
    with pytest.raises(PlaceError) as error:
        toy(have)
    assert "the tree already has a define DMA_BUF_IOCTL_TOY, line 3" in error.value.message
    assert "take it out first" in error.value.hint


def test_a_new_file_that_is_there_with_other_content(toy: Toy, tree: Tree) -> None:
    have = Overlay(tree, {"drivers/dma-buf/dma-toy.c": b"int mine;\n"})
    with pytest.raises(PlaceError, match="already has such a file, with other content"):
        toy(have)


def test_a_place_that_is_missing_names_patch_file_and_template(
    toy: Toy, tree: Tree, tmp_path: Path
) -> None:
    have = edited(tree, DMA_BUF, b"int dma_buf_mmap(", b"int dma_buf_mmap2(")
    with pytest.raises(PlaceError) as error:
        toy(have)
    assert error.value.message == (
        f"'dma-buf: check the flags': {DMA_BUF}: function dma_buf_mmap is not there"
    )
    assert error.value.hint == f"see {tmp_path / 't' / CHECK}"


def test_a_place_that_is_there_twice(toy: Toy, tree: Tree) -> None:
    twice = Overlay(tree, {DMA_BUF: tiny.DMA_BUF_C + b"int dma_buf_mmap(int x)\n{\n}\n"})
    with pytest.raises(PlaceError, match="function dma_buf_mmap is there 2 times, in lines 41, 46"):
        toy(twice)


def test_a_tree_without_a_file(toy: Toy, tree: Tree) -> None:
    with pytest.raises(PlaceError, match=r"include/uapi/linux/dma-buf.h: the tree has no such"):
        toy(Overlay(tree, {"include/uapi/linux/dma-buf.h": None}), nr="3")


@pytest.mark.parametrize(
    "line",
    [
        "+	if (x {",
        "+	}",
        "+	return 0 0;",
        "+	case 1 2:",
        "+}",
        "+	/* open",
        "+	x = ;",
    ],
)
def test_a_patch_that_breaks_the_syntax(toy: Toy, line: str) -> None:
    changed = tiny.TEMPLATES[CHECK].replace(
        "+		return -EINVAL;\n", f"+		return -EINVAL;\n{line}\n"
    )
    with pytest.raises(PlaceError) as error:
        toy(changed={CHECK: changed})
    assert f"{DMA_BUF} no longer parses with it, line " in error.value.message
    assert CHECK in error.value.message


@pytest.mark.parametrize("line", ["+	if (x {", "+	}", "+	return 0 0;", "+}", "+	x = ;"])
def test_it_is_seen_in_a_file_that_never_parsed(toy: Toy, tree: Tree, line: str) -> None:
    """Macros leave errors in most kernel files: one more must not hide behind them."""
    odd = b"\nDECLARE(x) STATIC_KEY y;\n\nint odd(void)\n{\n\tMACRO(struct x, ) {\n\t}\n}\n"
    have = Overlay(tree, {DMA_BUF: tiny.DMA_BUF_C + odd})
    assert parse(have.read(DMA_BUF)).errors
    assert len(toy(have).patches) == 2
    changed = tiny.TEMPLATES[CHECK].replace(
        "+		return -EINVAL;\n", f"+		return -EINVAL;\n{line}\n"
    )
    with pytest.raises(PlaceError, match="no longer parses with it"):
        toy(have, {CHECK: changed})


def test_a_comment_in_what_never_parsed_may_change(toy: Toy, tree: Tree) -> None:
    """The place is found by text: nothing is asked of the syntax around it, and none is new."""
    body = b"struct odd {\n\tODD(a b)\n\t/* one */\n\tint (;\n};\n"
    have = Overlay(tree, {"include/linux/mm.h": body})
    assert parse(body).errors
    hunk = "--- include/linux/mm.h\n@@ after line /* one */ @@\n+\t/* two */\n"
    rendered = toy(have, {CHECK: f"dma-buf: tell\n\n{hunk}"})
    assert rendered.commits[0].files["include/linux/mm.h"] == body.replace(
        b"/* one */\n", b"/* one */\n\t/* two */\n"
    )


def test_a_patch_that_defines_a_thing_twice(toy: Toy) -> None:
    changed = tiny.TEMPLATES[IOCTL].replace(
        "--- drivers", "+#define DMA_BUF_SET_NAME 1\n--- drivers"
    )
    with pytest.raises(PlaceError, match="already has a define DMA_BUF_SET_NAME, line 3"):
        toy(changed={IOCTL: changed})


def test_series_in_order_and_each_once(toy: Toy, tree: Tree, tmp_path: Path) -> None:
    toy()
    extra = {
        "more/series.toml": 'title = "m"\nsummary = "m"\nrevised = 2026-02-02T00:00:00Z\n'
        '[[patch]]\ntemplate = "more/01.patch.j2"\n',
        "more/01.patch.j2": "dma-buf: more\n\n--- include/uapi/linux/dma-buf.h\n"
        "@@ after last #define DMA_BUF_* @@\n+#define DMA_BUF_MORE 1\n",
    }
    environment = tiny.environment(tmp_path / "t", extra)
    header = "include/uapi/linux/dma-buf.h"
    for names, order in {
        ("toy", "more"): [b"TOY", b"MORE"],
        ("more", "toy", "more"): [b"MORE", b"TOY"],
    }.items():
        rendered = render(environment, tree, names, {"nr": "3"})
        assert [patch.series for patch in rendered.patches].count("more") == 1
        assert rendered.series == tuple(dict.fromkeys(names))
        assert rendered.revised.month == 2
        body = after(rendered).read(header)
        assert body.index(order[0]) < body.index(order[1])


def test_an_unknown_series_names_those_there_are(tree: Tree, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no series is named 'tyo'") as error:
        render(tiny.environment(tmp_path / "t"), tree, ["toy", "tyo"], {})
    assert error.value.hint == "there are: toy"


@pytest.mark.parametrize("name", ["../toy", "toy/", "", ".", "/etc"])
def test_a_name_of_a_series_is_no_path(tree: Tree, tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="no series is named"):
        render(tiny.environment(tmp_path / "t"), tree, [name], {})


# The series of the project, on the tree of reference.


@pytest.fixture(scope="module")
def stacked(linux_612: Path) -> dict[tuple[str, ...], Rendered]:
    tree = DirectoryTree(linux_612)
    orders = ((PFNMAP,), (MAP_INFO,), (PFNMAP, MAP_INFO), (MAP_INFO, PFNMAP))
    return {names: render(Environment(), tree, names, {}) for names in orders}


def test_stacked_they_share_what_both_need(stacked: dict[tuple[str, ...], Rendered]) -> None:
    for names, rendered in stacked.items():
        body = after(rendered).read(DMA_BUF)
        assert len(parse(body).named("function", "__dma_buf_mmap")) == 1
        assert body.count(b"dmabuf->ops->mmap(dmabuf, vma)") == 1
        subjects = [commit.subject for commit in rendered.commits]
        assert len(subjects) == len({*subjects})
        factored = [patch for patch in rendered.patches if "factor-out" in patch.template]
        assert [patch.series for patch in factored] == [names[0]]


def test_either_order_gives_the_same_checks(stacked: dict[tuple[str, ...], Rendered]) -> None:
    one, other = (
        {*after(rendered).read(DMA_BUF).splitlines()}
        for names, rendered in stacked.items()
        if len(names) == 2
    )
    assert one == other


def test_stacked_is_more_than_alone(stacked: dict[tuple[str, ...], Rendered]) -> None:
    alone = len(stacked[PFNMAP,].patches) + len(stacked[MAP_INFO,].patches)
    for names in ((PFNMAP, MAP_INFO), (MAP_INFO, PFNMAP)):
        assert len(stacked[names].patches) == alone - 1


def test_a_tree_that_has_both_needs_none(stacked: dict[tuple[str, ...], Rendered]) -> None:
    for names in ((PFNMAP, MAP_INFO), (MAP_INFO, PFNMAP)):
        have = after(stacked[names])
        for again in (names, names[::-1], names[:1]):
            rendered = render(Environment(), have, again, {})
            assert rendered.patches == ()
            entries = sum(len(catalogue.load(Environment(), n).patches) for n in again)
            assert len(rendered.left_out) == entries
            assert {left.reason for left in rendered.left_out if left.subject} == {
                "the tree already has it"
            }


@pytest.mark.parametrize("names", [(PFNMAP,), (MAP_INFO,)])
def test_after_every_patch_the_rest_is_what_is_left(
    stacked: dict[tuple[str, ...], Rendered], names: tuple[str, ...]
) -> None:
    """A tree that took the first N patches, as when a maintainer did, gets the others."""
    whole = stacked[names]
    for count in range(1, len(whole.patches)):
        rest = render(Environment(), after(whole, slice(count)), names, {})
        assert [p.template for p in rest.patches] == [p.template for p in whole.patches[count:]]
        final = after(rest)
        for path, body in after(whole).files.items():
            assert final.read(path) == body


@pytest.mark.parametrize("severity", ["warn-once", "debug", "refuse"])
@pytest.mark.parametrize("refuse_cow", ["yes", "no"])
def test_every_value_renders(linux_612: Path, severity: str, refuse_cow: str) -> None:
    typed = {"severity": severity, "refuse_cow": refuse_cow}
    rendered = render(Environment(), DirectoryTree(linux_612), [PFNMAP], typed)
    body = after(rendered).read(DMA_BUF)
    assert (b"is_cow_mapping(" in body) == (refuse_cow == "yes")
    assert (b"vma->vm_ops->close(vma);" in body) == (severity == "refuse")
    assert (b"CONFIG_DMABUF_DEBUG) &&" in body) == (severity == "debug")
    assert (b"\tif ((vma->vm_flags & (VM_PFNMAP | VM_MIXEDMAP)) != VM_PFNMAP) {\n" in body) == (
        severity != "debug"
    )
    assert (b"WARN_ON_ONCE(1);" in body) == (severity != "refuse")
    assert b'ratelimited("dma_buf: %s: mapping' in body


def test_another_severity_on_a_tree_that_has_one_is_refused(
    stacked: dict[tuple[str, ...], Rendered],
) -> None:
    """Two checks of one thing would be there otherwise."""
    have = after(stacked[PFNMAP,])
    with pytest.raises(PlaceError):
        render(Environment(), have, [PFNMAP], {"severity": "refuse"})
