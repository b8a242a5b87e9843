# SPDX-License-Identifier: GPL-2.0-only
"""One series, as it is declared."""

import click

from dmabuf_patchgen.cli import output
from dmabuf_patchgen.cli.options import SeriesName, as_json


@click.command("show")
@click.argument("name", metavar="SERIES", type=SeriesName())
@as_json
def command(name: str, as_json: bool) -> None:
    """Show what a series does, its parameters and its patches.

    \b
    Example:
      dmabuf-patchgen show dma-buf-pfnmap
    """
    from dmabuf_patchgen.render import catalogue
    from dmabuf_patchgen.render.environment import Environment

    series = catalogue.load(Environment(), name)
    if as_json:
        output.print_json(output.declared(series))
        return
    output.print_series(series)
