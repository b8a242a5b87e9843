# SPDX-License-Identifier: GPL-2.0-only
"""What builds leave among sources, and some trees have committed.

make would take it for what it is to build elsewhere (VPATH), and kbuild refuses a source with a
.config of its own, whatever the architecture that it is for.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

#: By name. Rule: the top Makefile, `clean`; no release from 5.10 to 7.3 has such a source.
_MADE = re.compile(
    r".*\.([aios]|ko|mod|mod\.c|dtb|lex\.c|tab\.[ch]|asn1\.[ch]|symtypes)|\..*\.cmd|\.tmp_.*"
    r"|modules\.order"
)
#: Of a configuration. Rule: the top Makefile, MRPROPER_FILES and `outputmakefile`.
_CONFIGURED = (
    ".config", ".config.old", "include/config", "include/generated", "arch/*/include/generated",
)  # fmt: skip
#: Where programs of the host are built, whose names have no suffix.
_OF_HOST = ("scripts", "tools")
_ELF = b"\x7fELF"


def remove(root: Path) -> None:
    """Take out of a copy of a tree what builds have left in it."""
    for pattern in _CONFIGURED:
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    for path in [*_found(root)]:
        path.unlink()


def _found(root: Path) -> Iterator[Path]:
    for where, _, names in os.walk(root):
        there = {*names}
        of_host = where.removeprefix(f"{root}/").split("/")[0] in _OF_HOST
        for name in names:
            made = _MADE.fullmatch(name) or f".{name}.cmd" in there
            if made or (of_host and "." not in name and _is_program(Path(where, name))):
                yield Path(where, name)


def _is_program(path: Path) -> bool:
    if path.is_symlink():
        return False
    with path.open("rb") as file:
        return file.read(len(_ELF)) == _ELF
