# SPDX-License-Identifier: GPL-2.0-only
"""A kernel source of links into another one, so that files can differ where nothing is written."""

import contextlib
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

#: Directories that are laid out file by file as soon as anything in them is touched:
#: scripts/Makefile.headersinst lists their subdirectories with a find that follows no links.
_WHOLE = ("include/uapi",)


class Forest:
    """A directory that stands in for `source`: links, save for the files that are touched.

    Only the parents of touched files are real directories, a few thousand links. Where a
    header is touched, all directories below its own are real as well, as a file in them that
    includes "../header.h" would otherwise be led back into the source.
    """

    def __init__(self, root: Path, source: Path, touched: Iterable[str]) -> None:
        self.root = root
        self.source = source
        self._changed: set[str] = set()
        # Where kselftests of 5.10 look for installed headers, see install_headers.
        paths = [PurePosixPath(path) for path in (*touched, "usr/include/Makefile")]
        self._real = {str(parent) for path in paths for parent in path.parents}
        whole = {str(path.parent) for path in paths if path.suffix == ".h"} - {"."}
        whole |= set(_WHOLE) & self._real
        self._whole = tuple(f"{name}/" for name in whole)
        if root.exists():
            shutil.rmtree(root)
        # By way of one link beside the forest all others stay short: ext4 keeps up to 59
        # bytes of a link in its inode, and takes twenty times as long for a longer one.
        self._tree = root.parent / "tree"
        self._tree.unlink(missing_ok=True)
        self._tree.symlink_to(source)
        self._lay("", 1)
        for name in self._real:
            (root / name).mkdir(parents=True, exist_ok=True)

    def _lay(self, directory: str, depth: int) -> None:
        (self.root / directory).mkdir()
        with os.scandir(self.source / directory) as entries:
            for entry in entries:
                path = f"{directory}/{entry.name}" if directory else entry.name
                if path == ".git":
                    # The state here is no commit: what asks git would be told of another one.
                    continue
                # A link to a directory that holds a touched file is followed, lest the file
                # be written into the source.
                inside = entry.is_dir(follow_symlinks=path in self._real)
                if inside and (path in self._real or f"{path}/".startswith(self._whole)):
                    self._lay(path, depth + 1)
                else:
                    (self.root / path).symlink_to(f"{'../' * depth}{self._tree.name}/{path}")

    def stand_in(self, files: Iterable[str], directories: Iterable[str]) -> None:
        """Have empty files and directories at the root where the source has none."""
        for name in files:
            if not (self.root / name).exists():
                (self.root / name).write_bytes(b"")
        for name in directories:
            if not (self.root / name).exists():
                (self.root / name).mkdir()

    def read(self, path: str) -> bytes | None:
        """Content of a file in its present state, None if there is none."""
        try:
            return (self.root / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def apply(self, files: Mapping[str, bytes | None]) -> None:
        """Bring files to a new state. One that does not change keeps its time, as make sees it."""
        for path, body in files.items():
            if self.read(path) != body:
                self._write(path, body)

    def follow(self, files: Mapping[str, bytes | None]) -> None:
        """Bring the forest to where these files, and no others, are not as in the source."""
        back: dict[str, bytes | None] = {}
        for path in self._changed - files.keys():
            original = self.source / path
            back[path] = original.read_bytes() if original.is_file() else None
        self.apply({**back, **files})
        self._changed = set(files)

    def renew(self, paths: Iterable[str]) -> None:
        """Let files be as new as if they had just been written; what is not there stays away."""
        for path in paths:
            body = self.read(path)
            if body is not None:
                self._write(path, body)

    def _write(self, path: str, body: bytes | None) -> None:
        place = self.root / path
        with contextlib.suppress(FileNotFoundError):
            place.unlink()
        if body is not None:
            place.write_bytes(body)
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                place.chmod((self.source / path).stat().st_mode & 0o777 | 0o600)

    def install_headers(self, installed: Path) -> None:
        """Show installed uapi headers at usr/include, where `make headers` in a tree has them."""
        place = self.root / "usr/include"
        for header in installed.iterdir():
            if not (place / header.name).is_symlink():
                (place / header.name).symlink_to(header)
