# SPDX-License-Identifier: GPL-2.0-only
"""Which series there are."""

import click

from dmabuf_patchgen.cli import output
from dmabuf_patchgen.cli.options import as_json


@click.command("list")
@as_json
def command(as_json: bool) -> None:
    """List the series that can be rendered.

    \b
    Example:
      dmabuf-patchgen list --json
    """
    from dmabuf_patchgen.render import catalogue
    from dmabuf_patchgen.render.environment import Environment

    environment = Environment()
    series = [catalogue.load(environment, name) for name in catalogue.names(environment)]
    if as_json:
        output.print_json(
            [
                {"name": one.name, "title": one.title, "requires": list(one.requires)}
                for one in series
            ]
        )
        return
    for one in series:
        requires = f" (requires {', '.join(one.requires)})" if one.requires else ""
        click.echo(f"{one.name:22} {one.title}{requires}")
