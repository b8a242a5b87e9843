# SPDX-License-Identifier: GPL-2.0-only
"""The verb audit, as its user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import repos
from tests.audit import exporter
from tests.conftest import Cli


@pytest.fixture
def violating(tmp_path: Path) -> Path:
    return exporter.tree(tmp_path / "linux", exporter.source("\treturn vm_map_pages(vma, p, n);"))


def test_the_table_names_verdict_place_and_call(cli: Cli, violating: Path) -> None:
    done = cli("-C", violating, "audit")
    assert done.returncode == 0, done.stderr
    assert "violates (1)" in done.stdout
    assert f"example_ops  dma-buf, {exporter.PATH}:" in done.stdout
    assert "vm_map_pages()" in done.stdout


def test_fail_on_exits_with_2_only_for_what_is_there(cli: Cli, violating: Path) -> None:
    assert cli("-C", violating, "audit", "--fail-on", "violates").returncode == 2
    assert cli("-C", violating, "audit", "--fail-on", "unknown,both-flags").returncode == 0


def test_explain_shows_the_lines_of_source(cli: Cli, violating: Path) -> None:
    done = cli("-C", violating, "audit", "--explain", "example")
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert "drivers/dma-buf/dma-buf.c:8: return dmabuf->ops->mmap(dmabuf, vma);" in lines
    assert any(line.endswith("return vm_map_pages(vma, p, n);") for line in lines)


def test_only_leaves_the_others_out(cli: Cli, violating: Path) -> None:
    assert "example_ops" not in cli("-C", violating, "audit", "--only", "unknown").stdout
    assert "example_ops" in cli("-C", violating, "audit", "--only", "violates,unknown").stdout


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("vi", ["violates"]),
        ("violates,un", ["violates,unknown"]),
        ("pf", ["PFNMAP"]),
        ("b", ["both-flags", "by-branch"]),
        ("x", []),
    ],
)
def test_the_shell_completes_verdicts(cli: Cli, typed: str, offered: list[str]) -> None:
    words = f"dmabuf-patchgen audit --only {typed}"
    done = cli(
        env={
            "_DMABUF_PATCHGEN_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "3",
        }
    )  # fmt: skip
    assert done.stdout.split() == [f"plain,{one}" for one in offered]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--only", "bad"], "'bad' is no verdict"), (["--explain", "nothing"], "no entry")],
)
def test_what_is_not_there_is_told_in_a_line(
    cli: Cli, violating: Path, arguments: list[str], said: str
) -> None:
    done = cli("-C", violating, "audit", *arguments)
    assert done.returncode == 1 and said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_revision_is_told_as_its_directory_is(cli: Cli, violating: Path) -> None:
    ours = json.loads(cli("-C", violating, "audit", "--json").stdout)
    repos.git(violating, "init", "-q")
    repos.git(violating, "add", "-A")
    repos.git(
        violating, "-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-q", "-m", "1"
    )
    (violating / exporter.PATH).write_text("not what was committed")
    theirs = json.loads(cli("-C", violating, "--base", "HEAD", "audit", "--json").stdout)
    assert ours["format"] == 1
    assert ours["entries"] == theirs["entries"]
    assert theirs["commit"] and ours["commit"] is None
