# SPDX-License-Identifier: GPL-2.0-only
"""Cover letters of both series: what they have to say on a tree, and what they must not."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dmabuf_patchgen import __version__
from dmabuf_patchgen.debian.sources import Row
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.post.cover import Cover, cover
from dmabuf_patchgen.prove.evidence import Evidence, load
from dmabuf_patchgen.render.commit import Commit
from dmabuf_patchgen.render.environment import Environment
from dmabuf_patchgen.render.outcome import Rendered, RenderedPatch
from dmabuf_patchgen.render.series import render
from dmabuf_patchgen.tree.source import DirectoryTree, Overlay, Tree
from tests import tiny
from tests.conftest import CHECKOUT
from tests.prove.test_evidence import SHOWN
from tests.render.releases import CMA_FAULTS_PAGES

PFNMAP, MAP_INFO = "dma-buf-pfnmap", "dma-buf-map-info"
CHECKS = ("checkpatch", "kernel-doc", "build", "sparse", "kselftest")
PARAMETERS: tuple[Mapping[str, str], ...] = (
    {},
    {"severity": "debug"},
    {"severity": "refuse", "refuse_cow": "no"},
)

#: A CMA heap that hands pages to the fault handler, as that of 6.1 did.
CMA_HEAP = (
    CMA_FAULTS_PAGES
    + b"""
static int cma_heap_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	vma->vm_ops = &dma_heap_vm_ops;
	vma->vm_private_data = dmabuf->priv;

	return 0;
}

static struct dma_buf *cma_heap_allocate(void)
{
	exp_info.flags = fd_flags;
}
"""
)


def evidence(root: Path, **changed: Any) -> Evidence:
    path = root / "evidence.json"
    path.write_text(json.dumps({**SHOWN, **changed}))
    return load(path)


def letter(rendered: Rendered, **given: Any) -> Cover:
    defaults = {
        "version": 1,
        "evidence": None,
        "elsewhere": False,
        "checked": CHECKS,
        "base": "v6.12",
    }
    return cover(Environment(), rendered, **{**defaults, **given})


def one_line(text: str) -> str:
    return " ".join(text.split())


def check_form(made: Cover, rendered: Rendered) -> None:
    """What holds for every letter."""
    environment = Environment()
    threads = environment.toml("threads.toml")
    links = {environment.link(name) for name in threads}
    lines = made.body.split("\n")
    assert max(map(len, lines)) <= 75
    assert not re.search(r"EDITME|Reviewed-by|Acked-by|Tested-by|[{}\t]", made.body)
    for line in lines:
        # b4 takes `#` for a comment, `---` for the end and `Name:` for a trailer; mbox
        # takes `From ` for the next mail.
        assert not re.match(r"#|---|-- |From |[\w-]+: ", line), line
    assert not re.search(r"^\n|\n\n\n|[ \t]\n|\n\n$", made.body)
    assert made.body.endswith(".\n")
    assert {*re.findall(r"https?://\S+", made.body)} <= links
    assert made.subject.startswith("dma-buf: ") and len(made.subject) < 70
    for number, patch in enumerate(rendered.patches, 1):
        assert f" {number} {patch.commit.subject} " in one_line(made.body)
    text = one_line(made.body)
    assert f"dmabuf-patchgen {__version__} filled in for Linux {rendered.tree.version}." in text
    for name in rendered.series:
        assert f"templates of {name} as of 20" in text
        for key, value in rendered.parameters[name].items():
            typed = ("yes" if value else "no") if isinstance(value, bool) else value
            assert f" -p {key}={typed} " in text


@pytest.fixture(
    params=[(PFNMAP,), (MAP_INFO,), (PFNMAP, MAP_INFO), (MAP_INFO, PFNMAP)], ids="+".join
)
def names(request: pytest.FixtureRequest) -> tuple[str, ...]:
    found: tuple[str, ...] = request.param
    return found


@pytest.fixture
def reference(linux_612: Path) -> DirectoryTree:
    return DirectoryTree(linux_612)


@pytest.fixture
def old(reference: Tree) -> Overlay:
    """A tree with an exporter that breaks the rule."""
    return Overlay(reference, {"drivers/dma-buf/heaps/cma_heap.c": CMA_HEAP})


def test_form(reference: Tree, names: tuple[str, ...], tmp_path: Path) -> None:
    for typed in PARAMETERS if PFNMAP in names else PARAMETERS[:1]:
        rendered = render(Environment(), reference, names, typed)
        for proof in (None, evidence(tmp_path)):
            check_form(letter(rendered, evidence=proof), rendered)
            check_form(letter(rendered, evidence=proof, version=2, checked=()), rendered)


def test_form_on_every_tree(row: Row, names: tuple[str, ...]) -> None:
    rendered = render(Environment(), DirectoryTree(row.path), names, {})
    check_form(letter(rendered), rendered)


def test_a_series_alone(reference: Tree) -> None:
    made = letter(render(Environment(), reference, [PFNMAP], {}))
    assert made.subject == "dma-buf: require VM_PFNMAP for CPU mappings"
    assert "DMA_BUF_IOCTL_INFO" not in made.body and "series in one letter" not in made.body
    assert "keep to the rule in this tree" in made.body
    assert "The series applies to v6.12.\n" in made.body


def test_two_series_in_one_letter(reference: Tree) -> None:
    rendered = render(Environment(), reference, [PFNMAP, MAP_INFO], {})
    made = letter(rendered)
    assert made.subject == "dma-buf: require VM_PFNMAP and describe mappings to userspace"
    assert made.body.startswith("Two series in one letter, ")
    for heading in (
        "Patches 1 to 5: require VM_PFNMAP",
        "Patches 6 to 13: describe mappings to userspace",
        "What was said before",
        "What is open",
        "How it was tested",
        "How it was made",
    ):
        assert made.body.count(f"\n{heading}\n{'=' * len(heading)}\n") == 1
    # The second finds what the first has made.
    assert made.body.count("factor out the call of the exporter's mmap callback") == 1
    assert "the other series in this letter requires VM_PFNMAP" in one_line(made.body)


def test_a_series_of_which_the_tree_has_all(reference: Tree) -> None:
    """It is not in the letter."""
    done = render(Environment(), reference, [PFNMAP], {})
    has = Overlay(reference, {p: b for commit in done.commits for p, b in commit.files.items()})
    made = letter(render(Environment(), has, [PFNMAP, MAP_INFO], {}))
    assert made.subject == "dma-buf: let exporters say how coherent their CPU mappings are"
    assert PFNMAP not in made.body.replace(f"of its own, {PFNMAP}", "")


def test_conversions(old: Tree) -> None:
    rendered = render(Environment(), old, [PFNMAP], {})
    assert rendered.patches[0].template == "dma-buf-pfnmap/02-cma-heap.patch.j2"
    made = letter(rendered)
    check_form(made, rendered)
    assert "Patch 1 converts those of the heaps and udmabuf that break" in one_line(made.body)
    assert "keep to the rule" not in made.body


def test_parameters_change_what_is_said(reference: Tree) -> None:
    said = {
        severity: one_line(
            letter(render(Environment(), reference, [PFNMAP], {"severity": severity})).body
        )
        for severity in ("warn-once", "debug", "refuse")
    }
    assert "is warned about, once. The mapping stays" in said["warn-once"]
    assert "takes down a system with panic_on_warn" in said["warn-once"]
    assert "in kernels with CONFIG_DMABUF_DEBUG, one whose" in said["debug"]
    assert "takes down a system" not in said["debug"] + said["refuse"]
    assert "undone after the mmap callback has set it up" in said["refuse"]
    plain = letter(render(Environment(), reference, [PFNMAP], {"refuse_cow": "no"}))
    assert "are refused. " not in one_line(plain.body)
    assert "Here: not done" in plain.body and "Here: refused with EINVAL" in said["debug"]
    number = letter(render(Environment(), reference, [MAP_INFO], {"ioctl_nr": "9"}))
    assert "DMA_BUF_IOCTL_INFO, number 9\n" in number.body and "number, 9, " in number.body


def test_who_is_heard(reference: Tree) -> None:
    """Ideas are credited and objections answered, each under its thread."""
    text = one_line(letter(render(Environment(), reference, [PFNMAP, MAP_INFO], {})).body)
    for who, what in {
        "Daniel Vetter": "warn if the VMA is not VM_PFNMAP",
        "Thomas Hellström": "Copy-on-write mappings have to be refused",
        "Jason Gunthorpe": "VM_MIXEDMAP does not give that",
        "Rob Clark": "An enum that the exporter sets at export",
        "Christian König": "A NAK to the concept",
    }.items():
        assert re.search(rf"- {who}, \w+ 20\d\d[^:]*: (?:(?! - ).)*{re.escape(what)}", text)
    assert text.count("Here: ") == text.count(" 2021") + text.count(" 2022")
    for link in map(Environment().link, ("pfnmap-2021", "pfnmap-2022", "map-info-2022")):
        assert text.count(link) == 1
    assert "There is no userspace for DMA_BUF_IOCTL_INFO yet" in text
    assert "were not audited for this tree" in text


def test_without_evidence_nothing_was_booted(reference: Tree) -> None:
    rendered = render(Environment(), reference, [MAP_INFO], {})
    text = one_line(letter(rendered).body)
    assert "Nothing was booted for this posting, and the kselftests were not run." in text
    assert (
        "these find: checkpatch.pl --strict (but for FILE_PATH_CHANGES), kernel-doc, "
        "a build with W=1, sparse, a build of the kselftests." in text
    )
    assert "QEMU " not in text.partition("How it was tested")[2]
    none = one_line(letter(rendered, checked=()).body)
    assert "None of the patches was checked." in none and "sparse" not in none
    assert "these find: sparse, new-check." in one_line(
        letter(rendered, checked=("sparse", "new-check")).body
    )


def test_what_booted_is_told_from_the_evidence(reference: Tree, tmp_path: Path) -> None:
    rendered = render(Environment(), reference, [MAP_INFO], {})
    more = [{**SHOWN["tests"][0], "name": "second"}, {**SHOWN["tests"][1], "name": "third"}]
    more[1]["verdict"] = "unchanged"
    proof = evidence(
        tmp_path,
        tree={"version": "6.99.1-rc9", "id": "fedcba9876543210"},
        architecture="riscv64",
        toolchain="clang 99.1",
        runner={"qemu": "98.7.6", "accelerator": "kvm"},
        tests=[*SHOWN["tests"], *more],
        command="dmabuf-patchgen " + "-C a-directory " * 6 + "prove",
    )
    tested = letter(rendered, evidence=proof).body.partition("How it was tested")[2]
    text = one_line(tested)
    assert "Nothing was booted" not in text
    assert (
        "Linux 6.99.1-rc9 (tree fedcba987654) for riscv64, built with clang 99.1, was booted "
        "without and with the series, in QEMU 98.7.6 (KVM), and the kselftests were run in both. "
        "2 tests fail without the series for the reason that they name and pass with it. "
        "1 control passes on both. 1 other test says the same on both." in text
    )
    other = "That is another tree than the one that the series applies to, which was not booted."
    assert other not in text
    assert other in one_line(letter(rendered, evidence=proof, elsewhere=True).body)
    command = re.search(r"To repeat it:\n\n((?:  .*\n)+)", tested)
    assert command and command[1].count("\\\n") == 1
    assert command[1].replace("\\\n", "").split() == proof.command.split()


def test_tests_that_the_series_brings_do_not_fail_without_it(
    reference: Tree, tmp_path: Path
) -> None:
    rendered = render(Environment(), reference, [MAP_INFO], {})
    added = [{**SHOWN["tests"][0], "name": name, "base": "absent"} for name in ("one", "two")]
    proof = evidence(tmp_path, tests=[*added, SHOWN["tests"][1]])
    text = one_line(letter(rendered, evidence=proof).body)
    assert (
        "and the kselftests and KUnit tests were run in both. 2 KUnit tests are not in the kernel "
        "without the series, and pass with it. 1 control passes on both." in text
    )
    proof = evidence(tmp_path, tests=[*SHOWN["tests"], added[0]])
    text = one_line(letter(rendered, evidence=proof).body)
    assert "1 test fails without the series for the reason that it names and passes with" in text
    assert "1 KUnit test is not in the kernel without the series, and passes with it." in text


def test_a_proof_that_failed_is_told_as_such(reference: Tree, tmp_path: Path) -> None:
    first, second = SHOWN["tests"]
    proof = evidence(
        tmp_path,
        verdict="not proved",
        tests=[
            {**first, "verdict": "not proved", "base": "skip"},
            {**second, "verdict": "regression", "tip": "crash"},
        ],
    )
    text = one_line(letter(render(Environment(), reference, [MAP_INFO], {}), evidence=proof).body)
    assert "0 tests fail without the series" in text and "0 controls pass on both" in text
    assert f"Worse with the series than without it: {second['name']}. " in text
    assert f"Without proof: {first['name']}. " in text


def test_the_same_input_gives_the_same_letter(reference: Tree) -> None:
    rendered = render(Environment(), reference, [PFNMAP, MAP_INFO], {})
    assert letter(rendered) == letter(rendered)


def test_a_later_version_points_to_its_changes(reference: Tree) -> None:
    rendered = render(Environment(), reference, [PFNMAP], {})
    assert "This is version 3." in letter(rendered, version=3).body
    assert "version 1" not in letter(rendered).body


@pytest.mark.parametrize("name", [PFNMAP, MAP_INFO])
def test_the_ledger(name: str) -> None:
    """Every remark has its thread, and nobody's code or sentences are in it."""
    environment = Environment()
    held = environment.toml(f"{name}/history.toml")
    assert {*held} == {"remark", "open"}
    for remark in held["remark"]:
        assert {*remark} == {"thread", "who", "when", "said", "answer"}
        assert environment.link(remark["thread"])
        assert len(re.findall(r"[.?](?:\s|$)", remark["said"])) <= 2, remark["said"]


# What is wrong in a template or a ledger.

COVER = "toy/cover.txt.j2"
LEDGER = "toy/history.toml"
TOY = {
    "threads.toml": '[talk]\nmessage-id = "1@example.org"\nsubject = "toy"\nauthor = "A <a@b>"\n',
    "common/cover.txt.j2": (CHECKOUT / "templates/common/cover.txt.j2").read_text(),
    "common/cover.j2": (CHECKOUT / "templates/common/cover.j2").read_text(),
    COVER: """\
{% import "common/cover.j2" as cover with context %}
dma-buf: toy

{{ cover.patch_list({"toy/01-check.patch.j2": "one", "toy/03-ioctl.patch.j2": "two"}) }}
""",
    LEDGER: """\
[[remark]]
thread = "talk"
who = "Somebody"
when = "May 2020"
said = "Do it{{ ' loudly' if param.loud }}."
answer = "done."
""",
}


def toy(root: Path, changed: Mapping[str, str]) -> Cover:
    environment = tiny.environment(root / "t", {**TOY, **changed})
    rendered = render(
        environment, DirectoryTree(tiny.tree(root / "tree")), ["toy"], {"loud": "yes"}
    )
    return cover(
        environment,
        rendered,
        version=1,
        evidence=None,
        elsewhere=False,
        checked=("sparse",),
        base="v6.12",
    )


def test_a_series_of_somebody_elses(tmp_path: Path) -> None:
    made = toy(tmp_path, {})
    assert made.subject == "dma-buf: toy"
    assert " - Somebody, May 2020: Do it loudly.\n   Here: done.\n" in made.body
    assert "What is open" not in made.body
    quiet = toy(tmp_path / "quiet", {LEDGER: "# nothing yet\n"})
    assert "What was said" not in quiet.body


@pytest.mark.parametrize(
    ("name", "right", "wrong", "message"),
    [
        (COVER, "dma-buf: toy", "toy", "toy/cover.txt.j2: its first line is 'toy'"),
        (COVER, '"toy/03-ioctl.patch.j2": "two"', "", "common/cover.j2:"),
        (COVER, "cover.patch_list", "cover.patches", "toy/cover.txt.j2:4: "),
        (
            LEDGER,
            '"talk"',
            '"gossip"',
            "toy/history.toml: wrong or missing entry: no thread is named",
        ),
        (LEDGER, 'who = "Somebody"\n', "", "toy/history.toml: wrong or missing entry: "),
        (LEDGER, '"Somebody"', "3", "toy/history.toml: wrong or missing entry: "),
        (LEDGER, "who", "whom", "toy/history.toml: wrong or missing entry: "),
        (LEDGER, "param.loud", "param.proud", "toy/history.toml:5: 'dict object' has no"),
        (LEDGER, "[[remark]]", "[[open]]", "toy/history.toml: wrong or missing entry: 'text'"),
        (LEDGER, "[[remark]]", "remark", "toy/history.toml: Expected '='"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, name: str, right: str, wrong: str, message: str
) -> None:
    assert right in TOY[name]
    with pytest.raises(UserError) as refused:
        toy(tmp_path, {name: TOY[name].replace(right, wrong, 1)})
    assert "\n" not in refused.value.message
    assert message in refused.value.message.replace(f"{tmp_path}/t/", "")


@pytest.mark.parametrize("name", [COVER, LEDGER])
def test_a_series_without_a_letter(tmp_path: Path, name: str) -> None:
    (tmp_path / "t").mkdir()
    environment = tiny.environment(tmp_path / "t", TOY)
    (tmp_path / "t" / name).unlink()
    rendered = render(environment, DirectoryTree(tiny.tree(tmp_path / "tree")), ["toy"], {})
    with pytest.raises(UserError, match=name.rpartition("/")[2]):
        cover(
            environment,
            rendered,
            version=1,
            evidence=None,
            elsewhere=False,
            checked=(),
            base="v6.12",
        )


def test_patches_that_are_not_rendered(linux_612: Path) -> None:
    """The letter says that all of it is from templates, but for what is not."""
    rendered = render(Environment(), DirectoryTree(linux_612), (PFNMAP,), {})
    own = RenderedPatch(PFNMAP, "", Commit("dma-buf: mine\n", {}))
    theirs = replace(rendered, patches=(*rendered.patches, own))
    made = letter(theirs, by_hand=(2, 6))
    check_form(made, theirs)
    said = f"Linux {rendered.tree.version}. Patches 2, 6 are by hand, in part or in whole. Nobody's"
    assert said in one_line(made.body)
    assert "Patch 6 is by hand" in one_line(letter(theirs, by_hand=(6,)).body)
    assert "by hand" not in letter(rendered).body
