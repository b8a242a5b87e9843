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
from dmabuf_patchgen.tree.bulk import Bulk
from dmabuf_patchgen.tree.source import open_tree
from tests import repos, tiny, tools

WORDS = (b"needle_a", b"other")
TOPS = ("drivers", "include", "nowhere")
HAVING = {"drivers/a.c": b"x needle_a", "drivers/[b].h": b"\0\xff other\n", "include/c.h": b"other"}
NOT = {"drivers/d.c": b"needle_b", "include/empty.h": b"", "drivers/text.txt": b"needle_a"}


def found(files: Bulk) -> tuple[dict[str, bytes], dict[str, str]]:
    """The files that have the words, with their contents; and those that cannot be read."""
    having: dict[str, bytes] = {}
    missed = dict(files.left_out)
    for path, body in files.having(files.files, WORDS):
        if isinstance(body, str):
            missed[path] = body
        else:
            having[path] = body
    return having, missed


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


def test_the_words_are_found(place: Path) -> None:
    files = bulk.bulk(open_tree(place), TOPS)
    assert found(files) == (HAVING, {})
    assert "drivers/text.txt" not in files.files and "Kbuild" not in files.files
    assert {*NOT} - {*files.files} == {"drivers/text.txt"}


def test_what_is_not_to_be_read_is_told(root: Path) -> None:
    (root / "drivers/link.c").symlink_to("/etc/passwd")
    (root / "drivers/huge.h").write_bytes(b"#define needle_a\n" * 70_000)
    expected = {"drivers/link.c": "a link", "drivers/huge.h": "1.1 MiB, generated"}
    assert found(bulk.bulk(open_tree(root), TOPS)) == (HAVING, expected)
    assert found(bulk.bulk(open_tree(committed(root)), TOPS)) == (HAVING, expected)
    assert found(bulk.bulk(open_tree(bare(root)), TOPS)) == (HAVING, expected)


def test_a_link_behind_which_there_may_be_drivers_is_told(root: Path, tmp_path: Path) -> None:
    """Of the tree or not: none is followed, but one that leads to a file hides nothing."""
    vendor = tiny.write(tmp_path / "vendor", {"vendor.c": b"needle_a"})
    (root / "drivers/vendor").symlink_to(vendor)
    (root / "drivers/again").symlink_to("../include")
    (root / "drivers/nowhere").symlink_to("../not/there")
    (root / "drivers/Kconfig").symlink_to("../Kbuild")
    (root / "samples").symlink_to(vendor)
    expected = dict.fromkeys(
        ["drivers/vendor", "drivers/again", "drivers/nowhere", "samples"], "a link"
    )
    tops = (*TOPS, "samples")
    assert found(bulk.bulk(open_tree(root), tops)) == (HAVING, expected)
    assert found(bulk.bulk(open_tree(committed(root)), tops)) == (HAVING, expected)
    assert found(bulk.bulk(open_tree(bare(root)), tops)) == (HAVING, expected)


@pytest.mark.skipif(os.getuid() == 0, reason="root may read all")
def test_a_directory_that_cannot_be_read_is_told(root: Path) -> None:
    tiny.write(root, {"drivers/closed/a.c": b"needle_a", "drivers/file.c": b""})
    (root / "drivers/closed").chmod(0)
    (root / "drivers/file.c").chmod(0)
    expected = dict.fromkeys(["drivers/closed", "drivers/file.c"], "Permission denied")
    assert found(bulk.bulk(open_tree(root), TOPS)) == (HAVING, expected)


def test_an_object_that_is_missing_is_told(root: Path) -> None:
    place = objects_alone(root)
    stored(place, "drivers/a.c").unlink()
    having, missed = found(bulk.bulk(open_tree(place), TOPS))
    assert having.keys() == HAVING.keys() - {"drivers/a.c"}
    assert missed == {"drivers/a.c": "git has no such object"}


def with_broken(root: Path, *numbers: int) -> Path:
    """The objects of a tree with a hundred and twenty files more, of which some are broken."""
    many = {
        f"drivers/many/{number:03}.c": f"needle_a {number} {'how it goes on ' * 20}".encode()
        for number in range(120)
    }
    place = objects_alone(tiny.write(root, many))
    for number in numbers:
        file = stored(place, f"drivers/many/{number:03}.c")
        file.chmod(0o644)
        # Its head is as it was, and not the checksum behind it.
        file.write_bytes(file.read_bytes()[:-4] + b"\0\0\0\0")
    return place


@pytest.mark.parametrize("numbers", [(0,), (119,), (5, 6, 90)])
def test_an_object_that_is_broken_is_told_and_the_rest_is_read(
    root: Path, numbers: tuple[int, ...]
) -> None:
    having, missed = found(bulk.bulk(open_tree(with_broken(root, *numbers)), TOPS))
    assert len(having) == len(HAVING) + 120 - len(numbers)
    names = [f"drivers/many/{number:03}.c" for number in numbers]
    assert missed == dict.fromkeys(names, "git cannot read this object")


def test_a_repository_of_broken_objects_is_no_tree(root: Path) -> None:
    files = bulk.bulk(open_tree(with_broken(root, *range(120))), TOPS)
    with pytest.raises(UserError, match="git cannot read its objects"):
        found(files)


def stored(repo: Path, path: str) -> Path:
    """The file that holds a blob of a repository's HEAD."""
    oid = repos.git(repo, "rev-parse", f"HEAD:{path}").strip()
    return repo / "objects" / oid[:2] / oid[2:]


def test_a_pipe_in_the_place_of_a_file_keeps_nobody_waiting(root: Path) -> None:
    committed(root)
    (root / "drivers/a.c").unlink()
    os.mkfifo(root / "drivers/a.c")
    assert found(bulk.bulk(open_tree(root), TOPS)) == (HAVING, {})


def test_a_directory_in_the_place_of_a_file_leaves_nothing_open(root: Path) -> None:
    committed(root)
    (root / "drivers/a.c").unlink()
    (root / "drivers/a.c").mkdir()
    files = bulk.bulk(open_tree(root), TOPS)
    assert found(files) == (HAVING, {})
    before = [*Path("/proc/self/fd").iterdir()]
    assert found(files) == (HAVING, {})
    assert len([*Path("/proc/self/fd").iterdir()]) == len(before)


def test_a_directory_with_the_name_of_a_file_is_looked_into(root: Path) -> None:
    tiny.write(root, {"drivers/x.c/y.c": b"other"})
    assert found(bulk.bulk(open_tree(root), TOPS)) == (HAVING | {"drivers/x.c/y.c": b"other"}, {})


def test_a_git_that_is_killed_finds_not_nothing(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = objects_alone(root)
    real = shutil.which("git")
    tools.put(
        tmp_path / "bin",
        "git",
        f'case " $* " in *" --batch "*) kill -9 $$;; esac\nexec {real} "$@"',
    )
    tree = open_tree(place)
    tree.close()
    files = bulk.bulk(tree, TOPS)
    listed = files.files
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    with pytest.raises(UserError, match="git cat-file was ended"):
        list(files.having(listed, WORDS))


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
    expected = {
        name: body
        for name, body in zip(names, bodies, strict=True)
        if any(word in body for word in WORDS)
    }
    assert found(bulk.bulk(open_tree(root), TOPS)) == (expected, {})
