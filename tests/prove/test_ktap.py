# SPDX-License-Identifier: GPL-2.0-only
"""KTAP: recorded logs, trees that come back as they were printed, and logs that are damaged."""

import re
import string
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from dmabuf_patchgen.prove import ktap
from dmabuf_patchgen.prove.ktap import Status

LOGS = Path(__file__).parent / "ktap"
NAMES = sorted(path.stem for path in LOGS.glob("*.log"))
KUNIT = ["kunit-5.10", "kunit-7.3"]


def recorded(name: str) -> str:
    # As on the console: carriage returns are part of it.
    return (LOGS / f"{name}.log").read_bytes().decode(errors="replace")


def parsed(name: str) -> ktap.Log:
    return ktap.parse(recorded(name))


def told(log: ktap.Log) -> str:
    """What a log says, for people and for the files beside the recorded logs."""
    lines = [_line(leaf.test, " > ".join(leaf.path)) for leaf in log.leaves()]
    lines += ["", *(_line(group, way) for way, group in _groups("", log.tests))]
    lines += ["", *(f"top: {problem}" for problem in log.problems)]
    lines += [f"{way}: {problem}" for way, test in _all("", log.tests) for problem in test.problems]
    return "\n".join(lines).rstrip("\n") + "\n"


def _line(test: ktap.Test, way: str) -> str:
    return f"{test.status.value:5} {way}" + (f" # {test.reason}" if test.reason else "")


def _all(way: str, tests: tuple[ktap.Test, ...]) -> Iterator[tuple[str, ktap.Test]]:
    for test in tests:
        yield f"{way}{test.name}", test
        yield from _all(f"{way}{test.name} > ", test.subtests)


def _groups(way: str, tests: tuple[ktap.Test, ...]) -> Iterator[tuple[str, ktap.Test]]:
    return ((name, test) for name, test in _all(way, tests) if test.subtests)


def found(log: ktap.Log, name: str) -> ktap.Test:
    [test] = [test for _, test in _all("", log.tests) if test.name == name]
    return test


def passes(log: ktap.Log) -> Counter[tuple[str, ...]]:
    return Counter(leaf.path for leaf in log.leaves() if leaf.test.status is Status.PASS)


def passed(text: str) -> Counter[str]:
    leaves = ktap.parse(text).leaves()
    return Counter(leaf.test.name for leaf in leaves if leaf.test.status is Status.PASS)


# Recorded logs


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_log_says_what_is_written_down(name: str) -> None:
    assert told(parsed(name)) == (LOGS / f"{name}.txt").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_no_result_of_a_recorded_log_is_lost(name: str) -> None:
    # Counted without knowing what a level is: every line with a result is one test.
    results = re.findall(r"^(?:\[[^#]*?\] )?[# ]*(?:not )?ok \d+", recorded(name), re.MULTILINE)
    ended = [
        test
        for _, test in _all("", parsed(name).tests)
        if not {"no result", "ended before its result"} & {*test.problems}
    ]
    assert len(ended) == len(results)


@pytest.mark.parametrize("name", NAMES)
def test_every_log_is_in_the_list(name: str) -> None:
    assert f"| {name}.log |" in (LOGS / "README.md").read_text()
    assert "/tmp/" not in recorded(name)


def test_one_changed_line_is_noticed() -> None:
    log = recorded("runner-7.3")
    for old, new in (
        ("# ok 2 global.says_more", "# not ok 2 global.says_more"),
        ("# SKIP no such device", ""),
        ("# 1..15", "# 1..16"),
    ):
        assert old in log
        assert told(ktap.parse(log.replace(old, new))) != told(ktap.parse(log))


def test_a_crash_names_the_test_it_was_in() -> None:
    log = parsed("boot-6.12-crash")
    last = log.leaves()[-1]
    assert last.path == ("pfnmap.udmabuf.shared",)
    assert last.test.status is Status.FAIL and last.test.problems == ("no result",)
    assert log.problems == ("the plan says 54, 39 seen",)


def test_a_group_that_a_crash_cut_off_is_there() -> None:
    group = parsed("boot-6.12-runner-crash").tests[-1]
    assert group.name == "selftests: drivers/dma-buf: dma-buf-pfnmap"
    assert group.status is Status.FAIL
    assert group.problems == ("ended before its result", "the plan says 54, 39 seen")
    assert len(group.subtests) == 39


def test_expectations_belong_to_the_test_whose_result_follows() -> None:
    failed = found(parsed("runner-7.3"), "global.expects")
    assert failed.diagnostics == (
        "harness.c:15:expects:Expected 5 (5) == 2 + 2 (4)",
        "harness.c:15:expects:Expected 'a # b' == 'ok 1 c'.",
        "expects: Test failed",
        "         FAIL  global.expects",
    )
    one = found(parsed("kunit-7.3"), "kunit_platform_device_add_twice_fails_test")
    assert one.diagnostics == (
        "kunit_platform_device_add_twice_fails_test: EXPECTATION FAILED at "
        "lib/kunit/platform-test.c:56 Expected 0 != kunit_platform_device_add(test, pdev), but "
        "kunit_platform_device_add(test, pdev) == 0 (0x0)",
    )
    killed = found(parsed("runner-7.3"), "global.takes_all_down")
    assert killed.diagnostics == ("dies.c:7:takes_all_down:last words",)


def test_what_is_said_around_the_tests_belongs_to_the_group() -> None:
    group = found(parsed("runner-7.3"), "selftests: subject: dies")
    assert group.diagnostics == (
        "timeout set to 3",
        "Starting 3 tests from 1 test cases.",
        "Killed",
    )
    assert parsed("runner-7.3").diagnostics[-1].startswith("Totals: pass:3 fail:7")
    suite = found(parsed("kunit-7.3"), "kunit_platform_device")
    assert suite.diagnostics[0] == "module: platform_test"
    assert suite.diagnostics[-1] == "Totals: pass:3 fail:1 skip:0 total:4"


def test_a_skip_without_a_name_has_that_of_the_test_that_began() -> None:
    assert "ok 5 # SKIP no such device\n" in recorded("runner-5.10")
    assert found(parsed("runner-5.10"), "global.skips").reason == "no such device"


def test_both_kinds_of_harness_name_the_same_tests() -> None:
    def of_harness(name: str) -> list[str]:
        return [test.name for test in found(parsed(name), "selftests: subject: harness").subtests]

    assert of_harness("runner-5.10") == of_harness("runner-6.12") == of_harness("runner-7.3")


def test_the_reason_of_a_program_that_skips_all_is_in_its_plan() -> None:
    skipped = found(parsed("runner-5.10"), "selftests: subject: leaves")
    assert (skipped.status, skipped.reason) == (Status.SKIP, "/dev/nothing is not there")


def test_colliding_names_do_not_collapse() -> None:
    paths = [leaf.path for leaf in parsed("kunit-7.3").leaves()]
    group = ("example", "example_params_test_with_init_dynamic_arr")
    assert (*group, "fibonacci param: 1") in paths
    assert (*group, "fibonacci param: 1 #2") in paths
    assert len({*paths}) == len(paths)


# The kernel's own parser


def counts(log: str, tree: Path, path: Path) -> dict[str, int]:
    path.write_text(log, newline="")
    said = subprocess.run(
        [sys.executable, tree / "tools/testing/kunit/kunit.py", "parse", path],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    ).stdout
    [line] = re.findall(r"Testing complete\. Ran \d+ tests: (.*)", said)
    return {word: int(number) for word, number in re.findall(r"(\w+): (\d+)", line)}


def counted(log: str) -> dict[str, int]:
    statuses = Counter(leaf.test.status for leaf in ktap.parse(log).leaves())
    words = {"passed": Status.PASS, "failed": Status.FAIL, "skipped": Status.SKIP}
    return {word: statuses[status] for word, status in words.items() if statuses[status]}


@pytest.mark.parametrize("name", KUNIT)
def test_kunit_counts_the_same(name: str, linux_612: Path, tmp_path: Path) -> None:
    log = recorded(name)
    assert counts(log, linux_612, tmp_path / "log") == counted(log)
    # Were both deaf, they would agree as well.
    worse = re.sub(r"( {4})ok (\d+ (?:- )?example_simple_test)", r"\1not ok \2", log)
    assert worse != log
    assert counts(worse, linux_612, tmp_path / "worse") == counted(worse) != counted(log)


def test_kunit_sees_the_same_pass_before_a_crash(linux_612: Path, tmp_path: Path) -> None:
    log = recorded("kunit-7.3-crash")
    theirs = counts(log, linux_612, tmp_path / "log")
    assert theirs["passed"] == counted(log)["passed"]
    # It counts suites that never came as crashed; here the plan tells.
    assert theirs["crashed"] == 12 - 7
    assert parsed("kunit-7.3-crash").problems == ("the plan says 12, 7 seen",)


# Trees, printed in all styles and read again

NAME = (
    st.text("abcXYZ012 _.:-#\\é/(", min_size=1, max_size=12)
    .map(str.strip)
    .filter(lambda name: name and name != "-" and not name.startswith("- "))
)
REASON = st.text(string.ascii_letters + "# =", max_size=12).map(str.strip)
SAID = st.text(string.ascii_letters + " :#", max_size=15).map(lambda text: f"x.c:1:{text}".strip())
DIAGNOSTICS = st.lists(SAID, max_size=2).map(tuple)
NOISE = st.sampled_from(
    [
        "[    1.000000] random: crng init done",
        "[    1.000000][    T1]   ok, this is no result",
        "<4>[    1.000000] ------------[ cut here ]------------",
        "/dev/dma_heap:",
        "ok then",
        "not okay 1",
        "1 .. 2",
        "\x1b[0mSeaBIOS\ufffd",
        "",
    ]
)


@st.composite
def leaf(draw: st.DrawFn) -> ktap.Test:
    status = draw(st.sampled_from(Status))
    reason = draw(REASON)
    if status in {Status.PASS, Status.FAIL}:
        assume(not re.match("skip|todo|xfail", reason, re.IGNORECASE))
    return ktap.Test(draw(NAME), status, reason, draw(DIAGNOSTICS), (), ())


@st.composite
def group(draw: st.DrawFn, subtests: st.SearchStrategy[ktap.Test]) -> ktap.Test:
    tests = tuple(draw(st.lists(subtests, min_size=1, max_size=4)))
    failed = any(test.status is Status.FAIL for test in tests)
    status = Status.FAIL if failed else Status.PASS
    return ktap.Test(draw(NAME), status, "", draw(DIAGNOSTICS), tests, ())


TREES = st.lists(st.recursive(leaf(), group, max_leaves=8), min_size=1, max_size=4).map(tuple)


@st.composite
def styles(draw: st.DrawFn) -> Callable[[tuple[ktap.Test, ...]], str]:
    """A way to print tests: KUnit's, kselftest's, or the one inside the other."""
    units = draw(st.lists(st.sampled_from(["    ", "# ", "  "]), min_size=8, max_size=8))
    kunit = set(units) == {"    "} or draw(st.booleans())
    stamp = draw(st.sampled_from(["", "[    0.123456] ", "<6>[   12.345678][   T12] ", "[   T1] "]))
    ending = draw(st.sampled_from(["\n", "\r\n"]))
    hyphen = draw(st.sampled_from(["", "- "]))
    noise = draw(st.lists(st.tuples(st.integers(0, 60), NOISE), max_size=6))
    plan_first = draw(st.booleans())
    announced = draw(st.booleans())

    def lines(tests: tuple[ktap.Test, ...], depth: int) -> Iterator[str]:
        indent = "".join(units[:depth])
        yield f"{indent}{'KTAP version 1' if kunit else 'TAP version 13'}"
        if plan_first:
            yield f"{indent}1..{len(tests)}"
        for number, test in enumerate(tests, 1):
            if announced and not kunit and not test.subtests:
                yield f"{indent}#  RUN           {test.name} ..."
            yield from (f"{indent}# {said}" for said in test.diagnostics)
            if test.subtests:
                if kunit and announced:
                    yield f"{indent}{units[depth]}# Subtest: {test.name}"
                yield from lines(test.subtests, depth + 1)
            yield f"{indent}{result(number, test)}"
        if not plan_first:
            yield f"{indent}1..{len(tests)}"

    def result(number: int, test: ktap.Test) -> str:
        ok = "ok" if test.status in {Status.PASS, Status.SKIP, Status.XFAIL} else "not ok"
        said = f"{ok} {number} {hyphen}" + test.name.replace("#", r"\#")
        if test.status in {Status.PASS, Status.FAIL}:
            return f"{said} # {test.reason}" if test.reason else said
        return f"{said} # {test.status.name} {test.reason}".rstrip()

    def printed(tests: tuple[ktap.Test, ...]) -> str:
        out = [stamp + line for line in lines(tests, 0)]
        for place, line in noise:
            out.insert(min(place, len(out)), line)
        return "".join(line + ending for line in out)

    return printed


@given(TREES, styles())
@settings(max_examples=200)
def test_what_is_printed_is_read(
    tests: tuple[ktap.Test, ...], printed: Callable[[tuple[ktap.Test, ...]], str]
) -> None:
    log = ktap.parse(printed(tests))
    assert log == ktap.Log(tests, ())


@given(TREES, styles(), st.data())
@settings(max_examples=150)
def test_the_beginning_of_a_log_passes_no_test_that_the_whole_does_not(
    tests: tuple[ktap.Test, ...],
    printed: Callable[[tuple[ktap.Test, ...]], str],
    data: st.DataObject,
) -> None:
    text = printed(tests)
    part = text[: data.draw(st.integers(0, len(text)))]
    # By name alone: a group is named by its last line.
    assert passed(part) <= passed(text)


@pytest.mark.parametrize("name", NAMES)
def test_the_beginning_of_a_recorded_log_passes_no_other_test(name: str) -> None:
    text = recorded(name)
    whole = passes(ktap.parse(text))
    # Every line's end is too many; of results all the letters are wanted.
    cuts = [found.end() for found in re.finditer("ok 1?.?|[a-z]\r?\n", text)]
    for cut in cuts[:: 1 + len(cuts) // 100]:
        assert passes(ktap.parse(text[:cut])) <= whole


@pytest.mark.parametrize("name", ["runner-7.3", "boot-7.3-runner", *KUNIT])
def test_a_log_with_one_plan_tells_that_it_is_cut_off(name: str) -> None:
    text = recorded(name)
    ends = [found.end() for found in re.finditer("\n", text)]
    results = [found.end() for found in re.finditer(r"(^|\] )(not )?ok .*\n", text, re.MULTILINE)]
    for cut in [end for end in ends if end < results[-1]][::9]:
        assert ktap.parse(text[:cut]).problems
    assert ktap.parse(text[: results[-1]]).problems == ()


# Damage


@given(st.text())
@example("\x1b[" * 9 + "[ " * 9 + "<1>[ 1.1]")
def test_any_text_is_read(text: str) -> None:
    ktap.parse(text)


LINE = st.one_of(
    st.builds(
        "{}{}".format,
        st.text("# ", max_size=40),
        st.sampled_from(
            [
                "ok 1 a",
                "ok 2 a",
                "not ok 1 a # SKIP",
                "ok",
                "ok - b",
                "ok 999999999",
                "1..2",
                "1..0 # SKIP no device",
                "KTAP version 1",
                "# Subtest: a",
                "# Subtest: b",
                "#  RUN           a ...",
                "# selftests: x: y",
                "Bail out! a",
                "# a",
            ]
        ),
    ),
    NOISE,
)


@given(st.lists(LINE, max_size=30))
@settings(max_examples=200)
def test_any_order_of_lines_is_read(lines: list[str]) -> None:
    log = ktap.parse("\n".join(lines) + "\n")
    paths = [leaf.path for leaf in log.leaves()]
    assert len({*paths}) == len(paths)
    assert all(all(path) for path in paths)
    assert log.tests or log.problems


#: Each many times over is a text that a careless pattern or stack takes for ever to read.
PIECES = [
    *("a", " ", "\t", "#", "# ", " #", "\\#", "9", "- ", "ok ", "ok 1 ", " RUN ", "\r"),
    *("[", "[ 1.0] ", "<1>", "\x1b[", "not ok 1 # SKIP "),
    *("ok 1 a\n", "# ok 1 a\n# # ok 1 a\n", "1..1\n", "KTAP version 1\n", "Bail out!\n"),
    *("# a\n", "#  RUN  a ...\n", "    # Subtest: a\n"),
]


@pytest.mark.parametrize("piece", PIECES)
def test_time_grows_with_the_text_and_no_faster(piece: str) -> None:
    def seconds(size: int) -> float:
        text = piece * (size // len(piece))
        runs = []
        for _ in range(3):
            start = time.process_time()
            ktap.parse(text + "\n").leaves()
            runs.append(time.process_time() - start)
        return min(runs)

    # Sixteen times the text; what is squared takes 256 times the time, a busy machine not 64.
    assert seconds(240_000) < 64 * max(seconds(15_000), 0.003)


def test_deeper_and_deeper_is_read() -> None:
    text = "".join(f"{' ' * depth}ok 1 a\n" for depth in range(2000))
    assert ktap.parse(text).leaves()


@pytest.mark.parametrize("width", [1, 4])
def test_further_and_further_out_is_read(width: int) -> None:
    """Each line could be the result of the group before it."""
    lines = [f"{' ' * width * n}ok 1 t{n}\n" for n in reversed(range(1000))]
    log = ktap.parse("".join(lines))
    depth = max(len(leaf.path) for leaf in log.leaves())
    assert depth <= 18
    # What is not taken for a group is no pass.
    assert any(test.status is Status.FAIL and ktap.ENDED in test.problems for test in log.tests)


def test_five_megabytes_take_seconds_and_not_minutes() -> None:
    text = recorded("boot-7.3-runner")
    text *= 5_000_000 // len(text)
    start = time.process_time()
    log = ktap.parse(text)
    assert time.process_time() - start < 20
    assert len(log.tests) > 300


def without(log: str, line: str) -> ktap.Log:
    assert log.count(line) == 1
    return ktap.parse(log.replace(line, ""))


def test_a_missing_result_is_told() -> None:
    log = without(recorded("boot-6.1-patched"), "ok 17 pfnmap.system_heap.private_none\n")
    assert log.problems == ("the plan says 54, 53 seen", "missing: 17")
    lost = found(log, "pfnmap.system_heap.private_none")
    assert lost.status is Status.FAIL and lost.problems == ("no result",)


def test_a_missing_plan_is_told_where_nothing_else_tells_of_the_end() -> None:
    log = without(recorded("boot-6.1-patched"), "1..54\n")
    assert log.problems == ("no plan, so nobody knows whether results are missing",)
    # The suite's own result shows that it came to its end.
    assert parsed("kunit-7.3").problems == ()
    assert found(parsed("kunit-7.3"), "example_params_test").problems == ()


def test_the_lost_result_of_a_group_is_told() -> None:
    log = without(recorded("runner-7.3"), "not ok 5 selftests: subject: plain # exit=1\n")
    lost = found(log, "selftests: subject: plain")
    assert lost.status is Status.FAIL and lost.problems[0] == "ended before its result"
    assert found(log, "selftests: subject: bails").subtests[0].name == "opens"
    line = re.search(r".*\] ok \d+ dma-buf-fence\r\n", recorded("kunit-7.3"))
    assert line
    log = without(recorded("kunit-7.3"), line[0])
    assert found(log, "dma-buf-fence").problems == ("ended before its result",)
    assert found(log, "dma-buf-fence-chain").problems == ()


def test_numbers_are_checked() -> None:
    log = recorded("boot-6.1-patched")
    line = "ok 3 pfnmap.system_heap_page.private_read\n"
    twice = ktap.parse(log.replace(line, line * 2))
    assert twice.problems == ("number 3 is there twice", "the plan says 54, 55 seen")
    assert "pfnmap.system_heap_page.private_read #2" in [x.path[0] for x in twice.leaves()]
    back = ktap.parse("TAP version 13\n1..3\nok 1 a\nok 3 c\nok 2 b\n")
    assert back.problems == ("number 2 comes after 3",)


def test_a_last_line_without_an_end_is_no_result() -> None:
    log = recorded("runner-5.10")
    assert log.endswith("ok 2 selftests: other: silent.sh\n")
    cut = ktap.parse(log[:-8])
    assert cut.tests[-1].status is Status.FAIL and cut.tests[-1].problems == ("no result",)
    assert cut.problems == (
        "the plan says 2, 1 seen",
        "the last line is cut off: ok 2 selftests: other: si",
    )
    assert ktap.parse("TAP version 13\n1..1\n# last words").diagnostics == ("last words",)


def test_a_line_that_a_kernel_message_cuts_is_no_result() -> None:
    log = recorded("boot-6.1-patched").replace(
        "ok 3 pfnmap.system_heap_page.private_read\n",
        "ok 3 pfnmap.system_[    4.123456] ------------[ cut here ]------------\n"
        "heap_page.private_read\n",
    )
    cut = ktap.parse(log)
    assert cut.problems[0].startswith("a kernel message cuts off: ok 3 pfnmap.system_[")
    assert found(cut, "pfnmap.system_heap_page.private_read").problems == ("no result",)


def test_a_group_keeps_its_status_and_says_what_is_odd() -> None:
    log = recorded("runner-7.3")
    good = ktap.parse(log.replace("not ok 3 selftests: subject: harness # exit=1", "ok 3 x"))
    assert good.tests[2].status is Status.PASS
    assert good.tests[2].problems == ("says pass, but a subtest failed",)
    log = recorded("boot-7.3-runner")
    bad = ktap.parse(log.replace("# not ok", "# ok"))
    assert bad.tests[0].status is Status.FAIL
    assert bad.tests[0].problems == ("says not ok, but no subtest failed",)


# What the recorded logs have no line for


def one(line: str) -> ktap.Test:
    [test] = ktap.parse(f"KTAP version 1\n1..1\n{line}\n").tests
    return test


@pytest.mark.parametrize(
    ("line", "name", "status", "reason"),
    [
        ("ok 1 a", "a", Status.PASS, ""),
        ("ok 1 - a b", "a b", Status.PASS, ""),
        ("ok 1", "#1", Status.PASS, ""),
        ("ok 1 a#b #2", "a#b #2", Status.PASS, ""),
        (r"ok 1 a \# SKIP b", "a # SKIP b", Status.PASS, ""),
        ("ok 1 a # rcode=0", "a", Status.PASS, "rcode=0"),
        ("ok 1 a #  said so", "a", Status.PASS, "said so"),
        ("ok 1 a # XPASS unknown", "a", Status.PASS, "XPASS unknown"),
        ("ok 1 a # skip", "a", Status.SKIP, ""),
        ("ok 1 a #SKIP b", "a", Status.SKIP, "b"),
        ("not ok 1 a # SKIP b # c", "a", Status.SKIP, "b # c"),
        ("ok 1 # Skipped: b", "#1", Status.SKIP, "b"),
        ("not ok 1 a # TODO b", "a", Status.TODO, "b"),
        ("ok 1 a # TODO", "a", Status.TODO, ""),
        ("not ok 1 a # XFAIL b", "a", Status.XFAIL, "b"),
        ("not ok 1 a # TIMEOUT 45 seconds", "a", Status.FAIL, "TIMEOUT 45 seconds"),
        ("not ok 1 # error a", "#1", Status.FAIL, "error a"),
    ],
)
def test_a_line_says(line: str, name: str, status: Status, reason: str) -> None:
    test = one(line)
    assert (test.name, test.status, test.reason) == (name, status, reason)


@pytest.mark.parametrize("line", ["okay 1", "ok 1a b", "ok boot", "OK 1 a", "not  ok 1 a", "oknot"])
def test_a_line_is_no_result(line: str) -> None:
    log = ktap.parse(f"KTAP version 1\n1..1\n{line}\n")
    assert log.tests == () and log.problems == ("the plan says 1, 0 seen",)


def test_a_result_may_lack_a_number_where_results_are_expected() -> None:
    assert ktap.parse("ok\nok - b\n").tests == ()
    log = ktap.parse("TAP version 13\n1..2\nok\nok - b\n")
    assert [test.name for test in log.tests] == ["#1", "b"]
    assert log.problems == ("result 1 has no number", "result 2 has no number")


def test_a_log_without_results_is_a_problem() -> None:
    assert ktap.parse("").problems == ("no results",)
    assert ktap.parse("[    0.000000] Linux version\n").problems == ("no results",)
    assert ktap.parse("TAP version 13\n1..0 # SKIP no device\n").problems == (
        "all is skipped: no device",
    )


def test_a_group_that_skips_all_and_says_ok_is_odd() -> None:
    log = ktap.parse("1..1\n# TAP version 13\n# 1..0 # SKIP no device\nok 1 a\n")
    assert log.tests[0].problems == ("all is skipped: no device",)


def test_groups_that_end_together_are_kept_apart() -> None:
    log = ktap.parse("1..1\n    1..1\n        1..1\n        ok 1 a\nok 1 b\n")
    [leaf] = log.leaves()
    assert leaf.path == ("b", "#1", "a")
    assert log.tests[0].subtests[0].problems == ("ended before its result",)


def test_a_second_plan_is_of_a_second_program() -> None:
    assert ktap.parse("1..1\nok 1 a\n1..2\nok 1 b\nok 2 c\n").problems == ()
    assert ktap.parse("1..2\nok 1 a\n1..1\nok 1 b\n").problems == ("the plan says 2, 1 seen",)


def test_what_looks_like_a_beginning_elsewhere_is_only_said() -> None:
    log = ktap.parse("TAP version 13\n1..1\n# #  RUN           b ...\n# # c\nok 1 a\n")
    assert log.tests[0].diagnostics == ("#  RUN           b ...", "# c")
    assert log.problems == ()


def test_what_a_terminal_hides_is_not_read() -> None:
    log = ktap.parse(
        "\x1bc\x1b[?7l\x1b[2JTAP version 13\n1..1\n50 %\r100 %\r\x1b[1mok 1 a\x1b[0m\r\r\n"
    )
    assert [test.name for test in log.tests] == ["a"]
    assert log.problems == ()
