# SPDX-License-Identifier: GPL-2.0-only
"""The directory that patches are written to: whole or not at all, and nothing foreign lost."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from dmabuf_patchgen import process, signals
from dmabuf_patchgen.errors import UserError

#: Tells what was rendered, and which files are this tool's to replace.
MANIFEST = "series.json"


def check(directory: Path) -> None:
    """Whether patches may be written there, before any work is done for it.

    They may if it is not there, is empty, or holds nothing but what an earlier run wrote.
    Raises UserError.
    """
    if not directory.exists() and not directory.is_symlink():
        above = next((p for p in directory.absolute().parents if p.exists()), Path("/"))
        if not above.is_dir() or not os.access(above, os.W_OK | os.X_OK):
            raise UserError(f"{directory}: cannot be made in {above}", "choose another -o")
        return
    if not directory.is_dir():
        raise UserError(f"{directory}: not a directory", "choose another -o")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise UserError(f"{directory}: cannot be written to", "choose another -o")
    known = _written_before(directory)
    for path in sorted(directory.iterdir()):
        if path.name == MANIFEST and known is not None:
            continue
        if known is None or path.name not in known:
            raise UserError(
                f"{directory}: has a file that is not this tool's: {path.name}",
                "choose another -o, or move the file away",
            )
        if _digest(path.read_bytes()) != known[path.name]:
            raise UserError(
                f"{path}: was changed since it was written", "move it away if you want to keep it"
            )


def write(directory: Path, files: Mapping[str, bytes], about: dict[str, Any]) -> None:
    """Write files and their manifest in place of what an earlier run wrote.

    files: contents by name; about: what the manifest tells of the series besides them.
    Raises UserError.
    """
    digests = {name: _digest(content) for name, content in files.items()}
    manifest = json.dumps({**about, "files": digests}, indent=1) + "\n"
    contents = {**files, MANIFEST: manifest.encode()}
    directory = directory.absolute()
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    with signals.blocked():
        try:
            directory.mkdir(parents=True, exist_ok=True)
            # Within the directory, which may be a mount point or somebody's current one.
            with process.temporary(".dmabuf-patchgen-", directory) as stage:
                _stage(stage / "new", contents)
                (stage / "old").mkdir()
                old = [MANIFEST, *(_written_before(directory) or ())]
                _exchange(directory, stage, [name for name in old if (directory / name).exists()])
        except OSError as error:
            for path in missing:
                with suppress(OSError):
                    path.rmdir()
            raise UserError(
                f"{error.filename or directory}: {error.strerror}", "nothing was written"
            ) from None


def _stage(place: Path, contents: Mapping[str, bytes]) -> None:
    place.mkdir()
    for name, content in contents.items():
        (place / name).write_bytes(content)


def _exchange(directory: Path, stage: Path, old: Sequence[str]) -> None:
    """Move old files out and new ones in; all of them or, on an error, none."""
    new = sorted(path.name for path in (stage / "new").iterdir())
    moves = [(directory / name, stage / "old" / name) for name in old]
    moves += [(stage / "new" / name, directory / name) for name in new]
    done = []
    try:
        for source, target in moves:
            source.rename(target)
            done.append((source, target))
    except OSError:
        for source, target in reversed(done):
            target.rename(source)
        raise


def _written_before(directory: Path) -> dict[str, str] | None:
    try:
        files = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))["files"]
        known = {str(name): str(digest) for name, digest in files.items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None
    # What it names may be moved away: nothing but a file beside it.
    beside = (name not in ("", "..") and Path(name).name == name for name in known)
    return known if all(beside) else None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
