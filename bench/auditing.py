# SPDX-License-Identifier: GPL-2.0-only
"""An audit of the reference tree, against spatch hunting the same calls in it."""

import os
import shutil
from pathlib import Path

from bench.timing import Command, Comparison, compare, run
from dmabuf_patchgen import forked
from dmabuf_patchgen.audit.effects import INSERTERS, MAPPERS
from dmabuf_patchgen.audit.places import CLOSE, WIDE
from dmabuf_patchgen.tree import bulk

#: What git itself takes for the objects that an audit of a bare repository has to read.
_INFLATED = " | ".join(
    (
        f"git ls-tree -r base {' '.join((*CLOSE, *WIDE))}",
        r"sed -n 's/.* blob \([0-9a-f]*\)\t.*[.][ch]$/\1/p'",
        "git cat-file --batch-check --buffer",
        f"awk '$3 <= {bulk.LARGEST} {{ print $1 }}'",
        "git cat-file --batch --buffer >/dev/null",
    )
)


def rows(ours: str, source: Path, repo: Path, scratch: Path) -> list[Comparison]:
    """Of a directory and of a revision, nothing kept, checked out or not; and of both again."""
    cache = scratch / "audits"
    os.environ["XDG_CACHE_HOME"] = str(cache)
    rules = scratch / "calls.cocci"
    rules.write_text(_rules())
    hunt = Command("spatch for the same calls", ("sh", "-c", _hunted(rules)), source)
    directory = (ours, "-C", str(source), "audit", "--json")
    revision = (ours, "-C", str(repo), "--base", "base", "audit", "--json")
    bare = scratch / "bare.git"
    run(["git", "clone", "-q", "--bare", "--shared", str(repo), str(bare)])
    objects = (ours, "-C", str(bare), "--base", "base", "audit", "--json")

    def forget() -> None:
        shutil.rmtree(cache, ignore_errors=True)

    found = [
        compare("audit of a directory", Command("ours", directory, before=forget), hunt, 1, 1),
        compare("audit of a revision", Command("ours", revision, before=forget), hunt, 1, 1),
        compare(
            "audit of a bare repository", Command("ours", objects, before=forget),
            Command("git inflating the same objects", ("sh", "-c", _INFLATED), bare), 1.5, 3,
        ),
        compare(
            "audit of a revision, kept", Command("ours", revision),
            Command("with nothing kept", revision, before=forget), 0.5, 3,
        ),
        compare(
            "audit of a directory, kept", Command("ours", directory),
            Command("with nothing kept", directory, before=forget), 0.5, 3,
        ),
    ]  # fmt: skip
    del os.environ["XDG_CACHE_HOME"]
    return found


def _hunted(rules: Path) -> str:
    """spatch over the directories of an audit, one by one: of several it takes the last."""
    spatch = f"spatch --very-quiet --no-includes -j {forked.processors()} --sp-file {rules}"
    return f"for top in {' '.join((*CLOSE, *WIDE))}; do {spatch} --dir $top || exit; done"


def _rules() -> str:
    """Every call of the table of effects, as Coccinelle would be asked for it."""
    calls = "\n|\n".join(f"* {name}(...)" for name in sorted({*MAPPERS, *INSERTERS}))
    return f"@@\n@@\n(\n{calls}\n)\n"
