# SPDX-License-Identifier: GPL-2.0-only
"""Hostile C: a hunk goes where it belongs, or is refused; never anywhere else."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from dmabuf_patchgen.render.edit import State, apply
from dmabuf_patchgen.render.patch_text import parse
from dmabuf_patchgen.render.place import PlaceError
from tests.render.hostile import Case, cases, hostile, same

#: Where places are taken from: what this project edits, and what is written in other hands.
FILES = (
    "drivers/dma-buf/*.c", "drivers/dma-buf/heaps/*.c", "include/linux/dma-buf.h",
    "include/uapi/linux/dma-buf.h", "include/uapi/linux/udmabuf.h", "mm/page_alloc.c",
    "mm/mmap.c", "net/netfilter/nf_nat_core.c", "drivers/gpu/drm/drm_prime.c",
    "drivers/gpu/drm/i915/gem/i915_gem_dmabuf.c", "drivers/media/common/videobuf2/*.c",
    "fs/ioctl.c", "kernel/fork.c", "lib/vsprintf.c", "include/uapi/linux/videodev2.h",
)  # fmt: skip


def places(tree: Path) -> list[Case]:
    """Places of a tree, as many of each form as there are of the rarest, or some hundreds."""
    found = [case for name in FILES for path in sorted(tree.glob(name)) for case in cases(path)]
    by_form: dict[str, list[Case]] = {}
    for case in found:
        by_form.setdefault(case.form.name, []).append(case)
    return [case for group in by_form.values() for case in group[:: max(1, len(group) // 100)]]


def outcome(case: Case) -> str:
    """What comes of a case: right, refused, needless (refused for nothing) or wrong."""
    (hunk,) = parse("t", f"s\n\n--- x.c\n{case.patch}").hunks
    expected = case.expected
    try:
        done = apply(hunk, case.body)
    except PlaceError as error:
        return "refused" if expected is None else f"needless: {error.why.value}"
    if done.state is not State.APPLIED or expected is None:
        return "wrong"
    if case.crlf and done.body.count(b"\n") != done.body.count(b"\r\n"):
        return "wrong"
    if not same(done.body, expected):
        return "wrong"
    # A comment that belongs to a definition stays beside it.
    new, belongs = done.body.rfind(b"patchgen_new"), done.body.find(b"BELONGS")
    if case.form.name == "FUNCTION_BEFORE" and 0 <= belongs < new:
        return "wrong"
    if case.form.name == "FUNCTION_AFTER" and belongs > new:
        return "wrong"
    return "right"


def run(tree: Path, examples: int, *, luck: bool = False) -> Counter[str]:
    """Try so many cases, by luck others each time; what came of them."""
    found = places(tree)
    assert len({case.form for case in found}) == 12
    counted: Counter[str] = Counter()

    @settings(
        max_examples=examples, deadline=None, database=None, derandomize=not luck,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )  # fmt: skip
    @given(hostile(found))
    def holds(case: Case) -> None:
        came = outcome(case)
        counted[came] += 1
        assert came != "wrong", f"{case.form.name} {case.owner} {case.done}\n{case.patch}"

    holds()
    return counted


def test_untouched_places_are_right(linux_612: Path) -> None:
    """The judge's own control: with nothing changed around it, each place is right."""
    came = Counter(outcome(case) for case in places(linux_612)[::7])
    assert came["wrong"] == 0 and came["right"] > 0.9 * came.total(), came


def test_the_judge_sees_what_is_wrong(linux_612: Path) -> None:
    case = next(c for c in places(linux_612) if c.form.name == "STATEMENT_AFTER")
    assert case.expected
    assert same(case.expected, case.expected.replace(b"\npatchgen", b"/* so */ patchgen"))
    assert not same(case.expected, case.body)
    wrong = case.body.replace(case.item.encode(), case.form.new.encode() + case.item.encode())
    assert not same(case.expected, wrong)


def test_never_in_the_wrong_place(linux_612: Path, capsys: pytest.CaptureFixture[str]) -> None:
    came = run(linux_612, 300)
    with capsys.disabled():
        print(f"\nhostile C: {_told(came)}")


@pytest.mark.all
def test_never_in_the_wrong_place_at_length(
    linux_612: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    came = run(linux_612, 10_000, luck=True)
    with capsys.disabled():
        print(f"\nhostile C: {_told(came)}")


def _told(came: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(came.items()))
