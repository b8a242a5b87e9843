# SPDX-License-Identifier: GPL-2.0-only
"""What the KUnit tests of dma-buf-kunit are worth: how many mutants of dma-buf.c they find."""

import json
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dmabuf_patchgen.debian.busybox import busybox
from dmabuf_patchgen.debian.sources import Row
from dmabuf_patchgen.kernel import architecture, qemu
from dmabuf_patchgen.kernel.bootable import State
from dmabuf_patchgen.kernel.boots import KUNIT, Boots
from dmabuf_patchgen.kernel.image import Kernels
from dmabuf_patchgen.prove import comparison
from dmabuf_patchgen.prove.evidence import Outcome
from dmabuf_patchgen.render import application
from dmabuf_patchgen.render.environment import Environment
from dmabuf_patchgen.render.patch_text import parse
from dmabuf_patchgen.render.series import render
from dmabuf_patchgen.tree.source import KernelTree, Overlay, open_tree
from tests.conftest import CACHE, Cli

SERIES, SUITE = "dma-buf-kunit", "dma-buf"
CORE = "drivers/dma-buf/dma-buf.c"
MUTANTS = Path(__file__).with_name("mutants.toml")
#: What is to be found of them.
SHARE = 0.9

#: Boots a kernel with the suite, and dma-buf.c as given; the tests that did not pass.
Suite = Callable[[str, bytes], dict[str, str]]


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mistake in dma-buf.c. lives: why no test can find it, empty if one should."""

    function: str
    has: str
    gets: str
    lives: str

    @property
    def label(self) -> str:
        """Where, and what is another there."""
        return f"{self.function}: {self.has!r} -> {self.gets!r}"

    def planted(self, tree: KernelTree) -> bytes:
        """dma-buf.c with it."""
        gets = f"+{self.gets}\n" if self.gets else ""
        text = f"mutant\n\n--- {CORE}\n@@ function {self.function} @@\n-{self.has}\n{gets}"
        applied = application.apply(parse("mutants.toml", text), Overlay(tree, {}))
        body = applied.files.get(CORE)
        assert body and not applied.troubles, (self.label, applied.troubles)
        return body


def mutants() -> list[Mutant]:
    entries = tomllib.loads(MUTANTS.read_text(encoding="utf-8"))["mutant"]
    return [Mutant(one["in"], one["has"], one["gets"], one.get("lives", "")) for one in entries]


def test_a_series_of_tests_alone_is_proved(cli: Cli, kunit_row: Row) -> None:
    done = cli("-C", kunit_row.path, "prove", SERIES, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    evidence = json.loads(done.stdout)
    tests = {test["name"]: test for test in evidence["tests"]}
    own = [test for name, test in tests.items() if name.startswith(f"{SUITE}:")]
    assert len(own) > 50
    assert {(test["base"], test["tip"], test["verdict"]) for test in own} == {
        ("absent", "pass", "proved")
    }
    controls = [name for name, test in tests.items() if test["verdict"] == "control"]
    assert controls and all(name.startswith("dma-buf-resv:") for name in controls)
    assert evidence["verdict"] == "proved" and not evidence["reports"]


@pytest.fixture
def suite(kunit_row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Suite]:
    """A tree with the series. Nothing that is kept for others is put out for these kernels."""
    kept = tmp_path / CACHE.name
    kept.mkdir()
    for kind in CACHE.iterdir():
        if kind.name not in ("boots", "kernels"):
            (kept / kind.name).symlink_to(kind)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    tree = open_tree(kunit_row.path)
    rendered = render(Environment(), tree, [SERIES], {})
    series = {path: body for one in rendered.commits for path, body in one.files.items()}
    machine = architecture.here().chosen()
    with Kernels(
        Environment(), tree, machine, [SERIES], {*series, CORE}, lambda _: None, kunit=True
    ) as kernels:
        tests = kernels.tests(State("tests", series))
        guests = Boots(
            machine, qemu, 120, busybox(machine), tmp_path, lambda _: None, kunit=True,
            # The others take most of the time.
            arguments=[f"kunit.filter_glob={SUITE}"],
        )  # fmt: skip
        names = [tests.names[0], f"{KUNIT}:{SUITE}"]

        def run(label: str, core: bytes) -> dict[str, str]:
            kernel = kernels.kernel(State(label, {**series, CORE: core}))
            said = comparison.read([(names, guests.boot(label, kernel, tests, names))])
            found = {test: one for (program, test), one in said.items() if program == SUITE}
            assert found
            wrong = {test: one for test, one in found.items() if one.outcome is not Outcome.PASS}
            # Of a suite that ran to its end: what else there may be.
            if len(found) > 1 and wrong.get("") and wrong[""].outcome is Outcome.ABSENT:
                del wrong[""]
            return {test: one.why for test, one in wrong.items()}

        yield run


def test_mutants_are_found(suite: Suite, kunit_row: Row) -> None:
    tree = open_tree(kunit_row.path)
    assert suite("as it is", tree.read(CORE)) == {}
    found, missed = {}, []
    for one in mutants():
        wrong = suite(one.label, one.planted(tree))
        if wrong:
            found[one.label] = wrong
        else:
            missed.append(one.label)
        print(f"{'found' if wrong else 'MISSED'}  {one.label}: {next(iter(wrong.items()), '')}")
    assert len(found) >= SHARE * len(mutants()), missed
    assert missed == [one.label for one in mutants() if one.lives]


def test_each_mutant_can_be_planted(kunit_row: Row) -> None:
    tree = open_tree(kunit_row.path)
    planted = {one.planted(tree) for one in mutants()}
    assert len(planted) == len(mutants()) >= 20
    assert tree.read(CORE) not in planted
