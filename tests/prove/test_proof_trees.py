# SPDX-License-Identifier: GPL-2.0-only
"""Both series proved in booted kernels of every tree, and of two on another architecture."""

import json
from pathlib import Path
from typing import Any

import pytest

from dmabuf_patchgen.debian.sources import Row
from tests.conftest import Cli

PFNMAP, MAP_INFO = "dma-buf-pfnmap", "dma-buf-map-info"
CROSS = {"ARCH": "arm64", "CROSS_COMPILE": "aarch64-linux-gnu-"}
#: Of the trees' own tests: there is no vgem in these kernels.
MAY_SKIP = "dmabuf-heap:"


def test_they_are_proved(cli: Cli, row: Row) -> None:
    evidence = proved(cli, row.path, (PFNMAP, MAP_INFO), {})
    assert evidence["architecture"] == "x86_64"


@pytest.mark.parametrize("series", [PFNMAP, MAP_INFO])
def test_each_is_proved_alone(cli: Cli, newest_row: Row, series: str) -> None:
    proved(cli, newest_row.path, (series,), {})


def test_they_are_proved_on_arm64(cli: Cli, arm64_row: Row) -> None:
    evidence = proved(cli, arm64_row.path, (PFNMAP, MAP_INFO), CROSS)
    assert evidence["architecture"] == "aarch64"
    assert evidence["command"].startswith("ARCH=arm64 CROSS_COMPILE=aarch64-linux-gnu- ")


def proved(cli: Cli, tree: Path, series: tuple[str, ...], env: dict[str, str]) -> dict[str, Any]:
    done = cli("-C", tree, "prove", *series, "--json", env=env)
    assert done.returncode == 0, told(done.stdout) + done.stderr
    evidence: dict[str, Any] = json.loads(done.stdout)
    skipped = {one["name"] for one in evidence["tests"] if "skip" in (one["base"], one["tip"])}
    assert all(name.startswith(MAY_SKIP) for name in skipped), skipped
    # Without the series the kernel goes down, for which there is a boot of its own.
    crashed = {one["name"] for one in evidence["tests"] if one["base"] == "crash"}
    wanted = {"dma-buf-pfnmap-fault:pfn_fault.private_write"} if PFNMAP in series else set()
    assert crashed == wanted
    return evidence


def told(said: str) -> str:
    """What speaks against a proof, in few lines."""
    if not said:
        return ""
    evidence = json.loads(said)
    wrong = [f"{one['name']}: {one['why']}" for one in evidence["tests"] if one["why"]]
    return "\n".join([*wrong, *evidence["problems"], ""])
