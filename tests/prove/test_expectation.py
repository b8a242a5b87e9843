# SPDX-License-Identifier: GPL-2.0-only
"""What proof.toml says of tests is taken as written, for the tree it holds for, or refused."""

from pathlib import Path

import pytest

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.kernel.reports import Kind, Report
from dmabuf_patchgen.prove import expectation
from dmabuf_patchgen.prove.evidence import Outcome
from dmabuf_patchgen.prove.expectation import Expectations
from tests import tiny

TOY = """\
[[test]]
program = "toy"
names = ["small.*", "large.write"]
when = "fact.heap and param.loud"
base = "fail"
says = 'Expected 22 == \\w+'
reason = "it works"

[[test]]
program = "toy"
names = ["oops"]
base = "crash"
says = "kernel BUG"
reason = "the kernel goes down"

[[report]]
program = "toy-warn"
when = "fact.heap"
kind = "WARNING"
says = 'drivers/toy\\.c:'
reason = "it is to warn"

[[boot]]
program = "toy-alone"
"""


def loaded(root: Path, text: str, *, heap: bool = True) -> Expectations:
    environment = tiny.environment(root, {"toy/proof.toml": text})
    context = {"toy": {"fact": {"heap": heap}, "param": {"loud": True}, "arch": "x86_64"}}
    return expectation.load(environment, ["toy"], context)


def test_a_test_is_found_by_its_pattern(tmp_path: Path) -> None:
    found = loaded(tmp_path, TOY)
    assert found.alone == ("toy-alone",)
    one = found.of("toy", "small.read")
    assert one and one.base is Outcome.FAIL and one.reason == "it works"
    assert one.says.search("x: Expected 22 == abc") and not one.says.search("Expected 25 == abc")
    crash = found.of("toy", "oops")
    assert crash and crash.base is Outcome.CRASH
    assert found.of("toy", "large.read") is None
    assert found.of("another", "oops") is None


def test_only_where_its_condition_holds(tmp_path: Path) -> None:
    found = loaded(tmp_path, TOY, heap=False)
    assert found.of("toy", "small.read") is None
    assert found.of("toy", "oops")


def test_a_series_without_any(tmp_path: Path) -> None:
    environment = tiny.environment(tmp_path)
    assert expectation.load(environment, ["toy"], {}) == Expectations((), ())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('base = "crash"', 'base = "skip"', "'skip'"),
        ('names = ["oops"]', 'names = "oops"', "names has to be a list"),
        ('names = ["oops"]', "names = []", "names has to be a list"),
        ('reason = "it works"', 'reason = " "', "reason a text"),
        ("says = 'Expected", "says = '(Expected", "missing )"),
        ('program = "toy-alone"', 'programme = "toy"', "'program'"),
        ('reason = "it works"', 'reason = "it works"\nwhy = "so"', "nothing is called why"),
        ("fact.heap", "fact.heaps", "heaps"),
        ("[[boot]]", "[[boot", "proof.toml"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in TOY
    with pytest.raises(UserError, match=r"proof\.toml") as error:
        loaded(tmp_path, TOY.replace(old, new, 1))
    assert said in error.value.message


def report(**more: str) -> Report:
    line = "WARNING: CPU: 0 PID: 7 at drivers/toy.c:12 toy+0x1/0x2"
    told = {"line": line, "function": "toy", "test": "toy-warn"} | more
    return Report(kind=Kind(told.pop("kind", "WARNING")), frames=("toy",), **told)


def test_a_report_that_a_test_is_there_for(tmp_path: Path) -> None:
    found = loaded(tmp_path, TOY)
    assert found.why(report()) == "it is to warn"
    assert not found.why(report(kind="BUG"))
    assert not found.why(report(test="toy"))
    assert not found.why(report(line="WARNING: CPU: 0 PID: 7 at drivers/other.c:12 toy+0x1/0x2"))
    assert not loaded(tmp_path, TOY, heap=False).why(report())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('kind = "WARNING"', 'kind = "REMARK"', "'REMARK' is not a valid Kind"),
        ('reason = "it is to warn"', 'reason = ""', "report 1: reason has to be a text"),
        ('reason = "it is to warn"', 'base = "fail"', "nothing is called base"),
    ],
)
def test_a_report_that_is_declared_wrong(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        loaded(tmp_path, TOY.replace(old, new))


KUNIT = """\
[[kunit]]
suite = "toy-core"
when = "fact.heap"

[[test]]
program = "toy-core"
names = ["*"]
when = "fact.heap"
base = "absent"
reason = "nothing tests it"
"""


def test_a_suite_that_a_kernel_has_only_with_the_series(tmp_path: Path) -> None:
    found = loaded(tmp_path, KUNIT)
    assert found.suites == ("toy-core",)
    one = found.of("toy-core", "works")
    assert one and one.base is Outcome.ABSENT and one.reason == "nothing tests it"
    assert loaded(tmp_path, KUNIT, heap=False) == Expectations((), ())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('program = "toy-core"', 'program = "toy"', "'toy' is no suite of KUnit's here"),
        ('base = "absent"', 'base = "absent"\nsays = "x"', "says of what is absent"),
        ('base = "absent"', 'base = "fail"', "'says'"),
        ('suite = "toy-core"', 'suites = "toy-core"', "nothing is called suites"),
        ('suite = "toy-core"\n', "", "'suite'"),
    ],
)
def test_a_wrong_suite_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in KUNIT
    with pytest.raises(UserError, match=r"toy/proof\.toml: wrong or missing entry") as refused:
        loaded(tmp_path, KUNIT.replace(old, new))
    assert said in refused.value.message
