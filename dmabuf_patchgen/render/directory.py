# SPDX-License-Identifier: GPL-2.0-only
"""The directory that patches are written to: whole or not at all, and nothing foreign lost."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dmabuf_patchgen import signals
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.render.exchange import digest, exchanged, is_plain, settle

#: Tells what was rendered, and which files are this tool's to replace.
MANIFEST = "series.json"


def check(directory: Path) -> None:
    """Whether patches may be written there, before any work is done for it.

    They may if it is not there, is empty, or holds nothing but what an earlier run wrote. What
    one that was killed had begun is taken back. Raises UserError.
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
    settle(directory)
    known = _written_before(directory)
    for path in sorted(directory.iterdir()):
        if path.name == MANIFEST and known is not None:
            continue
        if known is None or path.name not in known:
            raise UserError(
                f"{directory}: has a file that is not this tool's: {path.name}",
                "choose another -o, or move the file away",
            )
        if digest(path.read_bytes()) != known[path.name]:
            raise UserError(
                f"{path}: was changed since it was written", "move it away if you want to keep it"
            )


@contextmanager
def written(
    directory: Path, files: Mapping[str, bytes], about: Mapping[str, Any]
) -> Iterator[None]:
    """Files and their manifest in place of what an earlier run wrote, if the block succeeds.

    They are there when it begins. An error in it, or in writing them, leaves what was there; a
    kill leaves that to the next run. files: contents by name; about: what the manifest tells
    of the series besides them. Raises UserError.
    """
    digests = {name: digest(content) for name, content in files.items()}
    manifest = json.dumps({**about, "files": digests}, indent=1) + "\n"
    directory = directory.absolute()
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    with signals.blocked():
        try:
            directory.mkdir(parents=True, exist_ok=True)
            check(directory)
            known = (MANIFEST, *(_written_before(directory) or ()))
            old = [name for name in known if (directory / name).exists()]
            with exchanged(directory, old, {**files, MANIFEST: manifest.encode()}):
                yield
        except OSError as error:
            _take_away(missing)
            raise UserError(
                f"{error.filename or directory}: {error.strerror}", "nothing was written"
            ) from None
        except BaseException:
            _take_away(missing)
            raise


def write(directory: Path, files: Mapping[str, bytes], about: Mapping[str, Any]) -> None:
    """Write files and their manifest, and nothing else with them."""
    with written(directory, files, about):
        pass


def _take_away(directories: Iterable[Path]) -> None:
    for path in directories:
        with suppress(OSError):
            path.rmdir()


def _written_before(directory: Path) -> dict[str, str] | None:
    try:
        files = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))["files"]
        known = {str(name): str(digest) for name, digest in files.items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None
    # What it names may be moved away: nothing but a file beside it.
    return known if all(map(is_plain, known)) else None
