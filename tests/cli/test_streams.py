# SPDX-License-Identifier: GPL-2.0-only
"""The command behaves, however its caller leaves the streams, and says what is wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dmabuf_patchgen import xdg
from dmabuf_patchgen.check import commits
from dmabuf_patchgen.errors import UserError
from tests.conftest import CHECKOUT, Cli


def shell(line: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run a line of bash, in which `$it` is the command."""
    words = {"it": f"{sys.executable} -m dmabuf_patchgen", "PYTHONPATH": str(CHECKOUT)}
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        env={**os.environ, **words, **env},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("$it list >&-", 0),
        ("$it list <&-", 0),
        ("$it list 2>&-", 0),
        ("$it list <&- >&- 2>&-", 0),
        ("$it show nothing >&- 2>&-", 1),
        ("$it show nothing --json >&-", 1),
        # A reader who has seen enough changes nothing of how the work ended.
        ("$it list | true", 0),
        ("$it --help | true", 0),
        ("$it show nothing --json | true", 1),
        ("$it show nothing 2>&1 | true", 1),
    ],
)
def test_streams_that_are_closed_or_left(line: str, code: int) -> None:
    done = shell(line)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_behind_standard_output() -> None:
    done = shell("$it list >/dev/full")
    assert done.returncode == 1
    assert done.stderr == "dmabuf-patchgen: standard output: No space left on device\n"


def test_without_arguments_the_help_is_shown(cli: Cli) -> None:
    done = cli()
    assert done.returncode == 1
    assert done.stdout == cli("--help").stdout
    assert not done.stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("render", "-C", "x", "a"), "-C goes before the verb; dmabuf-patchgen -C TREE render ..."),
        (("check", "-Cx", "a"), "-C goes before the verb; dmabuf-patchgen -C TREE check ..."),
        (
            ("prep", "a", "--base", "v1"),
            "--base goes before the verb; dmabuf-patchgen --base REV prep ...",
        ),
        (("list", "-v"), "-v goes before the verb; dmabuf-patchgen -v list ..."),
        (("list", "--zzz"), "No such option '--zzz'; see dmabuf-patchgen list --help"),
    ],
)
def test_an_option_behind_the_verb(cli: Cli, args: tuple[str, ...], said: str) -> None:
    done = cli(*args)
    assert (done.returncode, done.stderr) == (1, f"dmabuf-patchgen: {said}\n")


@pytest.mark.parametrize(
    "args",
    [
        ("show", "nothing", "--json"),
        ("list", "--json", "too-much"),
        ("-C", "nowhere", "inspect", "--json"),
        ("prove", "--json", "--timeout", "nan", "dma-buf-pfnmap"),
    ],
)
def test_errors_are_json_where_json_is_asked_for(cli: Cli, args: tuple[str, ...]) -> None:
    done = cli(*args)
    held = json.loads(done.stdout)["error"]
    assert held["exit_code"] == done.returncode == 1
    said = "; ".join(filter(None, (held["message"], held["hint"])))
    assert done.stderr == f"dmabuf-patchgen: {said}\n"


def test_errors_are_none_where_it_is_not(cli: Cli) -> None:
    assert not cli("show", "nothing").stdout
    assert not cli("show", "--", "--json").stdout


@pytest.mark.parametrize("seconds", ["inf", "-inf", "nan", "1e9", "0", "86401"])
def test_a_time_that_is_none(cli: Cli, seconds: str) -> None:
    done = cli("prove", "dma-buf-pfnmap", "--timeout", seconds)
    assert done.returncode == 1
    assert done.stderr.startswith("dmabuf-patchgen: Invalid value for '--timeout': ")
    assert done.stderr.count("\n") == 1


def test_a_current_directory_that_is_gone(tmp_path: Path) -> None:
    done = shell(f"mkdir {tmp_path}/gone; cd {tmp_path}/gone; rmdir $PWD; $it inspect")
    assert done.returncode == 1
    assert "the current directory: No such file or directory; go to" in done.stderr


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    # Which Python takes for one that it could not find out.
    monkeypatch.setenv("HOME", "~")
    with pytest.raises(UserError, match="no home directory"):
        xdg.cache()
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert xdg.cache() == Path("/elsewhere/dmabuf-patchgen")


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"=?utf-8?q?=C3=A4?=", "ä"),
        (b"=?x-none?q?=C3=A4?=", "=?x-none?q?=C3=A4?="),
        (b"=?utf-8?q?=FF=FE?=", None),
        (b"=?utf-8?b?=====?=", None),
    ],
)
def test_a_subject_in_any_charset(header: bytes, said: str | None) -> None:
    found = commits._subject(b"Subject: " + header + b"\n\n")
    assert said is None or found == said
