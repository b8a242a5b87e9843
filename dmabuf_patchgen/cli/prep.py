# SPDX-License-Identifier: GPL-2.0-only
"""Series made ready for the list."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dmabuf_patchgen.cli import output
from dmabuf_patchgen.cli.options import (
    Session,
    as_json,
    output_directory,
    series_names,
    typed_parameters,
    values,
)

if TYPE_CHECKING:
    from dmabuf_patchgen.post.prep import Plan


@click.command("prep")
@series_names
@typed_parameters
@click.option("--slug", help="Name of the branch, without b4/. Default: from the series.")
@output_directory("Write the mails that b4 would send to a directory.")
@click.option(
    "--evidence",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="What prove wrote of this series; the cover letter tells it.",
)
@click.option(
    "--allow-other-base",
    is_flag=True,
    help="Take evidence of another tree; the cover letter says that it is.",
)
@click.option("--signoff", is_flag=True, help="Add your Signed-off-by to patches and cover.")
@click.option("--to", multiple=True, metavar="ADDRESS", help="One more recipient in To.")
@click.option("--cc", multiple=True, metavar="ADDRESS", help="One more recipient in Cc.")
@click.option(
    "--cover-strategy",
    "strategy",
    type=click.Choice(["branch-description", "commit"]),
    help="Where b4 keeps the cover letter. Default: branch-description, or as it is.",
)
@click.option("--reset-cover", is_flag=True, help="Write the cover anew over what was edited.")
@click.option("--allow-findings", is_flag=True, help="Go on though the checks found something.")
@click.option("-n", "--dry-run", is_flag=True, help="Show all of it and write nothing.")
@as_json
@click.pass_obj
def command(
    session: Session,
    names: tuple[str, ...],
    typed: tuple[str, ...],
    slug: str | None,
    directory: Path | None,
    evidence: Path | None,
    allow_other_base: bool,
    signoff: bool,
    to: tuple[str, ...],
    cc: tuple[str, ...],
    strategy: str | None,
    reset_cover: bool,
    allow_findings: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Make a series ready for the list, as a branch of b4's.

    Renders and checks the series, writes its cover letter, collects recipients, and makes
    the branch b4/SLUG with all that b4 keeps of a series. Once it is there, the same command
    with other parameters makes the next version, with a changelog of what changed. Sending
    is yours: git checkout b4/SLUG, then b4 send.

    \b
    Settings (git config, of the repository or --global):
      dmabuf-patchgen.to, .cc           recipients that are always added
      dmabuf-patchgen.exclude           addresses never written to
      dmabuf-patchgen.coverStrategy     branch-description or commit

    \b
    Examples:
      dmabuf-patchgen -C ~/linux --base v6.12 prep dma-buf-pfnmap -n
      dmabuf-patchgen -C ~/linux --base v6.12 prep dma-buf-pfnmap dma-buf-map-info -o out
      dmabuf-patchgen -C ~/linux prep dma-buf-pfnmap --slug my-pfnmap --signoff
    """
    from dmabuf_patchgen.check.checks import check
    from dmabuf_patchgen.post import prep as preparing
    from dmabuf_patchgen.prove import evidence as proofs
    from dmabuf_patchgen.render import directory as directories
    from dmabuf_patchgen.render.environment import Environment

    if directory:
        directories.check(directory)
    tree = session.tree().as_revision(", and b4 works on a branch", "see render -o")
    options = preparing.PrepOptions(
        names=names,
        typed=values(typed),
        base=session.base,
        slug=slug,
        evidence=proofs.load(evidence) if evidence else None,
        allow_other_base=allow_other_base,
        signoff=signoff,
        to=to,
        cc=cc,
        allow_findings=allow_findings,
        strategy=strategy,
        reset_cover=reset_cover,
    )
    with output.progress_shown() as progress:
        checks = session.checks or check
        plan = preparing.plan(
            Environment(), tree, options, progress, checks=checks, dry_run=dry_run
        )
        about = output.about(plan.draft.rendered) | {
            "branch": plan.branch,
            "revision": plan.version.record.revision,
            "to": list(plan.recipients.to),
            "cc": list(plan.recipients.cc),
            "notes": list(plan.notes),
        }
        if not dry_run:
            preparing.write(tree, plan, progress, directory, about)
    if as_json:
        output.print_json(
            about | {"tree": tree.label, "cover": plan.letter, "written": not dry_run}
        )
        return
    _show(plan, directory, written=not dry_run, reset=reset_cover)


def _show(plan: Plan, directory: Path | None, *, written: bool, reset: bool) -> None:
    if not written:
        click.echo(plan.letter)
    output.print_rendered(plan.draft.rendered)
    if directory and written:
        click.echo(f"mails, as b4 would send them: {directory}/*.eml")
    output.print_plan(plan, written=written, reset=reset)
