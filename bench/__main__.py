# SPDX-License-Identifier: GPL-2.0-only
"""The figures of docs/performance.md: `make bench`.

Each line times whole processes of ours and of what a user would run instead, in turn.
Exit code 2 where a limit is not held.
"""

import os
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from bench import auditing, one_edit
from bench.timing import Command, Comparison, Measured, compare, run, said
from dmabuf_patchgen import process
from dmabuf_patchgen.debian import sources

CHECKOUT = Path(__file__).resolve().parent.parent
SERIES = ("dma-buf-pfnmap", "dma-buf-map-info")
#: Memory that rendering may take, in MB.
MEMORY = 150


def main() -> int:
    """Measure everything and print the table."""
    process.require("spatch")
    # An installed package has its modules compiled, as b4 has.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    bin_directory = Path(sys.executable).parent
    ours, b4 = str(bin_directory / "dmabuf-patchgen"), str(bin_directory / "b4")
    source = sources.fetch("6.12")
    with tempfile.TemporaryDirectory(prefix="dmabuf-patchgen-bench-") as name:
        scratch = Path(name)
        repo = _repository(source, scratch / "linux")
        rows = [
            _rendering(ours, repo, scratch),
            _one_edit(source, scratch),
            *auditing.rows(ours, source, repo, scratch),
            compare(
                "--version", Command("ours", (ours, "--version")),
                Command("b4 --version", (b4, "--version")), 0.5, 10,
            ),
            compare(
                "--help", Command("ours", (ours, "--help")),
                Command("b4 --version", (b4, "--version")), 0.5, 10,
            ),
            _preparing(repo),
            *_proving(source, scratch),
        ]  # fmt: skip
    print(f"{'':38} {'ours':>10} {'theirs':>10} {'ratio':>6}  limit   memory   theirs is")
    for row in rows:
        print(row.line())
    kept = all(row.ratio < row.below for row in rows) and rows[0].ours.megabytes < MEMORY
    return 0 if kept else 2


def _repository(source: Path, repo: Path) -> Path:
    """The reference tree as a git repository with a checkout, as a developer has it."""
    print("importing the reference tree into git, which takes a minute", file=sys.stderr)
    git = ("git", "-c", "user.name=Bench", "-c", "user.email=bench@example.org")
    run([*git, "init", "-q", "-b", "master", str(repo)])
    run([*git, "--work-tree", str(source), "add", "-A", "-f"], repo)
    run([*git, "-c", "gc.auto=0", "commit", "-q", "-m", "Linux"], repo)
    run([*git, "tag", "base"], repo)
    run([*git, "repack", "-q", "-a", "-d"], repo)
    run([*git, "checkout", "-q", "-f", "master"], repo)
    for key, value in (("user.name", "Bench"), ("user.email", "bench@example.org")):
        run(["git", "config", key, value], repo)
    run(["git", "config", "gc.auto", "0"], repo)
    return repo


def _rendering(ours: str, repo: Path, scratch: Path) -> Comparison:
    def fresh() -> None:
        run(["git", "reset", "-q", "--hard", "base"], repo)
        if (repo / ".git/refs/heads/series").exists():
            run(["git", "branch", "-q", "-D", "series"], repo)

    render = (ours, "-C", str(repo), "--base", "base", "render", *SERIES)
    run([*render, "-o", str(scratch / "patches")])
    patches = sorted(str(path) for path in (scratch / "patches").glob("*.patch"))
    return compare(
        "both series stacked, to a branch",
        Command("ours", (*render, "--branch", "series"), before=fresh),
        Command("git am of the same patches", ("git", "am", "-q", *patches), repo, fresh),
        1.0,
        10,
    )


def _preparing(repo: Path) -> Comparison:
    """prep of a series whose checks are known, against the b4 and get_maintainer.pl in it."""
    prep = ("-C", str(repo), "--base", "base", "prep", *SERIES, "--slug", "bench")
    print("checking both series once, which takes a minute or two", file=sys.stderr)
    whole, calls = [], []
    for _ in range(6):
        started = time.perf_counter()
        told = said([sys.executable, "-m", "bench.calls", "b4,get_maintainer.pl", *prep])
        whole.append(time.perf_counter() - started)
        calls.append(float(told.splitlines()[-1]))
        run(["git", "branch", "-q", "-D", "b4/bench"], repo)
    # The first of them had to run the checks.
    return Comparison(
        "prep of both series, checked before",
        Measured("ours", tuple(whole[1:]), 0),
        Measured("the b4 and get_maintainer.pl in it", tuple(calls[1:]), 0),
        1.2,
    )


def _proving(source: Path, scratch: Path) -> list[Comparison]:
    """A proof with nothing kept, one after a change of a template, and one without a change."""
    print("proving both series, which builds a kernel: some minutes", file=sys.stderr)
    templates = scratch / "templates"
    shutil.copytree(CHECKOUT / "templates", templates)
    # A package finds the templates beside it: the same code, through a link.
    (scratch / "dmabuf_patchgen").symlink_to(CHECKOUT / "dmabuf_patchgen")
    (scratch / "bench").symlink_to(CHECKOUT / "bench")
    environment = {
        **os.environ, "XDG_CACHE_HOME": str(scratch / "cache"),
        "PYTHONPATH": str(scratch), "PYTHONSAFEPATH": "1",
    }  # fmt: skip

    def proof() -> tuple[Measured, Measured]:
        started = time.perf_counter()
        told = said(
            [sys.executable, "-m", "bench.calls", "make,qemu-system-x86_64",
             "-C", str(source), "prove", *SERIES],
            environment,
        )  # fmt: skip
        whole = time.perf_counter() - started
        inside = float(told.splitlines()[-1])
        return Measured("ours", (whole,), 0), Measured("the make and QEMU in it", (inside,), 0)

    first, inside = proof()
    changed = templates / "dma-buf-map-info/02-check-protection.patch.j2"
    changed.write_text(changed.read_text().replace("caching than it claims.", "caching."))
    second, _ = proof()
    third, _ = proof()
    before = replace(first, name="a proof with nothing kept")
    return [
        Comparison("proof of both series, nothing kept", first, inside, 1.05),
        Comparison("proof after a change of a template", second, before, 0.5),
        Comparison("proof without a change, 3 s at most", third, before, 3 / first.median),
    ]


def _one_edit(source: Path, scratch: Path) -> Comparison:
    edited = scratch / "dma-buf.c"
    shutil.copy(source / "drivers/dma-buf/dma-buf.c", edited)
    rules = scratch / "edit.cocci"
    rules.write_text(one_edit.COCCI)
    return compare(
        "one edit of dma-buf.c",
        Command("ours", (sys.executable, "-m", "bench.one_edit", str(edited))),
        Command("spatch", ("spatch", "--very-quiet", "--sp-file", str(rules), str(edited))),
        1.0,
        10,
    )


if __name__ == "__main__":
    sys.exit(main())
