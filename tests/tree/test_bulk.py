# SPDX-License-Identifier: GPL-2.0-only
"""A directory and a revision have the same files with the same words, wherever they are read."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.tree import bulk
from dmabuf_patchgen.tree.bulk import Bulk, Words
from dmabuf_patchgen.tree.source import open_tree
from tests import repos, tiny, tools

WORDS = Words((b"needle_a", b"other"), (b"needle", b"other"))
TOPS = ("drivers", "include", "nowhere")
HAVING = {"drivers/a.c": b"x needle_a", "drivers/[b].h": b"\0\xff other\n", "include/c.h": b"other"}
NOT = {"drivers/d.c": b"needle_b", "include/empty.h": b"", "drivers/text.txt": b"needle_a"}


def found(files: Bulk) -> tuple[list[str], dict[str, str]]:
    """The files that have the words, by their contents; and those that cannot be read."""
    said = files.search(files.files, WORDS)
    narrowed, missed = files.narrowed(said.left, WORDS)
    having = []
    for path, body in files.contents([*said.having, *narrowed]):
        if isinstance(body, str):
            missed.append((path, body))
        elif any(word in body for word in WORDS.whole):
            having.append(path)
    return sorted(having), dict([*files.left_out, *missed])


def committed(root: Path) -> Path:
    repos.git(root, "init", "-q")
    repos.git(root, "add", "-A", "-f")
    repos.git(root, "-c", "user.name=T", "-c", "user.email=t@e.org", "commit", "-q", "-m", "x")
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tiny.write(tiny.tree(tmp_path / "linux"), HAVING | NOT)


def as_it_is(root: Path) -> Path:
    return root


def in_git(root: Path) -> Path:
    return committed(root)


def bare(root: Path) -> Path:
    """The objects alone."""
    place = root.with_name("bare.git")
    repos.git(root.parent, "clone", "-q", "--bare", str(root), str(place))
    return place


def objects_alone(root: Path) -> Path:
    return bare(committed(root))


def of_another_state(root: Path) -> Path:
    """A work tree in which each file has changed since."""
    committed(root)
    for path in (*HAVING, *NOT):
        (root / path).write_bytes(b"needle_a other, and not as it was")
    return root


@pytest.fixture(
    params=[as_it_is, in_git, objects_alone, of_another_state], ids=lambda how: how.__name__
)
def place(request: pytest.FixtureRequest, root: Path) -> Path:
    made: Callable[[Path], Path] = request.param
    return made(root)


@pytest.mark.parametrize("few", [0, 2000], ids=["searched by git", "read one by one"])
def test_the_words_are_found(place: Path, few: int) -> None:
    files = bulk.bulk(open_tree(place), TOPS, few)
    assert found(files) == (sorted(HAVING), {})
    assert dict(files.contents(sorted(HAVING))) == HAVING
    assert "drivers/text.txt" not in files.files and "Kbuild" not in files.files


@pytest.mark.parametrize("few", [0, 2000])
def test_what_is_not_to_be_read_is_told(root: Path, few: int) -> None:
    (root / "drivers/link.c").symlink_to("/etc/passwd")
    (root / "drivers/huge.h").write_bytes(b"#define needle_a\n" * 70_000)
    expected = {"drivers/link.c": "a link", "drivers/huge.h": "1.1 MiB, generated"}
    assert found(bulk.bulk(open_tree(root), TOPS)) == (sorted(HAVING), expected)
    assert found(bulk.bulk(open_tree(committed(root)), TOPS, few)) == (sorted(HAVING), expected)
    assert found(bulk.bulk(open_tree(bare(root)), TOPS, few)) == (sorted(HAVING), expected)


@pytest.mark.parametrize("few", [0, 2000])
def test_an_object_that_is_missing_is_told(root: Path, few: int) -> None:
    place = objects_alone(root)
    oid = repos.git(place, "rev-parse", "HEAD:drivers/a.c").strip()
    (place / "objects" / oid[:2] / oid[2:]).unlink()
    having, missed = found(bulk.bulk(open_tree(place), TOPS, few))
    assert having == sorted(set(HAVING) - {"drivers/a.c"})
    assert missed == {"drivers/a.c": "git has no such object"}


def test_a_pipe_in_the_place_of_a_file_keeps_nobody_waiting(root: Path) -> None:
    committed(root)
    (root / "drivers/a.c").unlink()
    os.mkfifo(root / "drivers/a.c")
    assert found(bulk.bulk(open_tree(root), TOPS)) == (sorted(HAVING), {})


def test_a_directory_in_the_place_of_a_file_leaves_nothing_open(root: Path) -> None:
    committed(root)
    (root / "drivers/a.c").unlink()
    (root / "drivers/a.c").mkdir()
    files = bulk.bulk(open_tree(root), TOPS)
    assert found(files) == (sorted(HAVING), {})
    before = [*Path("/proc/self/fd").iterdir()]
    assert dict(files.contents(sorted(HAVING))) == HAVING
    assert len([*Path("/proc/self/fd").iterdir()]) == len(before)


def test_a_git_that_is_killed_finds_not_nothing(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = objects_alone(root)
    real = shutil.which("git")
    tools.put(
        tmp_path / "bin", "git", f'case " $* " in *" grep "*) kill -9 $$;; esac\nexec {real} "$@"'
    )
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    with pytest.raises(UserError, match="git grep failed"):
        found(bulk.bulk(open_tree(place), TOPS, 0))


def test_the_environment_does_not_change_what_is_found(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_LITERAL_PATHSPECS", "1")
    assert found(bulk.bulk(open_tree(objects_alone(root)), TOPS, 0)) == (sorted(HAVING), {})


@pytest.mark.parametrize("changed", [b"x needle_A", b"longer than it was"])
def test_an_id_is_that_of_the_files(root: Path, changed: bytes) -> None:
    before = bulk.bulk(open_tree(root), TOPS).id
    assert bulk.bulk(open_tree(root), TOPS).id == before
    file = root / "drivers/a.c"
    then = file.stat().st_ctime_ns
    while file.stat().st_ctime_ns == then:
        # The file system's clock may tick slowly.
        file.write_bytes(changed)
    assert bulk.bulk(open_tree(root), TOPS).id != before


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies=st.lists(st.sampled_from([b"", b"needle", b"needle_a", b"a other b"]), max_size=80))
def test_a_work_tree_of_another_revision_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, bodies: list[bytes]
) -> None:
    """Also where the first files are all changed, so that the rest is not tried."""
    root = tiny.tree(tmp_path_factory.mktemp("tree") / "linux")
    names = [f"drivers/{number:02}.c" for number in range(len(bodies))]
    committed(tiny.write(root, dict(zip(names, bodies, strict=True))))
    for name in names[: len(names) * 9 // 10]:
        (root / name).write_bytes(b"another state of it, other")
    expected = [
        name
        for name, body in zip(names, bodies, strict=True)
        if any(word in body for word in WORDS.whole)
    ]
    assert found(bulk.bulk(open_tree(root), TOPS)) == (expected, {})
