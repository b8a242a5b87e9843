# SPDX-License-Identifier: GPL-2.0-only
"""Each check finds what was planted for it, and nothing where nothing was."""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from dmabuf_patchgen.check import checks, commits
from dmabuf_patchgen.check.report import Finding, Report, b4_lines
from dmabuf_patchgen.errors import MissingTool, UserError
from dmabuf_patchgen.kernel import kbuild
from tests import faults

DMA_BUF = "drivers/dma-buf"


def found(report: Report, subject: str, check: str) -> list[tuple[str, str]]:
    """(path, type) of what a check holds against a commit."""
    return sorted((f.path, f.type) for f in of(report, subject) if f.check == check)


def of(report: Report, subject: str) -> Iterable[Finding]:
    return [f for f in report.findings if f.subject == subject and f.exempt is None]


def test_nothing_is_held_against_a_clean_commit(bad: Report) -> None:
    assert not of(bad, faults.CLEAN)
    runs = {run.check: run.applied for run in bad.runs if run.index == 1}
    assert runs == {
        "checkpatch": True, "kernel-doc": True, "build": True, "sparse": True, "kselftest": False,
    }  # fmt: skip


def test_checkpatch_finds_white_space_and_what_only_strict_tells(bad: Report) -> None:
    assert found(bad, faults.FAULTY, "checkpatch") == [
        (f"{DMA_BUF}/dma-buf.c", "TRAILING_WHITESPACE"),
        ("include/linux/dma-buf.h", "COMPARISON_TO_NULL"),
    ]
    space = next(f for f in of(bad, faults.FAULTY) if f.type == "TRAILING_WHITESPACE")
    assert space.level == "error"
    assert space.line > 0
    assert space.mail_line > 0


def test_kernel_doc_finds_an_undescribed_parameter(bad: Report) -> None:
    assert found(bad, faults.FAULTY, "kernel-doc") == [("include/linux/dma-buf.h", "warning")]


def test_the_build_finds_a_variable_that_only_w1_tells(bad: Report) -> None:
    path = f"{DMA_BUF}/udmabuf.c"
    assert found(bad, faults.FAULTY, "build") == [
        (path, "-Wunused-but-set-variable"),
        ("lib/cmdline.c", "-Wunused-but-set-variable"),
    ]
    one = next(f for f in of(bad, faults.FAULTY) if f.path == path)
    assert one.text == "variable 'kept' set but not used"
    assert one.line > 0


def test_sparse_finds_a_user_pointer_taken_for_the_kernels(bad: Report) -> None:
    assert found(bad, faults.FAULTY, "sparse") == [(f"{DMA_BUF}/dma-heap.c", "warning")]
    (one,) = [f for f in of(bad, faults.FAULTY) if f.check == "sparse"]
    assert "different address spaces" in one.text
    assert "__user" in one.text


def test_kselftest_finds_what_only_wextra_tells_and_not_the_harness_own(bad: Report) -> None:
    assert found(bad, faults.FAULTY, "kselftest") == [
        (f"{faults.TESTS}/number.c", "-Wunused-parameter")
    ]


def test_a_commit_in_the_middle_does_not_compile_though_the_tip_does(bad: Report) -> None:
    (one, *_) = [f for f in of(bad, faults.BROKEN) if f.level == "error"]
    assert (one.check, one.path) == ("build", f"{DMA_BUF}/sync_file.c")
    assert "sync_file_is_not_there" in one.text


def test_what_the_state_before_says_too_does_not_count(bad: Report) -> None:
    assert not of(bad, faults.REPAIRED)
    applied = {run.check for run in bad.runs if run.index == 4 and run.applied}
    assert applied >= {"build", "sparse", "kselftest"}


def test_a_file_that_nothing_compiles_is_no_pass(bad: Report) -> None:
    assert found(bad, faults.FORGOTTEN, "build") == [(f"{DMA_BUF}/forgotten.c", "NOT_BUILT")]
    assert found(bad, faults.FORGOTTEN, "kselftest") == [
        ("tools/testing/selftests/Makefile", "NO_SUCH_TESTS"),
        (f"{faults.TESTS}/forgotten.c", "NOT_BUILT"),
    ]


def test_what_is_exempt_is_told_with_its_reason(bad: Report) -> None:
    exempt = [f for f in bad.findings if f.exempt]
    assert {f.type for f in exempt} == {"FILE_PATH_CHANGES"}
    assert all(f.exempt in bad.table() for f in exempt if f.exempt)


def test_the_report_reads_the_same_as_table_and_as_data(bad: Report) -> None:
    data = bad.as_dict()
    assert data["failed"] is True
    rows = bad.table().splitlines()
    assert rows[0].startswith("against ")
    assert rows[2].split()[-5:] == ["ok", "ok", "ok", "ok", "-"]
    assert "udmabuf.c" in bad.table()
    lines = list(b4_lines(bad))
    assert any(": ERROR:TRAILING_WHITESPACE: " in line for line in lines)
    assert not any("FILE_PATH_CHANGES" in line for line in lines)


def test_the_source_is_not_written_to(bad: Report, clone_kernel: Path) -> None:
    from tests import repos

    assert repos.git(clone_kernel, "status", "--porcelain") == ""


def path_without(tool: str, place: Path) -> str:
    """A PATH with everything that is on it, save one program."""
    for directory in os.environ["PATH"].split(os.pathsep):
        if not Path(directory).is_dir():
            continue
        for program in Path(directory).iterdir():
            link = place / program.name
            if program.name != tool and not link.is_symlink():
                link.symlink_to(program)
    return str(place)


@pytest.mark.parametrize("tool", ["sparse", "flex", "perl", "gcc"])
def test_a_missing_tool_names_its_package(
    tool: str, clone_kernel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, patches = commits.from_range(clone_kernel, "master..bad~4")
    monkeypatch.setenv("PATH", path_without(tool, tmp_path))
    with pytest.raises(MissingTool) as error:
        checks.check(base, patches)
    assert (error.value.tool, error.value.package) == (tool, tool)


def test_a_sparse_that_does_nothing_is_an_error(
    bad: Report, clone_kernel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "sparse"
    fake.write_text("#!/bin/sh\nexit 0\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    base, patches = commits.from_range(clone_kernel, "master..bad~4")
    with pytest.raises(UserError, match=r"sparse did not check drivers/dma-buf/dma-buf\.c"):
        checks.check(base, patches)


def test_what_a_run_did_to_a_build_is_gone_with_the_next(bad: Report, clone_kernel: Path) -> None:
    base, _ = commits.from_range(clone_kernel, "master..bad")
    heap = f"{DMA_BUF}/dma-heap.c"
    with kbuild.prepared(base, [heap], checks.silent) as (build, forest):
        forest.apply({heap: b"#error Stopped half-way.\n"})
        assert build.make(kbuild.SCOPE).returncode
    with kbuild.prepared(base, [heap], checks.silent) as (build, forest):
        assert forest.read(heap) == base.read(heap)
        made = build.make(kbuild.SCOPE)
    assert (made.returncode, made.log.built) == (0, frozenset())
