# SPDX-License-Identifier: GPL-2.0-only
"""The kernel that kselftests want."""

from pathlib import Path

import click

from dmabuf_patchgen.cli import output
from dmabuf_patchgen.cli.options import Session, as_json, series_names
from dmabuf_patchgen.errors import Exit


@click.command("config")
@series_names
@click.option(
    "-o",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the .config to a file.",
)
@as_json
@click.pass_obj
def command(session: Session, names: tuple[str, ...], file: Path | None, as_json: bool) -> int:
    """Show the kernel that the kselftests of a series want, and what the tree makes of it.

    Every symbol that is asked for is told with what it gets on this tree, for the architecture
    that ARCH names and the compiler that CC, CROSS_COMPILE and LLVM choose; and why, if that is
    something else.

    \b
    Exit codes: 0 every symbol is as asked, 1 it could not be worked out, 2 one is not,
    3 a tool is missing.

    \b
    Examples:
      dmabuf-patchgen -C ~/linux config dma-buf-pfnmap
      dmabuf-patchgen -C ~/linux config dma-buf-pfnmap dma-buf-map-info -o out/.config
      ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- dmabuf-patchgen -C ~/linux config dma-buf-pfnmap
    """
    from dmabuf_patchgen.kernel import configuration
    from dmabuf_patchgen.render.environment import Environment

    if file:
        configuration.check_file(file)
    with output.progress_shown() as progress:
        configured = configuration.configure(Environment(), session.tree(), names, progress)
    if file:
        configuration.write_file(file, configured.config)
    if as_json:
        output.print_json(configured.as_dict() | {"file": str(file) if file else None})
    else:
        click.echo(configured.table())
        if file:
            click.echo(f"configuration: {file}")
    return Exit.FINDINGS if configured.failed else Exit.OK
