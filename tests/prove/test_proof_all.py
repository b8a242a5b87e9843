# SPDX-License-Identifier: GPL-2.0-only
"""A proof does not hang on chance: again and again it says the same."""

import json
import shutil
from pathlib import Path

import pytest

from dmabuf_patchgen.debian.sources import Row
from tests.conftest import CACHE, Cli
from tests.prove.schema import SCHEMA

SERIES = ("dma-buf-pfnmap", "dma-buf-map-info")
TIMES = 10


@pytest.mark.all
def test_ten_proofs_in_a_row_say_the_same(cli: Cli, linux_612: Path, tmp_path: Path) -> None:
    """Kernels are kept, boots are not."""
    kept = tmp_path / CACHE.name
    kept.mkdir()
    for kind in CACHE.iterdir():
        if kind.name != "boots":
            (kept / kind.name).symlink_to(kind)
    said = []
    for _ in range(TIMES):
        done = cli(
            "-C", linux_612, "prove", *SERIES, "--json", env={"XDG_CACHE_HOME": str(tmp_path)}
        )
        assert done.returncode == 0, done.stdout + done.stderr
        shutil.rmtree(kept / "boots")
        evidence = json.loads(done.stdout)
        # Consoles have times in them, and reports the numbers of processes.
        evidence["logs"] = [*evidence["logs"]]
        for one in evidence["reports"]:
            del one["line"]
        said.append(evidence)
    assert all(one == said[0] for one in said)


@pytest.mark.all
def test_the_commit_with_which_tests_change(cli: Cli, linux_612: Path) -> None:
    program = "dma-buf-map-info"
    done = cli("-C", linux_612, "prove", *SERIES, "--bisect", f"{program}:*", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    evidence = json.loads(done.stdout)
    proved = {
        test["name"]
        for test in evidence["tests"]
        if test["verdict"] == "proved" and test["name"].startswith(f"{program}:")
    }
    assert {change["name"] for change in evidence["changes"]} == proved
    # All of them ask by the ioctl, which one commit adds.
    (patch,) = {change["patch"] for change in evidence["changes"]}
    assert 1 < patch <= len(evidence["patch_ids"])
    assert "IOCTL" in evidence["changes"][0]["subject"].upper()


def test_on_kernels_that_check_themselves(cli: Cli, debug_row: Row) -> None:
    """What a checker finds with the series is found without it too, or a test asked for it."""
    done = cli("-C", debug_row.path, "prove", *SERIES, "--debug", "--json")
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    evidence = json.loads(done.stdout)
    SCHEMA.validate(evidence)
    checked = {one["symbol"] for one in evidence["debug"] if one["on"]}
    assert checked >= {"CONFIG_KASAN", "CONFIG_PROVE_LOCKING", "CONFIG_DEBUG_KMEMLEAK"}
    lacking = {one["symbol"] for one in evidence["debug"] if not one["on"]}
    assert lacking == ({"CONFIG_UBSAN_SHIFT"} if debug_row.series == "5.10" else set())
    for log in ("base.log", "tip.log"):
        # Each of them did look.
        said = evidence["logs"][log]
        assert "kmemleak: Kernel memory leak detector initialized" in said
        assert "\ndmabuf-patchgen: leaks\n" in said
