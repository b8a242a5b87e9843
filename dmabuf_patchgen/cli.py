# SPDX-License-Identifier: GPL-2.0-only
"""The verbs: they parse, call and print; the work is done in the rooms.

Rooms are imported in the verbs that need them: --help has to be there at once.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dmabuf_patchgen import __version__, output, process
from dmabuf_patchgen.errors import Exit, UserError
from dmabuf_patchgen.options import (
    SeriesName,
    TreeOptions,
    as_json,
    series_names,
    typed_parameters,
    values,
)

if TYPE_CHECKING:
    from dmabuf_patchgen.tree.source import DirectoryTree, GitTree


@click.group(
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
    help="Kernel tree: a git repository, bare or not, or an unpacked source. Default: here.",
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
      dmabuf-patchgen -C ~/linux render dma-buf-pfnmap --diff
      dmabuf-patchgen -C ~/linux --base v6.12 render dma-buf-pfnmap --branch b4/dma-buf-pfnmap
      dmabuf-patchgen -C ~/linux check v6.12..b4/dma-buf-pfnmap
      dmabuf-patchgen -C ~/linux --base v6.12 prove dma-buf-pfnmap -o proof
    """
    process.echo = verbose
    ctx.obj = TreeOptions(path, base)


@cli.command("list")
@as_json
def list_series(as_json: bool) -> None:
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
        output.print_json([{"name": one.name, "title": one.title} for one in series])
        return
    for one in series:
        click.echo(f"{one.name:22} {one.title}")


@cli.command()
@click.argument("name", metavar="SERIES", type=SeriesName())
@as_json
def show(name: str, as_json: bool) -> None:
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


@cli.command()
@as_json
@click.pass_obj
def inspect(where: TreeOptions, as_json: bool) -> None:
    """Show what a tree offers: helpers, forms, ioctl numbers, conventions.

    These are the facts that templates decide by. They are found in the tree's files, never
    guessed from its version.

    \b
    Example:
      dmabuf-patchgen -C ~/linux inspect --json
    """
    from dmabuf_patchgen.render.environment import Environment, Facts
    from dmabuf_patchgen.tree.facts import TreeFacts
    from dmabuf_patchgen.tree.source import GitTree

    tree = where.tree()
    environment = Environment()
    facts = Facts(environment, TreeFacts(tree))
    if as_json:
        output.print_json(
            {
                "tree": tree.label,
                "version": tree.version,
                "commit": tree.commit if isinstance(tree, GitTree) else None,
                "facts": dict(facts),
            }
        )
        return
    click.echo(f"{tree.label}: Linux {tree.version}\n")
    for name, value in facts.items():
        click.echo(f"{name:26} {output.shown(value):22} {environment.fact_table[name]['meaning']}")


@cli.command()
@series_names
@typed_parameters
@click.option(
    "-o",
    "directory",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write the patches to a directory, as git format-patch would.",
)
@click.option("--branch", metavar="NAME", help="Make the commits on a new branch.")
@click.option("--force", is_flag=True, help="Replace a branch that this tool made.")
@click.option("--diff", is_flag=True, help="Show the patches and write nothing.")
@as_json
@click.pass_obj
def render(
    where: TreeOptions,
    names: tuple[str, ...],
    typed: tuple[str, ...],
    directory: Path | None,
    branch: str | None,
    force: bool,
    diff: bool,
    as_json: bool,
) -> None:
    """Render one or more series for a tree, one on top of the other.

    \b
    Examples:
      dmabuf-patchgen -C ~/linux render dma-buf-pfnmap --diff
      dmabuf-patchgen -C ~/linux render dma-buf-pfnmap -p severity=refuse -o out
      dmabuf-patchgen -C ~/linux --base v6.12 render dma-buf-pfnmap dma-buf-map-info \\
          --branch b4/dma-buf-mmap -o out
    """
    from dmabuf_patchgen.render import branch as branches
    from dmabuf_patchgen.render import directory as directories
    from dmabuf_patchgen.render.environment import Environment
    from dmabuf_patchgen.render.mails import mails
    from dmabuf_patchgen.render.scratch import ANONYMOUS
    from dmabuf_patchgen.render.series import render as render_series
    from dmabuf_patchgen.tree.source import GitTree

    if diff and (directory or branch is not None):
        raise click.UsageError("--diff writes nothing: give it without -o and --branch")
    if not (diff or directory or branch is not None):
        raise click.UsageError("nothing to write to: give -o DIR, --branch NAME or --diff")
    if force and branch is None:
        raise click.UsageError("--force goes with --branch")
    tree = where.tree()
    author = branches.identity(where.path)
    replaces = None
    if branch is not None:
        if not isinstance(tree, GitTree):
            raise UserError(f"{tree.label}: not a git repository, so no branch", "give -o DIR")
        if author is None:
            raise UserError(
                f"{tree.label}: no git identity to make commits with",
                "git config --global user.name 'Your Name'; "
                "git config --global user.email you@example.com",
            )
        replaces = branches.check(tree, branch, force)
    if directory:
        directories.check(directory)
    rendered = render_series(Environment(), tree, names, values(typed))
    if author is None:
        author = ANONYMOUS
        output.note(f"no git identity: the patches are from {author.name} <{author.email}>")
    when = rendered.revised
    if isinstance(tree, GitTree):
        when = branches.date(tree, when)
    about = output.about(rendered)
    if not rendered.commits:
        # Neither an empty branch nor an empty directory is a series.
        directory = branch = None
    if diff:
        for mail in mails(tree, rendered.commits, author, when):
            click.echo(output.coloured(mail.content), nl=False)
        return
    with ExitStack() as stack:
        tip = ""
        if branch and isinstance(tree, GitTree):
            made = branches.commits_on(tree, rendered.commits, author, when)
            tip = stack.enter_context(made)
        if directory:
            directories.write(directory, mails(tree, rendered.commits, author, when), about)
    # The branch last: all that is likely to fail comes before.
    if branch and isinstance(tree, GitTree):
        what = f"render {' '.join(rendered.series)}"
        branches.point(tree.repo, branch, tip, author, what, replaces)
        about["branch"] = branch
        about["tip"] = tip
    if as_json:
        about["tree"] = tree.label
        about["directory"] = str(directory) if directory else None
        output.print_json(about)
        return
    output.print_rendered(rendered)
    if directory:
        click.echo(f"patches: {directory}/*.patch")
    if branch:
        click.echo(f"branch:  {branch} on {tree.label}")


@cli.command()
@click.argument("targets", metavar="BASE..TIP | PATCH... | -", nargs=-1, required=True)
@as_json
@click.pass_obj
def check(where: TreeOptions, targets: tuple[str, ...], as_json: bool) -> int:
    """Check every patch of a series: checkpatch, kernel-doc, W=1, sparse, kselftests.

    Takes a range of commits, or patches and directories of patches that apply to the tree
    in order. Each patch is held against the state before it: only what it adds counts. The
    tree is built elsewhere, never in place.

    With -, one patch is read from standard input, and findings are told as b4 wants them
    from its prep-perpatch-check-cmd.

    \b
    Exit codes: 0 nothing found, 1 it could not be checked, 2 findings, 3 a tool is missing.

    \b
    Examples:
      dmabuf-patchgen -C ~/linux check v6.12..b4/dma-buf-mmap
      dmabuf-patchgen -C ~/linux-source-6.12 check out/dma-buf-mmap
      git config b4.prep-perpatch-check-cmd 'dmabuf-patchgen check -'
    """
    from dmabuf_patchgen.check import checks, commits

    if targets == ("-",):
        return _check_for_b4(where)
    with output.progress_shown() as progress:
        if len(targets) == 1 and ".." in targets[0] and not Path(targets[0]).exists():
            tree = where.tree()
            base, patches = commits.from_range(_repository(tree), targets[0])
            report = checks.check(base, patches, progress=progress)
        else:
            tree = where.tree()
            mails = commits.read_mails([Path(target) for target in targets])
            report = checks.check(tree, commits.from_mails(tree, mails), progress=progress)
    if as_json:
        output.print_json(report.as_dict())
    else:
        click.echo(report.table())
    return Exit.FINDINGS if report.failed else Exit.OK


@cli.command()
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
def config(where: TreeOptions, names: tuple[str, ...], file: Path | None, as_json: bool) -> int:
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
        configured = configuration.configure(Environment(), where.tree(), names, progress)
    if file:
        configuration.write_file(file, configured.config)
    if as_json:
        output.print_json(configured.as_dict() | {"file": str(file) if file else None})
    else:
        click.echo(configured.table())
        if file:
            click.echo(f"configuration: {file}")
    return Exit.FINDINGS if configured.failed else Exit.OK


@cli.command()
@series_names
@typed_parameters
@click.option(
    "-o",
    "directory",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write evidence, consoles and configuration to a directory.",
)
@click.option("--each-commit", is_flag=True, help="Boot every commit, not first and last only.")
@click.option(
    "--runner",
    type=click.Choice(["qemu", "vng"]),
    default="qemu",
    show_default=True,
    help="What boots the kernels; vng is virtme-ng.",
)
@click.option(
    "--timeout",
    "limit",
    metavar="SECONDS",
    type=click.FloatRange(min=1),
    default=300,
    show_default=True,
    help="How long a boot with its tests may take.",
)
@click.option(
    "-j",
    "jobs",
    metavar="N",
    type=click.IntRange(min=1),
    help="Jobs of make at the same time. Default: one for each processor.",
)
@click.option("--no-cache", is_flag=True, help="Build and boot again what was built and booted.")
@as_json
@click.pass_obj
def prove(
    where: TreeOptions,
    names: tuple[str, ...],
    typed: tuple[str, ...],
    directory: Path | None,
    each_commit: bool,
    runner: str,
    limit: float,
    jobs: int | None,
    no_cache: bool,
    as_json: bool,
) -> int:
    """Boot a tree without and with a series, and see that its kselftests tell them apart.

    Every commit is built, for the architecture that ARCH names, with the compiler that CC,
    CROSS_COMPILE and LLVM choose. The series is proved if each test fails without it for the
    reason that it states and passes with it, controls pass on both, and no other test changes.
    Both kernels get the same test exporter. The evidence is what prep --evidence takes.

    \b
    Exit codes: 0 proved, 1 it could not be tried, 2 not proved, 3 a tool is missing.

    \b
    Examples:
      dmabuf-patchgen -C ~/linux --base v6.12 prove dma-buf-pfnmap -o proof
      dmabuf-patchgen -C ~/linux prove dma-buf-pfnmap -p severity=refuse --each-commit
      ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- \\
          dmabuf-patchgen -C ~/linux prove dma-buf-pfnmap dma-buf-map-info -o proof-arm64
    """
    from dmabuf_patchgen.prove import proof as proofs
    from dmabuf_patchgen.render import directory as directories
    from dmabuf_patchgen.render.environment import Environment

    if directory:
        directories.check(directory)
    options = proofs.ProofOptions(
        names=names,
        typed=values(typed),
        base=where.base,
        runner=runner,
        limit=limit,
        each_commit=each_commit,
        kept=not no_cache,
        jobs=jobs or 0,
    )
    with output.progress_shown() as progress:
        proof = proofs.prove(Environment(), where.tree(), options, progress)
    if directory:
        directories.write(directory, proof.files, output.about(proof.rendered))
    if as_json:
        output.print_json(proof.evidence.as_dict())
    else:
        click.echo(proof.table())
        if directory:
            click.echo(f"evidence: {directory / proofs.FILE}")
    return Exit.OK if proof.evidence.proved else Exit.FINDINGS


@cli.command()
@series_names
@typed_parameters
@click.option("--slug", help="Name of the branch, without b4/. Default: from the series.")
@click.option(
    "-o",
    "directory",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write the mails that b4 would send to a directory.",
)
@click.option(
    "--evidence",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="What prove wrote of this series; the cover letter tells it.",
)
@click.option("--signoff", is_flag=True, help="Add your Signed-off-by to patches and cover.")
@click.option("--to", multiple=True, metavar="ADDRESS", help="One more recipient in To.")
@click.option("--cc", multiple=True, metavar="ADDRESS", help="One more recipient in Cc.")
@click.option(
    "--cover-strategy",
    "strategy",
    type=click.Choice(["branch-description", "commit"]),
    help="TreeOptions b4 keeps the cover letter. Default: branch-description, or as it is.",
)
@click.option("--allow-findings", is_flag=True, help="Go on though the checks found something.")
@click.option("-n", "--dry-run", is_flag=True, help="Show all of it and write nothing.")
@as_json
@click.pass_obj
def prep(
    where: TreeOptions,
    names: tuple[str, ...],
    typed: tuple[str, ...],
    slug: str | None,
    directory: Path | None,
    evidence: Path | None,
    signoff: bool,
    to: tuple[str, ...],
    cc: tuple[str, ...],
    strategy: str | None,
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
    from dmabuf_patchgen.post import prep as preparing
    from dmabuf_patchgen.prove import evidence as proofs
    from dmabuf_patchgen.render import directory as directories
    from dmabuf_patchgen.render.environment import Environment
    from dmabuf_patchgen.tree.source import GitTree

    if directory:
        directories.check(directory)
    tree = where.tree()
    if not isinstance(tree, GitTree):
        raise UserError(
            f"{tree.label}: not a git repository, and b4 works on a branch", "see render -o"
        )
    options = preparing.PrepOptions(
        names=names,
        typed=values(typed),
        base=where.base,
        slug=slug,
        evidence=proofs.load(evidence) if evidence else None,
        signoff=signoff,
        to=to,
        cc=cc,
        allow_findings=allow_findings,
        strategy=strategy,
    )
    with output.progress_shown() as progress:
        plan = preparing.plan(Environment(), tree, options, progress, check=not dry_run)
        about = output.about(plan.rendered) | {
            "branch": plan.branch,
            "revision": plan.record.revision,
            "to": list(plan.recipients.to),
            "cc": list(plan.recipients.cc),
        }
        if not dry_run:
            sent = preparing.write(tree, plan, progress)
            if directory:
                directories.write(directory, sent, about)
    if as_json:
        output.print_json(
            about | {"tree": tree.label, "cover": plan.letter, "written": not dry_run}
        )
        return
    if dry_run:
        click.echo(plan.letter)
    output.print_rendered(plan.rendered)
    if directory and not dry_run:
        click.echo(f"mails, as b4 would send them: {directory}/*.eml")
    output.print_plan(plan, written=not dry_run)


def _check_for_b4(where: TreeOptions) -> int:
    from dmabuf_patchgen.check import b4, checks
    from dmabuf_patchgen.check.report import b4_lines

    located = b4.locate(_repository(where.tree()), sys.stdin.buffer.read())
    report = checks.check(located.base, [located.patch], settled=located.settled)
    for line in b4_lines(report):
        click.echo(line)
    return Exit.FINDINGS if report.failed else Exit.OK


def _repository(tree: GitTree | DirectoryTree) -> Path:
    from dmabuf_patchgen.tree.source import GitTree

    if not isinstance(tree, GitTree):
        raise UserError(
            f"{tree.label}: not a git repository", "name patches or a directory of them"
        )
    return tree.repo
