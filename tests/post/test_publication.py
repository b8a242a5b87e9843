# SPDX-License-Identifier: GPL-2.0-only
"""Who publishes a branch does it alone; what a killed run left is taken back, and nothing else."""

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.post import publication, tracking
from dmabuf_patchgen.post.publication import Change
from dmabuf_patchgen.render import branch
from dmabuf_patchgen.render.scratch import Identity
from dmabuf_patchgen.tree.source import GitTree
from tests import tiny
from tests.repos import Kind, git

BRANCH = "b4/x"
REF = f"refs/heads/{BRANCH}"
KEYS = ("branch.b4/x.b4-tracking", "branch.b4/x.description")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return tiny.repo(tmp_path, Kind.UNCHECKED)


def commit(repo: Path, name: str) -> str:
    return git(repo, "-c", "user.name=A", "-c", "user.email=a@example.org", "commit-tree",
               "-p", "v6.12", "-m", name, "v6.12^{tree}").strip()  # fmt: skip


def change(repo: Path, value: str) -> Change:
    """A new branch, with a value of its own for each key."""
    return Change(
        BRANCH, commit(repo, value), None, dict.fromkeys(KEYS), dict.fromkeys(KEYS, value)
    )


def publish(repo: Path, wanted: Change, said: Callable[[str], None] = lambda said: None) -> None:
    tree = GitTree(repo, "v6.12")
    target = branch.Target(tree, BRANCH, Identity("A", "a@example.org"), wanted.replaces)
    try:
        publication.publish(repo, wanted, lambda: branch.point(target, wanted.tip, "prep v1"), said)
    finally:
        tree.close()


def settle(repo: Path) -> None:
    publication.settle(repo, lambda said: None)


def values(repo: Path) -> set[str]:
    said = git(repo, "config", "--local", "--list")
    return {line.partition("=")[2] for line in said.splitlines() if "branch.b4/x." in line}


def own(repo: Path) -> list[str]:
    """Files for the configuration in the repository."""
    return sorted(path.name for path in (repo / ".git").glob("config*"))


def killed(repo: Path, wanted: Change, *, moved: bool = False) -> None:
    """As a run leaves it that was killed between keys and branch, or behind both."""
    config = repo / ".git/config"
    note = config.with_name("config.dmabuf-patchgen")
    note.write_text(json.dumps(asdict(wanted)))
    os.link(note, config.with_name("config.lock"))
    for key, value in wanted.after.items():
        git(repo, "config", "--file", str(config.with_name("copy")), key, value or "")
    config.write_text(config.read_text() + config.with_name("copy").read_text())
    config.with_name("copy").unlink()
    if moved:
        git(repo, "update-ref", REF, wanted.tip)


def test_who_comes_second_changes_nothing(repo: Path) -> None:
    """Both were worked out before either was published."""
    first, second = (change(repo, value) for value in ("first", "second"))
    publish(repo, first)
    before = tiny.snapshot(repo)
    with pytest.raises(UserError, match=r"branch b4/x was made or changed while this ran"):
        publish(repo, second)
    assert tiny.snapshot(repo) == before
    assert values(repo) == {"first"} and git(repo, "rev-parse", REF).strip() == first.tip


@pytest.mark.parametrize(
    "many", [pytest.param(4, id="some"), pytest.param(40, id="all", marks=pytest.mark.all)]
)
def test_many_at_once(repo: Path, many: int) -> None:
    """One of them wins, with all that is its own."""
    changes = [change(repo, f"{number}") for number in range(many)]
    fork = multiprocessing.get_context("fork")
    begin = fork.Barrier(many)

    def one(wanted: Change) -> None:
        begin.wait()
        try:
            publish(repo, wanted)
        except UserError:
            os._exit(1)
        os._exit(0)

    runs = [fork.Process(target=one, args=(wanted,)) for wanted in changes]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert sorted(run.exitcode or 0 for run in runs) == [0] + [1] * (many - 1)
    (winner,) = [wanted for run, wanted in zip(runs, changes, strict=True) if not run.exitcode]
    assert values(repo) == {*winner.after.values()}
    assert git(repo, "rev-parse", REF).strip() == winner.tip
    assert own(repo) == ["config"]


def test_a_key_that_somebody_else_changed(repo: Path) -> None:
    """As b4 does, when a series is sent while the next version is worked out."""
    git(repo, "config", KEYS[0], "theirs")
    with pytest.raises(UserError, match="while this ran"):
        publish(repo, change(repo, "ours"))
    assert values(repo) == {"theirs"} and own(repo) == ["config"]


def test_a_branch_that_cannot_be_moved_takes_its_keys_back(repo: Path) -> None:
    before = tiny.snapshot(repo / ".git")

    def fail() -> None:
        # The control: they are there.
        assert values(repo) == {"ours"}
        raise UserError("no")

    with pytest.raises(UserError, match="no"):
        publication.publish(repo, change(repo, "ours"), fail, lambda said: None)
    after = tiny.snapshot(repo / ".git")
    assert {path for path in after if after[path] != before.get(path, after[path])} == set()
    assert values(repo) == set() and own(repo) == ["config"]


def test_what_a_killed_run_left(repo: Path) -> None:
    wanted = change(repo, "ours")
    before = (repo / ".git/config").read_bytes()
    killed(repo, wanted)
    # git itself stands before the lock.
    with pytest.raises(AssertionError, match="could not lock config file"):
        git(repo, "config", "some.key", "value")
    settle(repo)
    assert own(repo) == ["config"] and (repo / ".git/config").read_bytes() == before
    # The next of that name is not in its way, nor one that comes without settling.
    killed(repo, wanted)
    publish(repo, wanted)
    assert values(repo) == {"ours"} and own(repo) == ["config"]


def test_what_is_somebody_else_s_by_now_stays(repo: Path) -> None:
    wanted = change(repo, "ours")
    killed(repo, wanted)
    (repo / ".git/config.lock").unlink()
    git(repo, "config", KEYS[1], "edited")
    settle(repo)
    assert values(repo) == {"edited"}


@pytest.mark.parametrize("later", [False, True], ids=["there", "moved on"])
def test_a_branch_that_is_there_keeps_its_keys(repo: Path, later: bool) -> None:
    """The kill came late, and its user may have gone on with it."""
    killed(repo, change(repo, "ours"), moved=True)
    if later:
        git(repo, "update-ref", REF, commit(repo, "theirs"))
    settle(repo)
    assert values(repo) == {"ours"} and own(repo) == ["config"]


@pytest.mark.parametrize("note", ["", "{", "[]", '{"branch": 1}', "half"])
def test_a_note_that_is_not_whole(repo: Path, note: str) -> None:
    """The kill came before anything was changed."""
    text = json.dumps(asdict(change(repo, "ours")))
    (repo / ".git/config.dmabuf-patchgen").write_text(text[:50] if note == "half" else note)
    (repo / ".git/config.dmabuf-patchgen-new").write_text("half")
    before = (repo / ".git/config").read_bytes()
    settle(repo)
    assert own(repo) == ["config"] and (repo / ".git/config").read_bytes() == before


def test_a_note_may_change_keys_of_its_branch_only(repo: Path) -> None:
    wanted = Change(BRANCH, "0" * 40, None, {"core.pager": "evil"}, {"core.pager": "less"})
    git(repo, "config", "core.pager", "less")
    (repo / ".git/config.dmabuf-patchgen").write_text(json.dumps(asdict(wanted)))
    settle(repo)
    assert git(repo, "config", "core.pager") == "less\n" and own(repo) == ["config"]


def test_the_lock_of_another_program(repo: Path) -> None:
    lock = repo / ".git/config.lock"
    lock.touch()
    with pytest.raises(UserError, match="another program changes this configuration") as error:
        publish(repo, change(repo, "ours"))
    assert str(lock) in error.value.message and lock.exists()
    assert own(repo) == ["config", "config.lock"]


def test_waiting_is_told(repo: Path) -> None:
    """For a run that is stopped in its midst; it ends, and its turn comes."""
    ready = repo / "ready"

    def stop() -> None:
        ready.touch()
        time.sleep(60)

    fork = multiprocessing.get_context("fork")
    wanted = change(repo, "ours")
    other = fork.Process(
        target=publication.publish, args=(repo, change(repo, "theirs"), stop, lambda said: None)
    )
    other.start()
    while not ready.exists():
        time.sleep(0.01)
    told = []

    def tell(said: str) -> None:
        told.append(said)
        assert other.pid
        os.kill(other.pid, signal.SIGKILL)

    publish(repo, wanted, tell)
    other.join()
    assert told == [f"waiting for another prep, which holds {repo}/.git/config.dmabuf-patchgen"]
    assert values(repo) == {"ours"} and own(repo) == ["config"]


def test_a_configuration_that_is_a_link_with_a_mode(repo: Path, tmp_path: Path) -> None:
    """As git has it, when it writes there."""
    config, real = repo / ".git/config", tmp_path / "real"
    config.rename(real)
    config.symlink_to(real)
    real.chmod(0o640)
    publish(repo, change(repo, "ours"))
    assert config.is_symlink() and real.stat().st_mode & 0o777 == 0o640
    assert values(repo) == {"ours"}
    assert sorted(path.name for path in tmp_path.glob("real*")) == ["real"]


def test_a_linked_worktree(tmp_path: Path) -> None:
    repo = tiny.repo(tmp_path, Kind.WORKTREE)
    publish(repo, change(repo, "ours"))
    assert values(repo) == {"ours"}
    assert own(repo.with_name("linux-main")) == ["config"]


def test_what_is_taken_back_is_as_it_was(repo: Path) -> None:
    """To the byte, whatever the encoding of its user."""
    before = os.fsdecode(b"caf\xe9\n")
    key = next(iter(KEYS))
    git(repo, "config", key, before)
    wanted = Change(BRANCH, commit(repo, "new"), None, {key: before}, {key: "new"})
    note = repo / ".git/config.dmabuf-patchgen"
    note.write_text(json.dumps(asdict(wanted)))
    os.link(note, note.with_name("config.lock"))
    git(repo, "config", "--file", str(note.with_name("copy")), key, "new")
    other = note.with_name("copy").read_bytes()
    config = note.with_name("config")
    config.write_bytes(config.read_bytes() + other)
    settle(repo)
    assert tracking.value(repo, key) == before
