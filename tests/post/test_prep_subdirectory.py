# SPDX-License-Identifier: GPL-2.0-only
"""prep of a kernel in a subdirectory of a repository, with b4 as it is."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import repos
from tests.conftest import CACHE
from tests.developer import BRANCH, SUBJECTS, Developer, Post, post_office
from tests.repos import git

#: A pattern to what git reads as one.
PREFIX = "vendor/linux[1]"


@pytest.fixture
def post() -> Iterator[Post]:
    with post_office() as post:
        yield post


@pytest.fixture
def developer(linux_612: Path, tmp_path: Path, home: Path, identity: str, post: Post) -> Developer:
    """Whose repository has the reference tree in a subdirectory."""
    origin = repos.source(linux_612, CACHE / "tests")
    made = Developer(repos.below(origin, tmp_path / "project", PREFIX), home)
    made.settings(
        sendemail_smtpserver="127.0.0.1",
        sendemail_smtpserverport=str(post.port),
        b4_send__no__patatt__sign="yes",
    )
    return made


def test_b4_sends_what_applies_to_the_repository(
    developer: Developer, post: Post, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    said = developer.prep("--base", "master", "--signoff", "-o", out)
    assert f"paths are from the repository's root, below {PREFIX}: " in said
    # MAINTAINERS, which lies in the kernel, knows its files by their paths in it.
    assert "Sumit Semwal <sumit.semwal@linaro.org>" in said
    assert "dri-devel@lists.freedesktop.org" in said

    project = developer.repo.parent.parent
    git(project, "checkout", "-q", BRANCH)
    told = developer.b4("prep", "--show-info")
    assert re.search(r"^preflight-checks-failing: False$", told, re.M), told
    developer.b4("send", stdin="\n\n")
    assert len(post.mails) == len(SUBJECTS) + 1
    prepared = [path.read_bytes() for path in sorted(out.glob("*.eml"))]
    assert [changed(mail) for mail in post.mails] == [changed(mail) for mail in prepared]
    assert all(f"{PREFIX}/".encode() in path for mail in post.mails for path in changed(mail))

    git(project, "checkout", "-q", "-b", "applied", "master")
    # git am takes no letter for a patch.
    del post.mails[0]
    mbox = post.mbox(tmp_path / "mbox")
    done = subprocess.run(
        ["git", "am", "-q", str(mbox)], cwd=project, env=developer.environment(), check=False
    )
    assert done.returncode == 0
    assert git(project, "rev-parse", "applied:") == git(project, "rev-parse", f"{BRANCH}:")
    # All the rest of the repository is as it was.
    assert git(project, "diff", "--name-only", "master", "applied", "--", ":!vendor") == ""


def changed(mail: bytes) -> list[bytes]:
    return re.findall(rb"(?m)^\+\+\+ b/(\S+)", mail)


def test_the_next_version(developer: Developer) -> None:
    """With the letter in a commit of its own, below those that change the kernel."""
    developer.prep("--cover-strategy", "commit")
    record = json.loads(developer.config()["dmabuf-patchgen"])
    assert record["base"] == git(developer.repo, "rev-parse", "master").strip()
    developer.tag_as_sent()
    said = developer.prep("-p", "severity=debug")
    assert f"branch {BRANCH} is v2 of the series" in said
    changes = json.loads(developer.config()["dmabuf-patchgen"])["changes"]
    assert "- changed: dma-buf: warn about CPU mappings that are not VM_PFNMAP" in changes[0]
    assert git(developer.repo, "status", "--porcelain") == ""


def test_checks_of_the_configuration_find_the_kernel(developer: Developer, tmp_path: Path) -> None:
    """The command that b4 is told to run gets each patch, where -C PREFIX names the kernel."""
    log = tmp_path / "log"
    check = tmp_path / "check"
    names = f"'{PREFIX}/Kbuild' '{PREFIX}/Kconfig'"
    check.write_text(f"#!/bin/sh\nls {names} >>{log} && cat >/dev/null\n")
    check.chmod(0o755)
    git(developer.repo, "config", "b4.prep-perpatch-check-cmd", str(check))
    developer.prep()
    assert log.read_text().splitlines() == [f"{PREFIX}/Kbuild", f"{PREFIX}/Kconfig"] * len(SUBJECTS)
