# SPDX-License-Identifier: GPL-2.0-only
"""Patches checked, for people and for b4."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dmabuf_patchgen.cli import output
from dmabuf_patchgen.cli.options import (
    Session,
    as_json,
)
from dmabuf_patchgen.errors import Exit

if TYPE_CHECKING:
    from dmabuf_patchgen.tree.source import GitTree, KernelTree


@click.command("check")
@click.argument("targets", metavar="BASE..TIP | PATCH... | -", nargs=-1, required=True)
@as_json
@click.pass_obj
def command(session: Session, targets: tuple[str, ...], as_json: bool) -> int:
    """Check every patch of a series: checkpatch, kernel-doc, W=1, sparse, kselftests.

    Takes a range of commits, or patches and directories of patches that apply to the tree
    in order. Each patch is held against the state before it: only what it adds counts. The
    tree is built elsewhere, never in place.

    With -, one patch is read from standard input, and findings are told as b4 wants them
    from its prep-perpatch-check-cmd.

    \b
    Exit codes: 0 nothing found, 1 it could not be checked, 2 findings, 3 a tool is missing.

    \b
    Examples:
      dmabuf-patchgen -C ~/linux check v6.12..b4/dma-buf-mmap
      dmabuf-patchgen -C ~/linux-source-6.12 check out/dma-buf-mmap
      git config b4.prep-perpatch-check-cmd 'dmabuf-patchgen check -'
    """
    from dmabuf_patchgen.check import checks, commits

    if targets == ("-",):
        return _check_for_b4(session)
    tree = session.tree()
    with output.progress_shown() as progress:
        if len(targets) == 1 and ".." in targets[0] and not Path(targets[0]).exists():
            repository = _repository(tree)
            base, patches = commits.from_range(repository.repo, targets[0], repository.prefix)
            report = checks.check(base, patches, progress=progress)
        else:
            mails = commits.read_mails([Path(target) for target in targets])
            report = checks.check(tree, commits.from_mails(tree, mails), progress=progress)
    if as_json:
        output.print_json(report.as_dict())
    else:
        click.echo(report.table())
    return Exit.FINDINGS if report.failed else Exit.OK


def _check_for_b4(session: Session) -> int:
    from dmabuf_patchgen.check import b4, checks
    from dmabuf_patchgen.check.report import b4_lines

    tree = _repository(session.tree())
    located = b4.locate(tree.repo, sys.stdin.buffer.read(), tree.prefix)
    report = checks.check(located.base, [located.patch], settled=located.settled)
    for line in b4_lines(report):
        click.echo(line)
    return Exit.FINDINGS if report.failed else Exit.OK


def _repository(tree: KernelTree) -> GitTree:
    return tree.as_revision("", "name patches or a directory of them")
