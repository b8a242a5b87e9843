# SPDX-License-Identifier: GPL-2.0-only
"""Series rendered: shown, as files, as a branch."""

from pathlib import Path

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


@click.command("render")
@series_names
@typed_parameters
@output_directory("Write the patches to a directory, as git format-patch would.")
@click.option("--branch", metavar="NAME", help="Make the commits on a new branch.")
@click.option("--force", is_flag=True, help="Replace a branch that this tool made.")
@click.option("--diff", is_flag=True, help="Show the patches and write nothing.")
@as_json
@click.pass_obj
def command(
    session: Session,
    names: tuple[str, ...],
    typed: tuple[str, ...],
    directory: Path | None,
    branch: str | None,
    force: bool,
    diff: bool,
    as_json: bool,
) -> None:
    """Render one or more series for a tree, one on top of the other.

    Those that a series requires are brought in before it, and told.

    \b
    Examples:
      dmabuf-patchgen -C ~/linux render dma-buf-pfnmap --diff
      dmabuf-patchgen -C ~/linux render dma-buf-pfnmap -p severity=refuse -o out
      dmabuf-patchgen -C ~/linux --base v6.12 render dma-buf-pfnmap dma-buf-map-info \\
          --branch b4/dma-buf-mmap -o out
    """
    from dmabuf_patchgen.render import branch as branches
    from dmabuf_patchgen.render import directory as directories
    from dmabuf_patchgen.render.destination import Destination
    from dmabuf_patchgen.render.environment import Environment
    from dmabuf_patchgen.render.mails import mails
    from dmabuf_patchgen.render.scratch import ANONYMOUS
    from dmabuf_patchgen.render.series import render as render_series

    _refuse_contradictions(directory, branch, force=force, diff=diff)
    tree = session.tree()
    author = branches.identity(session.path)
    target = None
    if branch is not None:
        revision = tree.as_revision(", so no branch", "give -o DIR")
        target = branches.target(revision, branch, author, force=force)
    if directory:
        directories.check(directory)
    rendered = render_series(Environment(), tree, names, values(typed))
    if author is None:
        author = ANONYMOUS
        output.note(f"no git identity: the patches are from {author.name} <{author.email}>")
    when = branches.date(tree, rendered.revised)
    if diff:
        output.note_brought(rendered)
        for mail in mails(tree, rendered.commits, author, when, tree.prefix):
            click.echo(output.coloured(mail.content), nl=False)
        return
    if not rendered.commits:
        # Neither an empty branch nor an empty directory is a series.
        directory = target = None
    about = output.about(rendered)
    tip = Destination(directory, target).write(rendered, author, when, about)
    if as_json:
        about |= {"branch": target.name, "tip": tip} if target else {}
        about |= {"tree": tree.label, "directory": str(directory) if directory else None}
        output.print_json(about)
        return
    output.print_rendered(rendered)
    if directory:
        click.echo(f"patches: {directory}/*.patch")
    if target:
        click.echo(f"branch:  {target.name} on {tree.label}")


def _refuse_contradictions(
    directory: Path | None, branch: str | None, *, force: bool, diff: bool
) -> None:
    if diff and (directory or branch is not None):
        raise click.UsageError("--diff writes nothing: give it without -o and --branch")
    if not (diff or directory or branch is not None):
        raise click.UsageError("nothing to write to: give -o DIR, --branch NAME or --diff")
    if force and branch is None:
        raise click.UsageError("--force goes with --branch")
