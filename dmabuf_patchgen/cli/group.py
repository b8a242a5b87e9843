# SPDX-License-Identifier: GPL-2.0-only
"""The command and its verbs, each imported when it is called: --help has to be there at once."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from dmabuf_patchgen import __version__
from dmabuf_patchgen.cli.options import Session
from dmabuf_patchgen.errors import UserError

#: What each verb does, in the first line of its own help as well.
VERBS = {
    "audit": "Tell what each exporter of a tree does with a mapping, and which lines say so.",
    "check": "Check every patch of a series: checkpatch, kernel-doc, W=1, sparse, kselftests.",
    "config": (
        "Show the kernel that the kselftests of a series want, and what the tree makes of it."
    ),
    "inspect": "Show what a tree offers: helpers, forms, ioctl numbers, conventions.",
    "list": "List the series that can be rendered.",
    "prep": "Make a series ready for the list, as a branch of b4's.",
    "prove": "Boot a tree without and with a series, and see that its kselftests tell them apart.",
    "render": "Render one or more series for a tree, one on top of the other.",
    "show": "Show what a series does, its parameters and its patches.",
    "survey": "Tell what each series would come to on a tree: right, left out, refused, and why.",
}


class Verbs(click.Group):
    """The verbs, each a module of this package with a `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = import_module(f"dmabuf_patchgen.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(VERBS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        verbs = [
            CompletionItem(name, help=does)
            for name, does in sorted(VERBS.items())
            if name.startswith(incomplete)
        ]
        return [*verbs, *click.Command.shell_complete(self, ctx, incomplete)]


def misplaced(error: click.UsageError) -> UserError | None:
    """What to say of an option that goes before the verb and stands behind it."""
    if not (isinstance(error, click.NoSuchOption) and error.ctx and error.ctx.parent):
        return None
    option = error.option_name[:2] if error.option_name[:2] in ("-C", "-v") else error.option_name
    for known in error.ctx.parent.command.params:
        if isinstance(known, click.Option) and option in known.opts:
            value = "" if known.is_flag else f" {known.metavar}"
            verb = error.ctx.info_name
            return UserError(
                f"{option} goes before the verb", f"dmabuf-patchgen {option}{value} {verb} ..."
            )
    return None


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Documentation: README.md, docs/templates.md, docs/series.md.",
)
@click.version_option(__version__, prog_name="dmabuf-patchgen")
@click.option(
    "-C",
    "path",
    metavar="TREE",
    type=click.Path(path_type=Path),
    default=Path(),
    help="Kernel tree: a git repository, bare or not, the directory of a kernel in one, or an "
    "unpacked source. Default: here.",
)
@click.option("--base", metavar="REV", help="Revision that a git tree is read at. Default: HEAD.")
@click.option("-v", "--verbose", is_flag=True, help="Show each command that is run.")
@click.pass_context
def cli(ctx: click.Context, path: Path, base: str | None, verbose: bool) -> None:
    """Render, check and package dma-buf patch series for your own kernel tree.

    Your checkout, its branches and its configuration are never touched: a new branch or a
    directory of patches appears, or nothing does.

    \b
    Examples:
      dmabuf-patchgen list
      dmabuf-patchgen -C ~/linux inspect
      dmabuf-patchgen -C ~/linux survey
      dmabuf-patchgen -C ~/linux render dma-buf-pfnmap --diff
      dmabuf-patchgen -C ~/linux --base v6.12 render dma-buf-pfnmap --branch b4/dma-buf-pfnmap
      dmabuf-patchgen -C ~/linux check v6.12..b4/dma-buf-pfnmap
      dmabuf-patchgen -C ~/linux --base v6.12 prove dma-buf-pfnmap -o proof
    """
    if verbose:
        from dmabuf_patchgen.cli import output

        output.show_commands()
    ctx.obj = Session(path, base, ctx.obj)
