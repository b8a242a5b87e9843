# SPDX-License-Identifier: GPL-2.0-only
"""What templates know of a tree."""

import click

from dmabuf_patchgen.cli import output
from dmabuf_patchgen.cli.options import Session, as_json


@click.command("inspect")
@as_json
@click.pass_obj
def command(session: Session, as_json: bool) -> None:
    """Show what a tree offers: helpers, forms, ioctl numbers, conventions.

    These are the facts that templates decide by. They are found in the tree's files, never
    guessed from its version.

    \b
    Example:
      dmabuf-patchgen -C ~/linux inspect --json
    """
    from dmabuf_patchgen.render.environment import Environment, Facts
    from dmabuf_patchgen.tree.facts import TreeFacts

    tree = session.tree()
    environment = Environment()
    facts = Facts(environment, TreeFacts(tree))
    if as_json:
        output.print_json(
            {
                "tree": tree.label,
                "version": tree.version,
                "commit": tree.commit,
                "facts": dict(facts),
            }
        )
        return
    click.echo(f"{tree.label}: Linux {tree.version}\n")
    for name, value in facts.items():
        click.echo(f"{name:26} {output.shown(value):22} {environment.fact_table[name]['meaning']}")
