# SPDX-License-Identifier: GPL-2.0-only
"""How the verbs speak: results on stdout, narration on stderr, progress on a terminal only."""

from __future__ import annotations

import logging
import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from dmabuf_patchgen import __version__
from dmabuf_patchgen.cli import streams

if TYPE_CHECKING:
    from dmabuf_patchgen.post.prep import Plan
    from dmabuf_patchgen.render.catalogue import Series
    from dmabuf_patchgen.render.outcome import Rendered


@contextmanager
def progress_shown() -> Iterator[Callable[[str], None]]:
    """What is being done, on a terminal and nowhere else."""
    if not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console
    from rich.markup import escape

    with Console(stderr=True).status("") as status:
        yield lambda text: status.update(escape(text))


def about(rendered: Rendered) -> dict[str, Any]:
    """What was rendered, for --json and for the manifest; no path of this machine."""
    return {
        "tool": f"dmabuf-patchgen {__version__}",
        "version": rendered.tree.version,
        "series": list(rendered.series),
        "brought": {name: list(by) for name, by in rendered.brought.items()},
        "parameters": {name: dict(values) for name, values in rendered.parameters.items()},
        "patches": [
            {
                "series": patch.series,
                "template": patch.template,
                "subject": patch.commit.subject,
                "files": sorted(patch.commit.files),
            }
            for patch in rendered.patches
        ],
        "left_out": [
            {"series": one.series, "template": one.template, "reason": one.reason}
            | ({"path": one.path, "place": one.place} if one.path else {})
            for one in rendered.left_out
        ],
        "notes": list(rendered.notes),
        "remarks": [
            {"series": one.series, "template": one.template, "path": one.path, "said": one.said}
            for one in rendered.remarks
        ],
    }


def note_brought(rendered: Rendered) -> None:
    """Series that nobody asked for, where a result does not tell of them."""
    for name in rendered.brought:
        note(f"with series {name}{_required_by(rendered, name)}")


def print_rendered(rendered: Rendered) -> None:
    """What was rendered, patch by patch, and what was left out and why."""
    click.echo(f"Linux {rendered.tree.version}, {rendered.tree.label}")
    for name, values in rendered.parameters.items():
        given = ", ".join(f"{key}={shown(value)}" for key, value in values.items())
        why = _required_by(rendered, name)
        click.echo(f"series {name}{why}: {given}" if given else f"series {name}{why}")
    for number, patch in enumerate(rendered.patches, 1):
        click.echo(f"  {number:04} {patch.commit.subject}")
    for one in rendered.left_out:
        where = f", {one.path} ({one.place})" if one.path else ""
        click.echo(f"  left out: {one.subject or one.template}{where}: {one.reason}")
    for remark in rendered.remarks:
        click.echo(f"  note: {remark.subject}, {remark.path}: {remark.said}")
    for note in rendered.notes:
        click.echo(f"  note: {note}")
    if not rendered.patches:
        click.echo(f"  nothing to do: {rendered.nothing}")


def _required_by(rendered: Rendered, name: str) -> str:
    """Why a series is there that nobody asked for, else nothing."""
    by = rendered.brought.get(name, ())
    return f", which {' and '.join(by)} {'requires' if len(by) == 1 else 'require'}" if by else ""


def declared(series: Series) -> dict[str, Any]:
    """A series as declared, for --json."""
    parameters = {
        p.name: {"type": p.type, "takes": p.takes, "default": p.default, "help": p.help}
        for p in series.parameters.values()
    }
    patches = [{"template": p.template, "when": p.when} for p in series.patches]
    return {
        "name": series.name,
        "title": series.title,
        "summary": series.summary,
        "revised": series.revised.isoformat(),
        "requires": list(series.requires),
        "parameters": parameters,
        "patches": patches,
    }


def print_series(series: Series) -> None:
    """A series as declared: what it does, its parameters and patches."""
    click.echo(f"{series.name}: {series.title}\n\n{textwrap.fill(series.summary, 79)}")
    if series.requires:
        click.echo(f"\nRequires: {', '.join(series.requires)}")
    if series.parameters:
        click.echo("\nParameters (-p NAME=VALUE):")
    for parameter in series.parameters.values():
        click.echo(f"  {parameter.name}: {parameter.help}")
        default = "" if parameter.default is None else f"; default {shown(parameter.default)}"
        click.echo(f"      takes {parameter.takes}{default}")
        for choice in parameter.choices:
            click.echo(f"      {choice.name:10} {choice.help}")
    click.echo("\nPatches, in order:")
    for patch in series.patches:
        click.echo(f"  {patch.template}")
        if patch.when:
            click.echo(textwrap.indent(textwrap.fill(f"when {patch.when}", 90), " " * 6))


def print_plan(plan: Plan, *, written: bool, reset: bool) -> None:
    """A series made ready: whom it goes to, what was checked, and what is left to its user.

    written: whether it is there; reset: whether a cover that was edited was to be written anew.
    """
    for kind, addresses in (("to", plan.recipients.to), ("cc", plan.recipients.cc)):
        for address in addresses:
            click.echo(f"  {kind}: {address}")
    report = plan.report
    if not report:
        click.echo("its patches were not checked")
    elif report.prepare_seconds:
        click.echo(f"\n{report.table()}\n")
    else:
        click.echo(f"checked before, nothing found: {', '.join(report.checks)}")
    if not plan.version.record.signed:
        click.echo("it has no Signed-off-by, which is yours to give: prep --signoff")
    state = "is" if written else "would be"
    again = ", as before" if plan.version.unchanged else ""
    click.echo(
        f"branch {plan.branch} {state} v{plan.version.record.revision} of the series{again}, "
        f"on {plan.base}"
    )
    for note in plan.notes:
        click.echo(f"  {note}")
    if plan.version.edited:
        from dmabuf_patchgen.post import tracking

        kept = f"git config branch.{plan.branch}.{tracking.EDITED}"
        what = "was written anew" if reset else "keeps what was changed of it"
        click.echo(f"its cover had been edited and {what}; as it was: {kept}")
    if not plan.has_key:
        click.echo(
            "b4 signs what it sends, and has no key yet: patatt genkey, or b4 send --no-sign"
        )
    click.echo("next:")
    for command in plan.commands:
        click.echo(f"  {command}")


def shown(value: Any) -> str:
    """A value as a user would type or read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (dict, list)):
        return " ".join(str(key) for key in value) or "none"
    return str(value) or "none"


def coloured(text: bytes) -> bytes:
    """A patch in git's colours on a terminal, to the byte elsewhere or with NO_COLOR."""
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    colours = {b"+": b"32", b"-": b"31", b"@": b"36"}
    return b"".join(
        b"\x1b[%sm%s\x1b[0m\n" % (colours[line[:1]], line) if line[:1] in colours else line + b"\n"
        for line in text.split(b"\n")[:-1]
    )


def show_commands() -> None:
    """Show each command that is run, on stderr."""
    log = logging.getLogger("dmabuf_patchgen")
    log.addHandler(logging.StreamHandler())
    log.setLevel(logging.INFO)


def note(text: str) -> None:
    """Something worth knowing that is no result."""
    click.echo(text, err=True)


def print_json(value: Any) -> None:
    """A result for machines."""
    click.echo(streams.as_json(value))
