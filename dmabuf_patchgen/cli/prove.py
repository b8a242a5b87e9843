# SPDX-License-Identifier: GPL-2.0-only
"""Series proved by booting kernels."""

from pathlib import Path

import click

from dmabuf_patchgen.cli import output
from dmabuf_patchgen.cli.options import (
    Seconds,
    Session,
    as_json,
    output_directory,
    series_names,
    typed_parameters,
    values,
)
from dmabuf_patchgen.errors import Exit


@click.command("prove")
@series_names
@typed_parameters
@output_directory("Write evidence, consoles and configuration to a directory.")
@click.option(
    "--debug",
    is_flag=True,
    help="Boot kernels that check themselves: lockdep, KASAN, kmemleak and more.",
)
@click.option("--each-commit", is_flag=True, help="Boot every commit, not first and last only.")
@click.option(
    "--bisect",
    metavar="PROGRAM:TEST",
    help="Tell with which commit tests change. A shell pattern.",
)
@click.option(
    "--runner",
    type=click.Choice(["qemu", "vng"]),
    default="qemu",
    show_default=True,
    help="What boots the kernels; vng is virtme-ng.",
)
@click.option(
    "--accel",
    "accelerator",
    type=click.Choice(["kvm", "tcg"]),
    help="What executes the guests. Default: KVM where it is seen to, else TCG.",
)
@click.option(
    "--timeout",
    "limit",
    metavar="SECONDS",
    type=Seconds(min=1, max=86400),
    default=300,
    show_default=True,
    help="How long a boot with its tests may take; with --debug, 8 times that.",
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
def command(
    session: Session,
    names: tuple[str, ...],
    typed: tuple[str, ...],
    directory: Path | None,
    debug: bool,
    each_commit: bool,
    bisect: str | None,
    runner: str,
    accelerator: str | None,
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
      dmabuf-patchgen -C ~/linux prove dma-buf-map-info --bisect 'dma-buf-map-info:*'
      ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- \\
          dmabuf-patchgen -C ~/linux prove dma-buf-pfnmap dma-buf-map-info -o proof-arm64
    """
    from dmabuf_patchgen.debian.busybox import busybox
    from dmabuf_patchgen.prove import proof as proofs
    from dmabuf_patchgen.render import directory as directories
    from dmabuf_patchgen.render.environment import Environment

    if directory:
        directories.check(directory)
    options = proofs.ProofOptions(
        names=names,
        typed=values(typed),
        base=session.base,
        runner=runner,
        accelerator=accelerator,
        limit=limit,
        debug=debug,
        each_commit=each_commit,
        bisect=bisect,
        kept=not no_cache,
        jobs=jobs or 0,
    )
    with output.progress_shown() as progress:
        proof = proofs.prove(Environment(), session.tree(), options, busybox, progress)
    if directory:
        directories.write(directory, proof.files, output.about(proof.rendered))
    if as_json:
        output.print_json(proof.evidence.as_dict())
    else:
        output.note_brought(proof.rendered)
        click.echo(proof.table())
        if directory:
            click.echo(f"evidence: {directory / proofs.FILE}")
    return Exit.OK if proof.evidence.proved else Exit.FINDINGS
