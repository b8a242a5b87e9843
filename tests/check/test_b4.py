# SPDX-License-Identifier: GPL-2.0-only
"""`check -` as b4's prep-perpatch-check-cmd, with b4 itself."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from dmabuf_patchgen.check import b4
from dmabuf_patchgen.check.commits import commit_patch
from dmabuf_patchgen.check.report import Report
from dmabuf_patchgen.kernel import kbuild
from tests import faults, repos
from tests.conftest import CHECKOUT, Cli

NOISY = "udmabuf: keep what is not needed"


@pytest.fixture
def prep_repo(clone_kernel: Path, tmp_path: Path, home: Path) -> Path:
    """A user's clone with a prep branch of two commits: a clean one, and one with a fault."""
    repo = tmp_path / "linux"
    repos.git(tmp_path, "clone", "-q", "--shared", "--branch=master", str(clone_kernel), str(repo))
    with (home / "gitconfig").open("a") as config:
        config.write("\tname = A. Developer\n\temail = developer@example.org\n")
    run_b4(repo, "prep", "-n", "last-page", "-f", "master")
    # b4 keeps results below its own cache directory, which is not the user's here.
    ours = f"XDG_CACHE_HOME={os.environ['XDG_CACHE_HOME']}"
    command = shlex.join(["env", ours, sys.executable, "-m", "dmabuf_patchgen", "check", "-"])
    repos.git(repo, "config", "b4.prep-perpatch-check-cmd", command)
    unused = faults.SERIES[faults.FAULTY]["drivers/dma-buf/udmabuf.c"]
    faults.commit(repo, {faults.CLEAN: faults.SERIES[faults.CLEAN]})
    faults.commit(repo, {NOISY: {"drivers/dma-buf/udmabuf.c": unused}})
    return repo


def run_b4(repo: Path, *args: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", "from b4.command import cmd; cmd()", *args],
        cwd=repo,
        env={
            **os.environ,
            "PYTHONPATH": str(CHECKOUT),
            "XDG_CACHE_HOME": f"{os.environ['HOME']}/.cache",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_b4_is_told_of_each_patch_what_that_patch_adds(prep_repo: Path) -> None:
    head = repos.git(prep_repo, "rev-parse", "HEAD")
    said = run_b4(prep_repo, "prep", "--check")
    lines = [re.sub(r"\x1b\[\d*m", "", line).strip() for line in said.splitlines()]
    clean = next(line for line in lines if faults.CLEAN in line)
    noisy = next(line for line in lines if NOISY in line)
    assert lines.index(noisy) == lines.index(clean) + 1, said
    told = lines[lines.index(noisy) + 1 :]
    assert any("udmabuf.c" in line and "WARNING:-Wunused-but-set-variable" in line for line in told)
    assert "Success: 1, Warning: 1, Error: 0" in said
    assert repos.git(prep_repo, "rev-parse", "HEAD") == head
    assert repos.git(prep_repo, "status", "--porcelain") == ""


@pytest.fixture
def bad_repo(clone_kernel: Path, tmp_path: Path) -> Path:
    """A repository of the bad series, with its last commit as HEAD."""
    repo = tmp_path / "bad.git"
    repos.git(tmp_path, "clone", "-q", "--shared", "--bare", str(clone_kernel), str(repo))
    repos.git(repo, "symbolic-ref", "HEAD", "refs/heads/bad")
    return repo


def test_each_fault_is_a_line_and_the_exit_code_2(bad_repo: Path, cli: Cli) -> None:
    broken = commit_patch(bad_repo, "HEAD~2", "HEAD~3")
    assert broken.commit.subject == faults.BROKEN
    done = cli("check", "-", cwd=bad_repo, stdin=broken.mail.decode())
    assert (done.returncode, done.stderr) == (2, "")
    lines = done.stdout.splitlines()
    assert all(line.startswith("drivers/dma-buf/sync_file.c:") for line in lines)
    assert any(": ERROR:" in line and "sync_file_is_not_there" in line for line in lines)


def test_the_state_is_that_before_the_patch_on_a_tree_that_is_prepared(
    bad: Report, bad_repo: Path
) -> None:
    first = commit_patch(bad_repo, "HEAD~4", "HEAD~5")
    second = commit_patch(bad_repo, "HEAD~3", "HEAD~4")
    located = b4.locate(bad_repo, second.mail)
    assert kbuild.is_kept(located.base.id, kbuild.toolchain())
    assert located.settled == first.commit.files
    assert located.patch.commit == second.commit

    # One that no commit is made from goes on top of what is checked out.
    repos.git(bad_repo, "update-ref", "HEAD", "HEAD~4")
    assert b4.locate(bad_repo, second.mail).settled == first.commit.files


def test_a_patch_that_fits_nowhere_is_one_line(bad_repo: Path, cli: Cli) -> None:
    patch = commit_patch(bad_repo, "HEAD~2", "HEAD~3")
    mail = patch.mail.decode().replace(" static struct sync_file", " static struct other_file")
    done = cli("check", "-", cwd=bad_repo, stdin=mail)
    assert done.returncode == 1
    assert "drivers/dma-buf/sync_file.c" in done.stderr.splitlines()[0]
