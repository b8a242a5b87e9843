# SPDX-License-Identifier: GPL-2.0-only
"""Where functions end, over every function of every tree: none holds another one.

A function that is refused does no harm; how many are is told.
"""

import os
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from dmabuf_patchgen.debian import sources
from dmabuf_patchgen.tree import extent
from dmabuf_patchgen.tree.c import CFile
from dmabuf_patchgen.tree.doubt import Doubt

#: A function of its own, as it begins in the kernel's style; a reading by lines alone. Not what
#: may stand in column 0 within one: a label, and a statement behind it or by itself.
_HEAD = re.compile(
    rb"^(?:\{|(?!\w+[ \t]*:|(?:if|for|while|switch|else|do)\b)[A-Za-z_][^\n;=#]*\)[ \t]*\{)[ \t]*$",
    re.M,
)
_COMMENT = re.compile(rb"/\*.*?\*/|//[^\n]*", re.S)
_DEFINE = re.compile(rb"^[ \t]*#[ \t]*define(?:[^\n]*\\\n)*[^\n]*", re.M)
_DEAD = re.compile(rb"^#[ \t]*if[ \t]+0\b.*?^#[ \t]*e", re.M | re.S)
#: Registers of hardware: hundreds of megabytes without a function.
_REGISTERS = "asic_reg"


def judge(path: str) -> tuple[Counter[str], list[str]]:
    """What comes of the functions of a file, and those that hold another one."""
    body = Path(path).read_bytes()
    counted: Counter[str] = Counter()
    wrong: list[str] = []
    if not re.search(rb"\)\s*\{", body):
        return counted, wrong
    c = CFile(body)
    for definition in c.definitions:
        if definition.kind != "function":
            continue
        try:
            extent.check(c, definition)
        except Doubt as doubt:
            counted[doubt.why.value] += 1
            continue
        counted["certain"] += 1
        span = definition.span
        code = body[span.start : span.end]
        for passed_over in (_COMMENT, _DEFINE, _DEAD):
            code = passed_over.sub(b"", code)
        heading, _, inside = code.partition(b"{")
        found = re.search(rb"[^\n]*;", heading) or _HEAD.search(inside)
        if found:
            wrong.append(f"{path}: {definition.name} holds {found.group()[:60]!r}")
    return counted, wrong


def c_files(root: Path) -> Iterator[str]:
    """The C files of a tree."""
    for where, _, names in os.walk(root):
        if _REGISTERS not in where:
            yield from (f"{where}/{name}" for name in names if name.endswith((".c", ".h")))


def judged(root: Path) -> tuple[Counter[str], list[str]]:
    """The same for all files of a tree."""
    counted: Counter[str] = Counter()
    wrong: list[str] = []
    with ProcessPoolExecutor() as pool:
        for one, found in pool.map(judge, c_files(root), chunksize=64):
            counted += one
            wrong += found
    return counted, wrong


def test_the_judge_sees_a_function_in_another(tmp_path: Path) -> None:
    """Its control: were the first `}` not looked for, this would be one function."""
    torn = tmp_path / "torn.c"
    torn.write_bytes(b"int f(void)\n{\n\tif (a) {\n}\n\nint g(void)\n{\n\treturn 0;\n}\n}\n")
    assert judge(str(torn))[0] == Counter({"unclear end": 1})
    assert _HEAD.search(torn.read_bytes()[20:])


def test_functions_of_dma_buf(linux_612: Path) -> None:
    counted, wrong = judged(linux_612 / "drivers/dma-buf")
    assert not wrong
    assert counted["certain"] > 0.99 * counted.total() > 100


@pytest.mark.all
@pytest.mark.parametrize("series", ["5.10", "6.1", "6.12", "7.2", "7.3"])
def test_every_function(series: str, capsys: pytest.CaptureFixture[str]) -> None:
    counted, wrong = judged(sources.fetch(series))
    with capsys.disabled():
        print(f"\nfunctions of {series}: {dict(counted)}")
    assert not wrong
    assert counted["certain"] > 0.99 * counted.total()
