# SPDX-License-Identifier: GPL-2.0-only
"""What each series would come to on a tree."""

import click

from dmabuf_patchgen.cli import output
from dmabuf_patchgen.cli.options import SeriesName, Session, as_json, typed_parameters, values
from dmabuf_patchgen.errors import Exit


@click.command("survey")
@click.argument("names", metavar="[SERIES]...", nargs=-1, type=SeriesName())
@typed_parameters
@as_json
@click.pass_obj
def command(session: Session, names: tuple[str, ...], typed: tuple[str, ...], as_json: bool) -> int:
    """Tell what each series would come to on a tree: right, left out, refused, and why.

    Every patch of each series is tried, and nothing is written. A hunk or patch that the tree
    does not need is left out, with its reason; what does not fit is told with its file, its
    place, what stands there and what to do. A series stands on those that it requires, whose
    patches are not counted again. Without a name, of all series.

    \b
    Exit codes: 0 each series can be rendered, 1 it could not be tried, 2 one is refused.

    \b
    Examples:
      dmabuf-patchgen -C ~/linux survey
      dmabuf-patchgen -C ~/linux survey dma-buf-pfnmap -p severity=refuse --json
    """
    from dmabuf_patchgen.render import survey
    from dmabuf_patchgen.render.environment import Environment

    tree = session.tree()
    found = survey.survey(Environment(), tree, names, values(typed))
    if as_json:
        output.print_json(
            {
                "tree": tree.label,
                "version": tree.version,
                "commit": tree.commit,
                "series": [one.as_dict() for one in found],
            }
        )
    else:
        click.echo(f"Linux {tree.version}, {tree.label}\n")
        click.echo(survey.table(found))
    refused = any(one.verdict is survey.Verdict.REFUSED for one in found)
    return Exit.FINDINGS if refused else Exit.OK
