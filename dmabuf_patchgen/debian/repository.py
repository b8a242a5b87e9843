# SPDX-License-Identifier: GPL-2.0-only
"""A source directory as a git repository of one commit: what b4 needs where there is none."""

import os
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dmabuf_patchgen import process
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.tree import git

#: A name and a date that are nobody's, so that the same source has the same ids everywhere.
_WHO = b"Linux <linux@localhost.invalid> 1700000000 +0000"
# One pack, quickly: a source is imported once and read often.
_SETTINGS = ("core.compression=1", "fastimport.unpackLimit=1", "core.fsync=none")


def imported(root: Path, place: Path, label: str) -> Path:
    """A bare repository of a source at a place, made on the first use, whole or not at all.

    label: the commit's subject, and its tag with a v before the version it ends in.
    Raises UserError if git fails or the disk is full.
    """
    if place.exists():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".importing-", dir=place.parent) as name:
        repo = Path(name) / "repository"
        git.git(
            place.parent, "init", "--quiet", "--bare", "--template=",
            "--initial-branch=master", str(repo),
        )  # fmt: skip
        _import(repo, _stream(root, label))
        # Once for all of it, and before the name is there.
        process.run(["sync", "--file-system", str(repo)])
        try:
            repo.rename(place)
        except OSError:
            # Another process was quicker, and the same source gives the same repository.
            if not place.exists():
                raise
    return place


def _import(repo: Path, stream: Iterator[bytes]) -> None:
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    with subprocess.Popen(
        git.command(repo, *settings, "fast-import", "--quiet", "--done"),
        env=git.environment(), stdin=subprocess.PIPE, stderr=subprocess.PIPE,
        start_new_session=True,
    ) as child:  # fmt: skip
        assert child.stdin
        assert child.stderr
        try:
            for part in stream:
                child.stdin.write(part)
            child.stdin.close()
        except BrokenPipeError:
            # It says on stderr why it ended.
            pass
        except BaseException:
            process.kill_group(child)
            raise
        words = child.stderr.read().decode(errors="replace").strip()
    if child.returncode:
        # One that is killed has said nothing.
        why = words.partition("\n")[0] or f"exit code {child.returncode}"
        raise UserError(f"{repo.parent.parent}: git fast-import failed: {why}")


def _stream(root: Path, label: str) -> Iterator[bytes]:
    """What git fast-import reads: every file of the source, in a fixed order."""
    yield b"commit refs/heads/master\ncommitter %b\n" % _WHO
    yield b"data %d\n%b\n" % (len(label.encode()) + 1, label.encode() + b"\n")
    for where, directories, files in os.walk(root):
        directories.sort()
        links = [name for name in directories if (Path(where) / name).is_symlink()]
        for name in sorted([*files, *links]):
            yield from _file(root, Path(where) / name)
    yield b"reset refs/tags/v%b\nfrom refs/heads/master\n\ndone\n" % label.split()[-1].encode()


def _file(root: Path, path: Path) -> Iterator[bytes]:
    found = path.lstat().st_mode
    mode = "100755" if found & stat.S_IXUSR else "100644"
    if stat.S_ISLNK(found):
        body, mode = os.readlink(os.fsencode(path)), "120000"  # noqa: PTH115 - to the byte
    else:
        body = path.read_bytes()
    yield f"M {mode} inline {path.relative_to(root)}\ndata {len(body)}\n".encode()
    yield body
    yield b"\n"
