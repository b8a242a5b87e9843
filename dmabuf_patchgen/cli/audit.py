# SPDX-License-Identifier: GPL-2.0-only
"""What the exporters of a tree do with a mapping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from dmabuf_patchgen.audit.verdict import Kind
from dmabuf_patchgen.cli import output
from dmabuf_patchgen.cli.options import Session, as_json
from dmabuf_patchgen.errors import Exit, UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dmabuf_patchgen.audit.verdict import Audit, Entry


class Verdicts(click.ParamType[frozenset[Kind]]):
    """Verdicts with commas between them, with completion for the shell."""

    name = "verdicts"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> frozenset[Kind]:
        return value if isinstance(value, frozenset) else _kinds(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        before, comma, begun = incomplete.rpartition(",")
        return [
            CompletionItem(f"{before}{comma}{name}")
            for name in _verdicts()
            if name.lower().startswith(begun.lower())
        ]


@click.command("audit")
@click.option("--explain", metavar="NAME", help="Show one entry's path, with the lines of source.")
@click.option(
    "--only",
    metavar="VERDICT[,VERDICT...]",
    type=Verdicts(),
    default="",
    help="Show entries with these verdicts alone.",
)
@click.option(
    "--fail-on",
    metavar="VERDICT[,VERDICT...]",
    type=Verdicts(),
    default="",
    help="Exit with 2 if an entry, or one of its branches, has one of these verdicts.",
)
@as_json
@click.pass_obj
def command(
    session: Session,
    explain: str | None,
    only: frozenset[Kind],
    fail_on: frozenset[Kind],
    as_json: bool,
) -> int:
    """Tell what each exporter of a tree does with a mapping, and which lines say so.

    Every way by which userspace maps a dma-buf or a GEM object is followed through the source,
    whatever the configuration: is the mapping VM_PFNMAP, may it be private, does the callback
    exchange the file or fail late, how are its pages cached. Nothing is built or run.

    Verdicts: violates, both flags, by branch, depends on the DMA API, unknown, delegates, PFNMAP,
    refuses. A space in one may be written as a dash.

    \b
    Exit codes: 0 told, 1 it could not be read, 2 --fail-on found something.

    \b
    Examples:
      dmabuf-patchgen -C ~/linux audit
      dmabuf-patchgen -C ~/linux --base v6.12 audit --json
      dmabuf-patchgen -C ~/linux audit --explain udmabuf
      dmabuf-patchgen -C ~/linux audit --only violates,unknown --fail-on violates
    """
    from dmabuf_patchgen.audit import record, table
    from dmabuf_patchgen.audit.audit import audit

    tree = session.tree()
    with output.progress_shown() as progress:
        made = audit(tree, progress)
    entries: Sequence[Entry] = made.entries
    if explain is not None:
        entries = table.found(made, explain)
        if not entries:
            raise UserError(
                f"{tree.label}: no entry of its audit is named {explain!r}",
                "audit without --explain lists them",
            )
    if only:
        entries = [entry for entry in entries if _has(entry, only)]
    if as_json:
        output.print_json(
            record.dumped(made)
            | {
                "tree": tree.label,
                "commit": tree.commit,
                "entries": [record.entry(entry) for entry in entries],
            }
        )
    elif explain is not None:
        click.echo("\n\n".join(table.explained(entry, tree) for entry in entries))
    else:
        click.echo(table.table(made, entries))
    return Exit.FINDINGS if _found(made, fail_on) else Exit.OK


def _verdicts() -> dict[str, Kind]:
    """The verdicts by the names that options have for them."""
    return {kind.value.replace(" ", "-"): kind for kind in Kind}


def _kinds(said: str) -> frozenset[Kind]:
    """The verdicts that an option names. Raises UserError for what is none."""
    known = {name.lower(): kind for name, kind in _verdicts().items()}
    found = set()
    for part in filter(None, (one.strip() for one in said.split(","))):
        kind = known.get(part.lower().replace(" ", "-"))
        if kind is None:
            raise UserError(f"{part!r} is no verdict", f"one of {', '.join(known)}")
        found.add(kind)
    return frozenset(found)


def _has(entry: Entry, kinds: frozenset[Kind]) -> bool:
    """Whether an entry, or one of its branches, has one of some verdicts."""
    by_branch = entry.branches if entry.kind is Kind.BRANCH else ()
    return entry.kind in kinds or any(branch.kind in kinds for branch in by_branch)


def _found(audit: Audit, kinds: frozenset[Kind]) -> bool:
    return any(_has(entry, kinds) for entry in audit.entries)
