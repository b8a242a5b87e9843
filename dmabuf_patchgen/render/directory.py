# SPDX-License-Identifier: GPL-2.0-only
"""The directory that patches are written to: whole or not at all, and nothing foreign lost."""

import hashlib
import json
import os
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.render.mails import Mail

#: Tells what was rendered, and which files are this tool's to replace.
MANIFEST = "series.json"
_ENDING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


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
    if not os.access(directory.absolute().parent, os.W_OK | os.X_OK):
        raise UserError(f"{directory}: cannot be replaced, its parent is read-only")
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


def write(directory: Path, mails: Sequence[Mail], about: dict[str, Any]) -> None:
    """Write patches and their manifest in place of what an earlier run wrote.

    about: what the manifest tells of the series besides the files. Raises UserError.
    """
    directory = directory.absolute()
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{directory.name}.", dir=directory.parent) as tmp:
            new = Path(tmp) / "new"
            new.mkdir()
            for mail in mails:
                (new / mail.name).write_bytes(mail.content)
            files = {mail.name: _digest(mail.content) for mail in mails}
            manifest = json.dumps({**about, "files": files}, indent=1)
            (new / MANIFEST).write_text(manifest + "\n", encoding="utf-8")
            target = directory.resolve()
            # No signal between the two: the directory would be gone with the temporary one.
            signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
            try:
                if target.is_dir() and any(target.iterdir()):
                    target.rename(Path(tmp) / "old")
                new.rename(target)
            finally:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    except OSError as error:
        raise UserError(
            f"{error.filename or directory}: {error.strerror}", "nothing was written"
        ) from None


def _written_before(directory: Path) -> dict[str, str] | None:
    try:
        files = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))["files"]
        return {str(name): str(digest) for name, digest in files.items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
