# SPDX-License-Identifier: GPL-2.0-only
"""What is kept between runs is whole, bounded, and follows what it was made from."""

import contextlib
import os
import threading
import time
from pathlib import Path

import pytest

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.kernel import cache, seal
from dmabuf_patchgen.tree.source import DirectoryTree, GitTree
from tests import damage, faults, mounts, repos
from tests.planted import Planted


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    place = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(place))
    return place / "dmabuf-patchgen"


@pytest.fixture
def plain(tmp_path: Path) -> DirectoryTree:
    place = tmp_path / "plain"
    (place / "arch/x86/include").mkdir(parents=True)
    (place / "Makefile").write_text("VERSION = 6\n")
    return DirectoryTree(place)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    place = tmp_path / "repo"
    place.mkdir()
    repos.git(place, "init", "-q", "--initial-branch=main")
    faults.commit(place, {"base": {"a.c": faults.new("1\n"), "sub/b.c": faults.new("2\n")}})
    return place


def test_a_revision_is_exported_whole_and_once(repo: Path) -> None:
    with cache.source_of(GitTree(repo, "main")) as (place, name):
        assert (place / "sub/b.c").read_text() == "2\n"
        assert place.name == name
        inode = place.stat().st_ino
    (repo / "a.c").write_text("not committed\n")
    with cache.source_of(GitTree(repo, "main")) as (place, _):
        assert place.stat().st_ino == inode
        assert (place / "a.c").read_text() == "1\n"


def test_the_users_index_and_configuration_have_no_say(repo: Path) -> None:
    repos.git(repo, "config", "core.autocrlf", "true")
    repos.git(repo, "rm", "-q", "--cached", "a.c")
    before = (repo / ".git/index").read_bytes()
    with cache.source_of(GitTree(repo, "main")) as (place, _):
        assert (place / "a.c").read_bytes() == b"1\n"
    assert (repo / ".git/index").read_bytes() == before


def test_no_filter_is_run(repo: Path, tmp_path: Path) -> None:
    """The control is git itself, which runs it for each file that it checks out."""
    planted = Planted(repo, tmp_path / "planted")
    with cache.source_of(GitTree(repo, "main")) as (place, _):
        found = {path.name: path.read_bytes() for path in place.iterdir() if path.is_file()}
    assert planted.run() == set() and found and all(found.values())
    with contextlib.suppress(AssertionError):
        repos.git(repo, "checkout-index", "--all", f"--prefix={tmp_path}/git/")
    assert "filter.planted.smudge" in planted.run()


def test_what_a_killed_export_left_is_neither_taken_nor_kept(repo: Path) -> None:
    tree = GitTree(repo, "main")
    left = cache.directory("trees") / f"{tree.id}.partial"
    left.mkdir()
    (left / "a.c").write_text("half\n")
    other = cache.directory("trees") / "0123.partial"
    other.mkdir()
    with cache.source_of(tree) as (place, _):
        assert (place / "a.c").read_text() == "1\n"
    assert not left.exists()
    assert not other.exists()


def test_a_partial_clone_is_not_fetched_file_by_file(repo: Path, tmp_path: Path) -> None:
    repos.git(repo, "config", "uploadpack.allowFilter", "true")
    place = tmp_path / "partial"
    repos.git(tmp_path, "clone", "-q", "--no-checkout", "--filter=blob:none",
              f"file://{repo}", str(place))  # fmt: skip
    with (
        pytest.raises(UserError, match="a partial clone, 2 files"),
        cache.source_of(GitTree(place, "main")),
    ):
        pass
    assert [*cache.directory("trees").glob("*[!k]")] == []


def test_a_directory_is_used_where_it_lies(plain: DirectoryTree, repo: Path) -> None:
    with cache.source_of(plain) as (place, first):
        assert place == plain.root
    (plain.root / "Makefile").write_text("VERSION = 7\n")
    with cache.source_of(plain) as (_, second):
        assert second != first
    # The same files in a repository are the same tree.
    repos.git(repo, "rm", "-q", "-r", ".")
    faults.commit(repo, {"one": {"Makefile": faults.new("VERSION = 7\n")}})
    assert cache.fingerprint(GitTree(repo, "main")) == second


@pytest.mark.parametrize("what", damage.DAMAGES)
def test_a_damaged_tree_is_exported_anew(repo: Path, what: str) -> None:
    tree = GitTree(repo, "main")
    with cache.source_of(tree) as (place, _):
        kept = [*damage.files(place)]
    assert {path.name for path in kept} == {"a.c", "b.c", seal.NAME}
    for path in kept:
        damage.DAMAGES[what](path)
        with cache.source_of(tree) as (place, _):
            assert (place / "a.c").read_text() == "1\n"
            assert (place / "sub/b.c").read_text() == "2\n"
            inode = place.stat().st_ino
        with cache.source_of(tree) as (place, _):
            assert place.stat().st_ino == inode


@pytest.mark.parametrize("what", damage.DAMAGES)
def test_what_was_damaged_is_not_taken_and_made_anew(what: str) -> None:
    def make() -> Path:
        with cache.keeping("kernels", "key") as made:
            (made / "image").write_text("an image\n")
            (made / "sub").mkdir()
            (made / "sub/config").write_text("a configuration\n")
        found = cache.kept("kernels", "key")
        assert found
        return found

    assert cache.kept("kernels", "key") is None
    kept = [*damage.files(make())]
    assert len(kept) == 3
    for path in kept:
        damage.DAMAGES[what](path)
        assert cache.kept("kernels", "key") is None
        make()


def test_a_file_in_the_place_of_what_is_kept_is_replaced(tmp_path: Path) -> None:
    (cache.directory("boots") / "key").touch()
    assert cache.kept("boots", "key") is None
    made = tmp_path / "made"
    made.mkdir()
    assert cache.keep("boots", "key", made) == cache.kept("boots", "key")


def test_what_is_half_made_is_not_kept() -> None:
    def interrupted() -> None:
        with cache.keeping("boots", "key") as made:
            (made / "boot.json").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert cache.kept("boots", "key") is None
    with cache.keeping("boots", "other"):
        pass
    assert [path.name for path in cache.directory("boots").glob("*/")] == ["other"]


@pytest.mark.parametrize(
    "sign", [".config", "include/config/auto.conf", "arch/x86/include/generated/asm.h"]
)
def test_a_directory_that_was_built_in_is_refused(plain: DirectoryTree, sign: str) -> None:
    (plain.root / sign).parent.mkdir(parents=True, exist_ok=True)
    (plain.root / sign).write_text("")
    with pytest.raises(UserError) as error, cache.source_of(plain):
        pass
    assert "mrproper" in error.value.hint


def test_only_the_last_used_are_kept_and_never_one_in_use() -> None:
    room = cache.directory("build")
    for number in range(14):
        (room / f"{number:02}").mkdir()
        os.utime(room / f"{number:02}", (number, number))
    with cache.locked(room / "00"):
        cache.evict("build")
    kept = sorted(path.name for path in room.iterdir() if path.is_dir())
    assert kept == ["00", *(f"{number:02}" for number in range(4, 14))]


def test_a_lock_that_is_taken_is_waited_for_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    entry, ended = tmp_path / "entry", threading.Event()

    def wait() -> None:
        with cache.locked(entry) as held:
            assert held
        ended.set()

    with cache.locked(entry), cache.locked(entry, wait=False) as held:
        assert not held
        assert not caplog.messages
        waiting = threading.Thread(target=wait)
        waiting.start()
        while not caplog.messages:
            time.sleep(0.01)
        assert not ended.is_set()
    waiting.join(60)
    assert ended.is_set()
    assert caplog.messages == [f"waiting for another run, which uses {entry}"]


@pytest.mark.parametrize("odd", [" ", ":", "#", "$", "%", "'", '"', "&", ";", "(", "\\", "\n"])
def test_a_cache_that_make_cannot_use_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / f"a{odd}b"))
    with pytest.raises(UserError, match="make and the shell take no path with") as error:
        cache.directory("build")
    assert repr(odd) in error.value.message
    assert not (tmp_path / f"a{odd}b").exists()


@pytest.mark.parametrize("plain", ["a-b_c.d", "ä", "a+b,c=d@e~"])
def test_a_cache_that_make_can_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plain: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / plain))
    assert cache.directory("build").is_dir()


#: Asks for a directory, and prints what is said against it.
ASKING = """
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.kernel import cache
try:
    cache.directory("build")
except UserError as error:
    print(error.message, error.hint, sep="; ")
"""


def test_a_cache_in_which_nothing_can_be_run_is_refused(own_cache: Path) -> None:
    own_cache.mkdir(parents=True)
    done = mounts.python(own_cache, "noexec", "-c", ASKING)
    said = f"{own_cache}/build: mounted noexec, and programs in it have to be run"
    assert done.stdout == f"{said}; set XDG_CACHE_HOME to another directory\n", done.stderr
    # The control: another such file system will do.
    assert mounts.python(own_cache, "exec", "-c", ASKING).stdout == ""


#: Takes a directory to build from, which is the argument, and prints what is said against it.
TAKING = """
import sys
from pathlib import Path
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.kernel import cache
from dmabuf_patchgen.tree.source import DirectoryTree
try:
    with cache.source_of(DirectoryTree(Path(sys.argv[1]))):
        pass
except UserError as error:
    print(error.message, error.hint, sep="; ")
"""


def test_so_is_a_tree(tmp_path: Path) -> None:
    """Its Kconfig would find that no compiler works."""
    place = tmp_path / "linux"
    place.mkdir()
    done = mounts.python(place, "noexec", "-c", TAKING, str(place))
    reason = f"{place}: mounted noexec, and programs in it have to be run"
    assert done.stdout == f"{reason}; have the tree elsewhere: its scripts are run\n", done.stderr
    assert mounts.python(place, "exec", "-c", TAKING, str(place)).stdout == ""
