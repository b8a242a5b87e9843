# SPDX-License-Identifier: GPL-2.0-only
"""Faults planted in a driver, each in a patch of its own: found by its kind, in that patch."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CHECKOUT, Cli

PLANTED = Path(__file__).parent / "planted"
#: Functions of planted/planted.c.j2 in the order in which patches plant them, and by what kind of
#: report a kernel with checkers tells of each.
FAULTS = {
    "use_after_free": "KASAN",
    "unbalanced_lock": "lockdep",
    "sleep_under_spinlock": "atomic context",
    "leak_of_pages": "kmemleak",
    "leak_of_a_file": "kmemleak",
    "double_put": "refcount_t",
    "unmap_with_another_direction": "DMA-API",
}
#: What every kernel checks: no symbol turns it off.
ALWAYS = {"double_put": "refcount_t"}
FAULT = """\
{{# SPDX-License-Identifier: GPL-2.0-only #}}
dma-buf: plant {fault}()

Nothing else is planted from here on.

--- drivers/dma-buf/planted.c
@@ function planted @@
-	return {before}();
+	return {fault}();
"""
#: What a report leaves for lockdep to check: nothing, be it one of its own or a taint.
LAST = {
    "use_after_free": "Disabling lock debugging due to kernel taint",
    "unbalanced_lock": "WARNING: bad unlock balance detected!",
}
LOCKS = ("CONFIG_PROVE_LOCKING", "CONFIG_PROVE_RCU")
_PROBLEM = re.compile(r"after patch (\d+)/(\d+), the kernel reports(?: in (\S+))?: ([^:]+): .*")
_OFF = re.compile(
    rf"after patch (\d+)/\d+, nothing is checked any more by {', '.join(LOCKS)}: (.*)"
)
Planted = Callable[..., Any]


@pytest.fixture
def planted(cli: Cli, linux_612: Path, tmp_path: Path) -> Planted:
    """Proves the series on the reference tree, every commit of it; the evidence."""
    templates = tmp_path / "templates"
    shutil.copytree(CHECKOUT / "templates", templates)
    shutil.copytree(PLANTED, templates / "planted")
    before = "nothing"
    with (templates / "planted/series.toml").open("a") as series:
        for fault in FAULTS:
            name = f"planted/{fault}.patch.j2"
            (templates / name).write_text(FAULT.format(fault=fault, before=before))
            series.write(f'\n[[patch]]\ntemplate = "{name}"\n')
            before = fault
    # A package finds the templates beside it: the same code, through a link.
    (tmp_path / "dmabuf_patchgen").symlink_to(CHECKOUT / "dmabuf_patchgen")
    env = {"PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}", "PYTHONSAFEPATH": "1"}

    def run(*args: str) -> Any:
        done = cli("-C", linux_612, "prove", "planted", "--each-commit", "--json", *args, env=env)
        assert done.returncode == 2, done.stdout + done.stderr
        return json.loads(done.stdout)

    return run


def gave_up(evidence: Any) -> dict[str, str]:
    """The faults with which lockdep gives up, and what it says."""
    told = filter(None, map(_OFF.fullmatch, evidence["problems"]))
    return {[*FAULTS][int(one[1]) - 2]: one[2] for one in told}


def found(evidence: Any) -> dict[str, set[str]]:
    """The kinds of what is reported with each fault."""
    kinds: dict[str, set[str]] = {}
    for problem in evidence["problems"]:
        if _OFF.fullmatch(problem):
            continue
        told = _PROBLEM.fullmatch(problem)
        assert told, problem
        patch, patches, test, kind = int(told[1]), int(told[2]), told[3], told[4]
        # The first patch is the driver, with nothing in it.
        assert patch > 1 and patches == len(FAULTS) + 1, problem
        fault = [*FAULTS][patch - 2]
        # A leak is found when no test runs any more.
        assert test == (None if kind == "kmemleak" else "planted"), problem
        log = evidence["logs"]["tip.log" if patch == patches else f"patch-{patch}.log"]
        assert f"{fault}+0x" in log
        kinds.setdefault(fault, set()).add(kind)
    return kinds


@pytest.mark.all
def test_each_is_found_in_its_patch(planted: Planted) -> None:
    evidence = planted("--debug")
    assert found(evidence) == {fault: {kind} for fault, kind in FAULTS.items()}
    assert gave_up(evidence) == LAST
    why = f"turned itself off, after patch 2/{len(FAULTS) + 1}: {LAST['use_after_free']}"
    debug = {one["symbol"]: one["why"] for one in evidence["debug"]}
    assert {symbol for symbol, why in debug.items() if not why} >= {
        "CONFIG_KASAN", "CONFIG_DEBUG_ATOMIC_SLEEP", "CONFIG_DEBUG_KMEMLEAK",
        "CONFIG_DMA_API_DEBUG",
    }  # fmt: skip
    assert {symbol: debug[symbol] for symbol in LOCKS} == dict.fromkeys(LOCKS, why)


@pytest.mark.all
def test_without_its_checker_it_is_not(planted: Planted) -> None:
    """The control: they do no harm, so nothing but a checker could tell."""
    evidence = planted()
    assert evidence["debug"] == []
    assert found(evidence) == {fault: {kind} for fault, kind in ALWAYS.items()}
