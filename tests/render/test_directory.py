# SPDX-License-Identifier: GPL-2.0-only
"""The directory of patches: whole or not at all, and nothing in it that is not this tool's lost."""

import json
import os
import resource
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.render import directory, exchange
from tests import calls, tiny
from tests.conftest import Cli
from tests.repos import Kind, git
from tests.tiny import Toy

FILES = {"0001-one.patch": b"one\n", "0002-two.patch": b"two\xe9\n"}
NAMES = ["0001-one.patch", "0002-two.patch", "series.json"]


def names(where: Path) -> list[str]:
    return sorted(path.name for path in where.iterdir())


def put(where: Path, files: Mapping[str, bytes] = FILES) -> None:
    """As the command does it: asked before any work, written after."""
    directory.check(where)
    directory.write(where, files, {"tool": "x"})


def refused(where: Path) -> UserError:
    """What is said; nothing below the parent has changed."""
    before = tiny.snapshot(where.parent)
    with pytest.raises(UserError) as error:
        directory.check(where)
    assert tiny.snapshot(where.parent) == before
    assert "\n" not in error.value.message
    return error.value


@contextmanager
def limited(size: int) -> Iterator[None]:
    """No file may grow beyond some bytes: a disk that is full, for a program."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_patches_and_manifest(tmp_path: Path) -> None:
    put(tmp_path / "out")
    assert names(tmp_path / "out") == NAMES
    assert (tmp_path / "out" / "0002-two.patch").read_bytes() == b"two\xe9\n"
    said = json.loads((tmp_path / "out" / "series.json").read_text())
    assert said["tool"] == "x" and sorted(said["files"]) == NAMES[:2]
    assert names(tmp_path) == ["out"]


def test_directories_above_are_made(tmp_path: Path) -> None:
    put(tmp_path / "a" / "b" / "out")
    assert names(tmp_path / "a" / "b" / "out") == NAMES


def test_an_empty_directory_is_taken(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir(mode=0o700)
    put(tmp_path / "out")
    assert names(tmp_path / "out") == NAMES
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o700


def test_what_an_earlier_run_wrote_is_replaced(tmp_path: Path) -> None:
    put(tmp_path / "out")
    put(tmp_path / "out", {"0001-other.patch": b"other\n"})
    assert names(tmp_path / "out") == ["0001-other.patch", "series.json"]


def test_a_patch_that_its_user_took_away_does_not_matter(tmp_path: Path) -> None:
    put(tmp_path / "out")
    (tmp_path / "out" / "0001-one.patch").unlink()
    put(tmp_path / "out")
    assert names(tmp_path / "out") == NAMES


def test_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell that stands in it sees the patches."""
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    for _ in range(2):
        put(Path())
        assert sorted(os.listdir(".")) == NAMES  # noqa: PTH208


def test_a_link_to_a_directory(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to("real")
    for _ in range(2):
        put(tmp_path / "out")
        assert (tmp_path / "out").is_symlink() and names(tmp_path / "real") == NAMES


@pytest.mark.parametrize("foreign", ["notes.txt", ".hidden", "0001-mine.patch", "sub"])
def test_a_foreign_file(tmp_path: Path, foreign: str) -> None:
    out = tmp_path / "out"
    for before in (False, True):
        if before:
            shutil.rmtree(out)
            put(out)
        if foreign == "sub":
            (out / foreign).mkdir(parents=True)
        else:
            tiny.write(out, {foreign: b"mine"})
        error = refused(out)
        assert error.message == f"{out}: has a file that is not this tool's: {foreign}"
        assert error.hint == "choose another -o, or move the file away"


def test_an_edited_patch(tmp_path: Path) -> None:
    put(tmp_path / "out")
    with (tmp_path / "out" / "0002-two.patch").open("ab") as patch:
        patch.write(b"edited")
    error = refused(tmp_path / "out")
    assert error.message == f"{tmp_path}/out/0002-two.patch: was changed since it was written"
    assert error.hint == "move it away if you want to keep it"


@pytest.mark.parametrize("manifest", [b"", b"{}", b"[]", b'{"files": []}', b"\xff", b"null"])
def test_a_manifest_of_another_tool(tmp_path: Path, manifest: bytes) -> None:
    out = tiny.write(tmp_path / "out", {"series.json": manifest})
    assert "has a file that is not this tool's: series.json" in refused(out).message


@pytest.mark.parametrize("name", ["../escaped", "/escaped", "sub/file", "", ".", "..", "a/"])
def test_a_manifest_that_names_what_is_elsewhere(tmp_path: Path, name: str) -> None:
    """It says which files may go: only those beside it."""
    tiny.write(tmp_path, {"escaped": b"mine"})
    name = name.replace("/escaped", f"{tmp_path}/escaped") if name == "/escaped" else name
    manifest = json.dumps({"files": {name: "0" * 64}})
    tiny.write(tmp_path / "out", {"series.json": manifest.encode()})
    assert "not this tool's: series.json" in refused(tmp_path / "out").message
    with pytest.raises(UserError):
        directory.write(tmp_path / "out", FILES, {})
    assert (tmp_path / "escaped").read_bytes() == b"mine"


def test_no_directory(tmp_path: Path) -> None:
    tiny.write(tmp_path, {"file": b"x"})
    (tmp_path / "dangling").symlink_to("nowhere")
    assert refused(tmp_path / "file").message == f"{tmp_path}/file: not a directory"
    assert "not a directory" in refused(tmp_path / "dangling").message
    error = refused(tmp_path / "file" / "deeper" / "out")
    assert "cannot be made in" in error.message and error.hint == "choose another -o"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_without_permission(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir(mode=0o555)
    assert "cannot be written to" in refused(tmp_path / "out").message
    assert "cannot be made in" in refused(tmp_path / "out" / "deeper").message


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_where_not_even_root_can_write() -> None:
    """What the permissions did not tell, the attempt does; and it leaves no half."""
    with pytest.raises(UserError) as error:
        put(Path("/proc/dmabuf-patchgen/out"))
    assert error.value.message.startswith("/proc")


@pytest.mark.parametrize("before", [False, True])
def test_a_disk_that_is_full(tmp_path: Path, before: bool) -> None:
    out = tmp_path / "a" / "out"
    if before:
        put(out)
    there = tiny.snapshot(tmp_path)
    large = {**FILES, "0003-large.patch": b"x" * 100_000}
    with limited(50_000), pytest.raises(UserError) as error:
        put(out, large)
    assert error.value.message == f"{out}: File too large"
    assert error.value.hint == "nothing was written"
    assert tiny.snapshot(tmp_path) == there
    # The control: with room for it, it is written.
    put(out, large)
    assert len(names(out)) == 4


def test_an_error_in_the_middle_of_the_exchange(tmp_path: Path) -> None:
    put(tmp_path / "out")
    there = tiny.snapshot(tmp_path)
    for moment in range(1, 7):
        broken = OSError(5, "Input/output error", str(tmp_path))
        with (
            calls.failing("os.rename", broken, moment),
            pytest.raises(UserError, match="Input/output error"),
        ):
            put(tmp_path / "out", {**FILES, "0002-new.patch": b"new\n"})
        assert tiny.snapshot(tmp_path) == there


@pytest.fixture
def toy(cli: Cli, tmp_path: Path) -> Toy:
    return tiny.toy(cli, tmp_path / "toy")


def test_a_file_system_of_its_own(toy: Toy, tmp_path: Path, identity: str) -> None:
    """A mount point can be written to, though not replaced; one that is full stays empty."""
    repo, mount = tiny.repo(tmp_path), tmp_path / "mount"
    mount.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(mount)],
        capture_output=True, check=False,
    )  # fmt: skip
    if mounted.returncode:
        pytest.skip("no right to mount a file system")
    try:
        arguments = ("-C", repo, "render", "toy", "--branch", "b4/toy", "-o", mount)
        (mount / "filler").write_bytes(b"x" * (56 << 10))
        said = toy(*arguments)
        assert said.returncode == 1 and "not this tool's: filler" in said.stderr
        said = toy(*arguments[:-1], mount / "out")
        assert said.returncode == 1 and "No space left on device" in said.stderr
        assert "nothing was written" in said.stderr and names(mount) == ["filler"]
        assert git(repo, "for-each-ref", "refs/heads/b4") == ""
        (mount / "filler").unlink()
        assert toy(*arguments).returncode == 0
        assert len(names(mount)) == 3
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def test_a_full_disk_makes_neither_branch_nor_patches(
    toy: Toy, tmp_path: Path, identity: str
) -> None:
    """Whatever the limit hits, the scratch repository, the object store or the directory."""
    repo, out = tiny.repo(tmp_path, Kind.UNCHECKED), tmp_path / "out"
    many = "".join(f"+/* {n:060} */\n" for n in range(1500))
    hunk = f"--- drivers/dma-buf/large.c\n@@ new file @@\n{many}"
    tiny.write(tmp_path / "toy" / "templates", {"toy/01-check.patch.j2": f"dma-buf: x\n\n{hunk}"})
    before = tiny.snapshot(repo)
    ends = set()
    for size in (0, 100, 1_000, 5_000, 20_000, 60_000, 200_000):
        with limited(size):
            said = toy("-C", repo, "render", "toy", "--branch", "b4/toy", "-o", out)
        ends.add(said.returncode)
        if said.returncode == 0:
            break
        assert said.returncode == 1
        if size:
            # With no byte to be written, not even the message can be.
            (line,) = said.stderr.splitlines()
            assert line.startswith("dmabuf-patchgen: ")
        assert not out.exists() and tiny.snapshot(repo) == before
    assert ends == {0, 1} and len(names(out)) == 3


def test_a_branch_that_cannot_be_had_leaves_no_patches(
    toy: Toy, tmp_path: Path, identity: str
) -> None:
    """Somebody else holds the lock of the ref: all was ready, and none of it stays."""
    repo, out = tiny.repo(tmp_path, Kind.UNCHECKED), tmp_path / "deep" / "out"
    arguments = ("-C", repo, "render", "toy", "--branch", "b4/toy", "-o", out)
    lock = repo / ".git" / "refs/heads/b4/toy.lock"
    lock.parent.mkdir()
    lock.touch()
    said = toy(*arguments)
    assert said.returncode == 1 and "update-ref" in said.stderr
    assert not out.parent.exists()
    # What was there before is there again.
    put(out)
    before = tiny.snapshot(out)
    assert toy(*arguments).returncode == 1
    assert tiny.snapshot(out) == before
    lock.unlink()
    assert toy(*arguments).returncode == 0
    assert names(out) == ["0001-dma-buf-check-the-flags.patch", "0002-dma-buf-add-an-ioctl.patch",
                          "series.json"]  # fmt: skip


def test_what_a_killed_run_had_moved_is_moved_back(tmp_path: Path) -> None:
    """Its list is there and nobody holds it: old files out, a part of the new ones in."""
    out, stage = tmp_path / "out", tmp_path / "out" / ".dmabuf-patchgen"
    put(out)
    before = tiny.snapshot(out)
    new = {"0001-one.patch": b"new one\n", "0003-three.patch": b"three\n"}

    def killed() -> None:
        (stage / "old").mkdir(parents=True)
        for name in NAMES:
            (out / name).rename(stage / "old" / name)
        tiny.write(out, {"0001-one.patch": new["0001-one.patch"]})
        tiny.write(stage / "new", {"0003-three.patch": new["0003-three.patch"]})
        held = {"old": NAMES, "new": {name: exchange.digest(body) for name, body in new.items()}}
        (stage / "exchange.json").write_text(json.dumps(held))

    killed()
    directory.check(out)
    assert tiny.snapshot(out) == before
    # What somebody has edited since then is not lost; once moved away, the rest goes on.
    killed()
    tiny.write(out, {"0001-one.patch": b"edited\n"})
    with pytest.raises(UserError, match=r"0001-one\.patch: was changed since it was written"):
        directory.check(out)
    (out / "0001-one.patch").unlink()
    directory.check(out)
    assert tiny.snapshot(out) == before


@pytest.mark.parametrize("held", [None, "", "{", '{"old": ["../x"], "new": {}}'])
def test_a_stage_before_the_first_move(tmp_path: Path, held: str | None) -> None:
    put(tmp_path / "out")
    before = tiny.snapshot(tmp_path)
    stage = tiny.write(tmp_path / "out" / ".dmabuf-patchgen", {"new/0001-x.patch": b"half"})
    if held is not None:
        (stage / "exchange.json").write_text(held)
    put(tmp_path / "out")
    assert tiny.snapshot(tmp_path) == before


def test_two_runs_at_once(tmp_path: Path) -> None:
    """The second is told of the first, and the first goes on."""
    out = tmp_path / "out"
    with directory.written(out, FILES, {"tool": "x"}):
        for refuse in (directory.check, put):
            with pytest.raises(UserError, match="another run writes to it"):
                refuse(out)
    assert names(out) == NAMES
