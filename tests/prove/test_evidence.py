# SPDX-License-Identifier: GPL-2.0-only
"""Evidence is taken as it is documented, and refused, with file and key, in every other form."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.prove.evidence import FORM, Accelerator, Outcome, Verdict, load
from tests.conftest import CHECKOUT
from tests.prove.schema import SCHEMA

DOCUMENT = (CHECKOUT / "docs" / "evidence.md").read_text()
_SHOWN = re.search(r"^```json\n(.*?)^```$", DOCUMENT, re.M | re.S)
assert _SHOWN
#: The example of the document, which is therefore true.
SHOWN: dict[str, Any] = json.loads(_SHOWN[1])


def written(root: Path, *changes: tuple[str, Any]) -> Path:
    """The example with changes in a file. A change: the keys on the way, and the value, or ..."""
    held = copy.deepcopy(SHOWN)
    for way, value in changes:
        *above, last = [int(key) if key.isdecimal() else key for key in way.split(".")]
        place: Any = held
        for key in above:
            place = place[key]
        if value is ...:
            del place[last]
        else:
            place[last] = value
    path = root / "evidence.json"
    path.write_text(json.dumps(held), encoding="utf-8")
    return path


def refused(path: Path, *, by_schema: bool = True) -> str:
    """What is said of a file that is no evidence, neither here nor by the schema."""
    if by_schema:
        assert not SCHEMA.is_valid(json.loads(path.read_text()))
    with pytest.raises(UserError) as error:
        load(path)
    assert "\n" not in error.value.message
    assert error.value.message.startswith(f"{path}: ")
    return error.value.message.removeprefix(f"{path}: ")


def test_the_schema_is_one() -> None:
    SCHEMA.check_schema(SCHEMA.schema)
    said = SCHEMA.schema
    assert said["properties"]["form"]["const"] == FORM
    assert {*said["required"]} == {*said["properties"]} == {*SHOWN}


def test_the_example_of_the_document(tmp_path: Path) -> None:
    SCHEMA.validate(SHOWN)
    evidence = load(written(tmp_path))
    assert evidence.proved
    assert evidence.tree.version == "5.10.262"
    assert evidence.runner.accelerator is Accelerator.TCG
    assert evidence.configuration == tuple(SHOWN["configuration"])
    assert [test.base for test in evidence.tests] == [Outcome.FAIL, Outcome.PASS]
    assert evidence.named("proved") == ("dma-buf-pfnmap.system.private",)
    assert evidence.named("control") == ("dma-buf-pfnmap.system.shared",)
    assert evidence.named("regression") == ()


def test_every_key_and_word_is_documented() -> None:
    for key in (*SHOWN, *SHOWN["tests"][0], *SHOWN["tree"], *SHOWN["runner"], *SHOWN["debug"][0]):
        assert f"`{key}`" in DOCUMENT
    for kind in (Outcome, Verdict, Accelerator):
        for member in kind:
            assert f"`{member.value}`" in DOCUMENT


def test_other_keys_may_stand_beside_them(tmp_path: Path) -> None:
    path = written(tmp_path, ("seconds", 9), ("tests.0.seconds", 2))
    assert load(path).proved
    SCHEMA.validate(json.loads(path.read_text()))


@pytest.mark.parametrize("form", [0, 2, 1.5, "1", True, None, [1]])
def test_evidence_of_another_form(tmp_path: Path, form: Any) -> None:
    # Whatever else is in it: nothing of it is read.
    path = written(tmp_path, ("form", form), ("tests", "ok"))
    said = f"form: evidence of form {json.dumps(form)}, and only form {FORM} is read"
    assert refused(path) == said


def test_it_is_of_these_patches_and_no_others(tmp_path: Path) -> None:
    evidence = load(written(tmp_path, ("patch_ids", ["a", "b"])))
    assert evidence.matches(["a", "b"])
    assert not any(map(evidence.matches, (["a"], ["b", "a"], ["a", "b", "c"], [])))


@pytest.mark.parametrize("key", [*SHOWN, "tree.id", "tree.version", "runner.qemu"])
def test_a_key_that_is_missing(tmp_path: Path, key: str) -> None:
    assert refused(written(tmp_path, (key, ...))) == f"{key} is missing"


@pytest.mark.parametrize("key", [*SHOWN["tests"][0]])
def test_a_key_of_a_test_that_is_missing(tmp_path: Path, key: str) -> None:
    assert refused(written(tmp_path, (f"tests.1.{key}", ...))) == f"tests[1].{key} is missing"


_OFF = "of a checker that is on, or none of one that is not"


@pytest.mark.parametrize(
    ("way", "value", "said"),
    [
        ("tool", 1, "tool: not a text"),
        ("tool", "", "tool: empty"),
        ("tool", " ", "tool: empty"),
        ("command", "a\nb", "command: not a text of one line"),
        ("toolchain", "gcc\x1b[31m", "toolchain: not a text of one line"),
        ("tree", "6.12", "tree: not an object"),
        ("tree.version", 6.12, "tree.version: not a text"),
        ("runner.accelerator", "xen", "runner.accelerator: 'xen' is none of tcg, kvm"),
        ("configuration", "CONFIG_A=y", "configuration: not a list"),
        ("configuration.1", None, "configuration[1]: not a text"),
        ("patch_ids", {"a": "b"}, "patch_ids: not a list"),
        ("patch_ids.0", ["a"], "patch_ids[0]: not a text"),
        ("tests", {}, "tests: not a list"),
        ("tests.0", "ok", "tests[0]: not an object"),
        (
            "tests.0.base",
            "broken",
            "tests[0].base: 'broken' is none of pass, fail, skip, crash, absent",
        ),
        ("tests.0.base_reason", None, "tests[0].base_reason: not a text"),
        ("debug.0.on", 1, "debug[0].on: neither true nor false"),
        ("debug.0.symbol", "", "debug[0].symbol: empty"),
        ("debug.0.why", "x", f"debug[0].why: {_OFF}"),
        ("debug.1.why", "", f"debug[1].why: {_OFF}"),
        ("reports", {}, "reports: not a list"),
        ("reports.0.tip", 1, "reports[0].tip: neither true nor false"),
        ("reports.0.line", "", "reports[0].line: empty"),
        ("changes.0.patch", 0, "changes[0].patch: not a number from 1 on"),
        ("changes.0.patch", True, "changes[0].patch: not a number from 1 on"),
        ("logs", ["base.log"], "logs: not an object"),
        ("logs", {"a\nb": ""}, "logs: a name that is not a text of one line"),
        ("logs", {"base.log": 1}, "logs.base.log: not a text"),
        ("verdict", True, "verdict: not a text"),
        ("verdict", "fine", "verdict: 'fine' is neither proved nor not proved"),
    ],
)
def test_a_value_that_is_wrong(tmp_path: Path, way: str, value: Any, said: str) -> None:
    assert refused(written(tmp_path, (way, value))) == said


@pytest.mark.parametrize(
    ("way", "value"),
    [
        ("tests.0.base", "pass"),
        ("tests.0.base", "skip"),
        ("tests.0.base_reason", ""),
        ("tests.0.tip", "fail"),
        ("tests.1.base", "skip"),
        ("tests.1.tip", "crash"),
    ],
)
def test_a_test_that_says_more_than_it_showed(tmp_path: Path, way: str, value: str) -> None:
    said = refused(written(tmp_path, (way, value)))
    assert said.startswith(f"tests[{way[6]}].verdict: ")
    assert "is not what" in said


@pytest.mark.parametrize(
    "changes",
    [
        (("verdict", "not proved"),),
        (("tests", []),),
        (("tests.1", ...),),
        (("tests.0", ...),),
        (("tests.1.verdict", "regression"), ("tests.1.tip", "fail")),
        (("tests.0.verdict", "not proved"), ("tests.0.base", "skip")),
        (("problems", ["patch 2 does not build"]),),
    ],
)
def test_a_verdict_that_says_more_than_the_tests(
    tmp_path: Path, changes: tuple[tuple[str, Any], ...]
) -> None:
    assert "is not what the tests say" in refused(written(tmp_path, *changes))


def test_a_report_that_is_new_and_that_nobody_asked_for_is_a_problem(tmp_path: Path) -> None:
    assert "which is new on the tip" in refused(written(tmp_path, ("reports.0.wanted", "")))
    unasked = ("reports.0.wanted", "")
    assert load(written(tmp_path, unasked, ("reports.0.base", True))).proved
    told = written(tmp_path, unasked, ("problems", ["it warns"]), ("verdict", "not proved"))
    assert not load(told).proved
    SCHEMA.validate(json.loads(told.read_text()))


def test_a_proof_that_failed_is_evidence_too(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        ("verdict", "not proved"),
        ("tests.0.verdict", "not proved"),
        ("tests.0.base", "skip"),
    )
    evidence = load(path)
    SCHEMA.validate(json.loads(path.read_text()))
    assert not evidence.proved and evidence.named("not proved") == (SHOWN["tests"][0]["name"],)


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    assert load(written(tmp_path)).as_dict() == SHOWN


def test_a_crash_on_the_base_can_prove_something(tmp_path: Path) -> None:
    assert load(written(tmp_path, ("tests.0.base", "crash"))).proved


def test_a_name_that_stands_there_twice(tmp_path: Path) -> None:
    name = SHOWN["tests"][0]["name"]
    said = refused(written(tmp_path, ("tests.1.name", name)), by_schema=False)
    assert said == f"tests: {name} stands there more than once"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON: Expecting value"),
        (b"{", "not JSON: "),
        (b"\xff", "not JSON: "),
        (b"[" * 100_000, "not JSON: "),
        (b"[]", "the whole: not an object"),
        (b"null", "the whole: not an object"),
    ],
)
def test_a_file_that_holds_something_else(tmp_path: Path, body: bytes, said: str) -> None:
    path = tmp_path / "evidence.json"
    path.write_bytes(body)
    assert refused(path, by_schema=False).startswith(said)


def test_a_checker_that_no_kernel_had(tmp_path: Path) -> None:
    path = written(tmp_path, ("configuration", ["# CONFIG_KASAN is not set"]))
    assert refused(path, by_schema=False) == (
        "debug: CONFIG_KASAN is on, and no line of the configuration"
    )


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.json", by_schema=False) == "No such file or directory"
    assert refused(tmp_path, by_schema=False) == "Is a directory"
