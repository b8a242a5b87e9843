# SPDX-License-Identifier: GPL-2.0-only
"""What a message quotes stands so in the file, or in the template."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmabuf_patchgen.render.edit import apply
from dmabuf_patchgen.render.patch_text import Hunk, parse
from dmabuf_patchgen.render.place import PlaceError

#: How udmabuf's fault handler begins since 5.19, and what some trees have of it.
TREE = b"""\
static vm_fault_t udmabuf_vm_fault(struct vm_fault *vmf)
{
\tpgoff_t pgoff = vmf->pgoff;

\tif (pgoff  >\tubuf->pagecount)
\t\treturn VM_FAULT_SIGBUS;
\treturn 0;
}
"""


def refused(text: str, body: bytes, path: str = "x.c") -> str:
    (hunk,) = parse("t", f"a\n\n--- {path}\n{text}").hunks
    with pytest.raises(PlaceError) as error:
        apply(hunk, body)
    return error.value.message.partition(": ")[2]


def test_operators_are_not_taken_apart() -> None:
    function = "function udmabuf_vm_fault"
    assert refused(
        f"@@ {function} @@\n \tif (pgoff >= ubuf->pagecount)\n-\t\treturn VM_FAULT_SIGBUS;\n", TREE
    ) == (f"{function}: expected '>=' where line 5 has 'if (pgoff > ubuf->pagecount)'")
    assert refused(f"@@ {function} @@\n-\tvmf->page = get(a, b);\n+\tpfn();\n", TREE) == (
        f"{function}: expected 'page' where line 3 has 'pgoff_t pgoff = vmf->pgoff;'"
    )
    assert refused(f"@@ {function} @@\n-\ta->b = get(a, b);\n-\tc();\n+\tpfn();\n", TREE) == (
        f"{function}: found nothing like 'a->b = get(a, b);'..."
    )
    assert refused(f"@@ {function}, after a->b = get(a , b) @@\n+\tpfn();\n", TREE) == (
        f"{function}, 'a->b = get(a , b)': found nothing like 'a->b = get(a , b)'"
    )


WORD = st.sampled_from(["a", "ubuf", "VM_FAULT_SIGBUS", "0x10", "f"])
SIGN = st.sampled_from(
    ["->", ">=", "<<=", " ", "\t", "  ", " == ", "(", ")", "->*", " ? ", " : ", "&&", "...", "\\n"]
)
LINE = st.lists(st.one_of(WORD, SIGN), min_size=1, max_size=40).map("".join)
LINES = st.lists(LINE.filter(str.strip), min_size=1, max_size=5)


def flat(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.split("\n")]


@given(LINES, LINES, st.sampled_from(["x.c", "Makefile", "Kconfig"]))
def test_whatever_is_quoted_is_there(have: list[str], wanted: list[str], path: str) -> None:
    body = "".join(f"\t{line}\n" for line in have)
    if path == "x.c":
        body = f"void f(void)\n{{\n{body}}}\n"
    lines = tuple(("-", line.encode()) for line in wanted)
    try:
        apply(Hunk(path, "file", lines), body.encode())
    except PlaceError as error:
        for quote in re.findall(r"'(.*?)'", error.message):
            assert any(quote in line for line in [*flat(body), *flat("\n".join(wanted))])
            assert quote.strip()
