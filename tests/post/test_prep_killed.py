# SPDX-License-Identifier: GPL-2.0-only
"""Interrupted or killed, prep leaves a branch with all that belongs to it, or nothing of it."""

import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from dmabuf_patchgen.post import publication, tracking
from tests import tiny
from tests.conftest import CHECKOUT, SmallRepo
from tests.developer import BRANCH, REF, SERIES, Developer
from tests.render.test_branch import KILLED, private
from tests.repos import Kind, git

KEYS = {"b4-prep-cover-strategy", "b4-tracking", "description", "dmabuf-patchgen"}

#: What the scripts below need before anything is counted.
PRELOADED = """
import dmabuf_patchgen.check.checks, dmabuf_patchgen.cli.prep, dmabuf_patchgen.post.prep
from tests import unbuilt
"""

#: Runs prep up to its last step, and from there in children, each ended at its Nth look at the
#: machine: a file that is opened, moved or removed, or a program that is started. That step begins
#: where it opens its note.
AT_THE_END = textwrap.dedent(
    """
    import os, sys
    from dmabuf_patchgen.__main__ import run
    number, arguments = int(sys.argv[1]), sys.argv[2:]
    at = seen = 0

    def hook(event, args):
        global seen
        if not at and event == "open" and str(args[0]).endswith("/config.dmabuf-patchgen"):
            fork()
        if at and event in ("open", "os.link", "os.rename", "os.remove", "subprocess.Popen"):
            seen += 1
            if seen == at:
                os.kill(os.getpid(), number)

    def fork():
        global at
        number, code = 1, None
        while code != 0:
            pid = os.fork()
            if not pid:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
                at = number
                return
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            print(number, code, flush=True)
            # What the test looks at between two of them.
            sys.stdin.readline()
            number += 1
        os._exit(0)

    sys.addaudithook(hook)
    sys.exit(run(arguments, unbuilt.find_nothing))
    """
)


@pytest.fixture
def developer(small_repo: SmallRepo, home: Path, identity: str) -> Developer:
    return Developer(small_repo(kind=Kind.UNCHECKED), home)


def states(
    developer: Developer, script: str, *args: str | int
) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """The exit code of each child of a script, while the state that it left is there."""
    argv = [sys.executable, "-c", PRELOADED + script, *map(str, args)]
    with subprocess.Popen(
        argv, env=developer.environment(), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as child:  # fmt: skip
        assert child.stdin and child.stdout
        for line in child.stdout:
            if len(words := line.split()) == 2 and words[0].isdecimal():
                yield int(words[1]), child
                child.stdin.write("\n")
                child.stdin.flush()


def state(repo: Path) -> dict[str, tuple[int, bytes]]:
    """All of a repository but objects, reflogs, and what the next prep clears away."""
    found = tiny.snapshot(*private(repo))
    return {
        path: held
        for path, held in found.items()
        if "/objects/" not in path
        and "/.git/logs" not in path
        and not path.endswith("/heads/b4")
        and "/.git/refs/dmabuf-patchgen" not in path
    }


def prepared(developer: Developer) -> tuple[str | int, ...]:
    return ("-C", str(developer.repo), "prep", SERIES)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_interrupted_nothing_is_left(
    developer: Developer, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a few moments from the first to the last; a step of 1 has been tried, it takes hours."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    before = state(developer.repo)
    first, step = (9, 61) if number == signal.SIGTERM else (40, 97)
    script = KILLED.format(root=str(CHECKOUT), checks="unbuilt.find_nothing")
    ended = 0
    for code, child in states(developer, script, number, first, step, *prepared(developer)):
        assert [*temporary.iterdir()] == []
        if code == 0:
            child.terminate()
            break
        assert code == 128 + number
        if REF in git(developer.repo, "for-each-ref"):
            # Too late: all is there.
            assert {*developer.config()} == KEYS
            git(developer.repo, "branch", "-q", "-D", BRANCH)
        ended += 1
        assert state(developer.repo) == before
    # The control: that were several moments.
    assert ended >= 4


def recovered(developer: Developer) -> None:
    """What the next prep does first."""
    publication.settle(developer.repo, lambda said: None)


def test_a_signal_waits_for_the_last_step(developer: Developer) -> None:
    """It is short, and is done whole; before it has begun, nothing is."""
    before = state(developer.repo)
    codes = set()
    arguments = (int(signal.SIGTERM), *prepared(developer))
    for code, child in states(developer, AT_THE_END, *arguments):
        there = REF in git(developer.repo, "for-each-ref")
        assert {*developer.config()} == (KEYS if there else set())
        codes.add((code, there))
        if there:
            git(developer.repo, "branch", "-q", "-D", BRANCH)
        assert state(developer.repo) == before
        if code == 0:
            child.kill()
            break
    # Too early, in its midst, never.
    assert codes == {(143, False), (143, True), (0, True)}


def test_killed_in_the_last_step_of_v1(developer: Developer) -> None:
    """Nothing of it stays but for a moment: whoever comes next takes back what was begun."""
    before = state(developer.repo)
    moments = set()
    arguments = (int(signal.SIGKILL), *prepared(developer))
    for code, child in states(developer, AT_THE_END, *arguments):
        there = REF in git(developer.repo, "for-each-ref")
        assert {*developer.config()} in (KEYS, set())
        assert not there or {*developer.config()} == KEYS
        recovered(developer)
        assert {*developer.config()} == (KEYS if there else set())
        moments.add((code, there))
        if there:
            git(developer.repo, "branch", "-q", "-D", BRANCH)
        assert state(developer.repo) == before
        if code == 0:
            child.kill()
            break
    assert moments == {(-signal.SIGKILL, False), (-signal.SIGKILL, True), (0, True)}


def test_killed_in_the_last_step_of_v2(developer: Developer) -> None:
    """The branch is that of v1 or of v2, and so are the letter and what b4 knows of it."""
    developer.prep()
    v1, letter = git(developer.repo, "rev-parse", REF).strip(), developer.config()
    config = developer.repo / ".git" / "config"
    before = config.read_bytes()
    moments = set()
    arguments = (int(signal.SIGKILL), *prepared(developer), "-p", "severity=debug")
    for code, child in states(developer, AT_THE_END, *arguments):
        tip = git(developer.repo, "rev-parse", REF).strip()
        moments.add((tip == v1, developer.config() == letter))
        recovered(developer)
        assert (developer.config() == letter) == (tip == v1)
        assert tip != v1 or config.read_bytes() == before
        if code == 0:
            child.kill()
            break
        git(developer.repo, "update-ref", REF, v1)
        config.write_bytes(before)
    # Neither, the configuration alone, both.
    assert moments == {(True, True), (True, False), (False, False)}


def test_after_a_kill_the_same_command_makes_the_same_version(developer: Developer) -> None:
    developer.prep()
    v1 = git(developer.repo, "rev-parse", REF).strip()
    developer.prep("-p", "severity=debug")
    v2, letter = git(developer.repo, "rev-parse", REF).strip(), developer.config()["description"]
    # As it is when the configuration is written and the branch is not.
    git(developer.repo, "update-ref", REF, v1)
    said = developer.prep("-p", "severity=debug")
    assert f"branch {BRANCH} is v1 of the series" in said
    assert git(developer.repo, "rev-parse", REF).strip() == v2
    assert developer.config()["description"] == letter


def test_a_branch_that_cannot_be_had_leaves_no_configuration(developer: Developer) -> None:
    """Somebody else makes one of that name meanwhile; here git is told that it is locked."""
    before = state(developer.repo)
    lock = developer.repo / ".git" / f"{REF}.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    assert "update-ref" in developer.refused()
    lock.unlink()
    assert developer.config() == {}
    assert state(developer.repo) == before
    # The version before stays what it is.
    developer.prep()
    config = developer.config()
    lock.touch()
    developer.refused("-p", "severity=debug")
    assert developer.config() == config
    assert tracking.load(developer.repo, BRANCH)[1].revision == 1
