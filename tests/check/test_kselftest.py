# SPDX-License-Identifier: GPL-2.0-only
"""A test counts as compiled where a compiler was called with it, whatever its name."""

from pathlib import Path

import pytest

from dmabuf_patchgen.check.kselftest import Kselftest, _is_compiled
from dmabuf_patchgen.check.step import Patch, Step
from dmabuf_patchgen.kernel.forest import Forest
from dmabuf_patchgen.kernel.kbuild import Build, Toolchain
from dmabuf_patchgen.render.commit import Commit

TEST = "tools/testing/selftests/dmabuf-heaps/heap.c"


@pytest.mark.parametrize(
    ("line", "choices"),
    [
        ("gcc -Wall heap.c -o heap", ()),
        ("x86_64-linux-gnu-gcc-12 -Wall /src/dmabuf-heaps/heap.c -o heap", ()),
        ("/opt/board/bin/kompilator -Wall heap.c -o heap", ("CC=/opt/board/bin/kompilator",)),
        ("ccache /opt/x+y/gcc -Wall heap.c", ("ARCH=arm64", "CC=ccache /opt/x+y/gcc")),
    ],
)
def test_it_is_compiled(line: str, choices: tuple[str, ...]) -> None:
    assert _is_compiled(TEST, f"make: Entering\n{line}\n", choices)


@pytest.mark.parametrize(
    ("line", "choices"),
    [
        ("cp heap.c heap", ()),
        ("gcc -Wall cheap.c -o cheap", ()),
        ("/opt/board/bin/kompilator -Wall heap.c -o heap", ()),
        ("/opt/x-y/kompilator heap.c", ("CC=/opt/x.y/kompilator",)),
    ],
)
def test_it_is_not(line: str, choices: tuple[str, ...]) -> None:
    assert not _is_compiled(TEST, f"{line}\n", choices)


def test_why_make_stops_is_told_where_no_compiler_says_it(tmp_path: Path) -> None:
    """As by a linker: the line that is the cause, not where make ended."""
    tree = tmp_path / "tree"
    (tree / "tools/testing/selftests/toy").mkdir(parents=True)
    (tree / "Makefile").write_text("headers:\n\t@mkdir -p $(O)/usr/include\n")
    makefile = "tools/testing/selftests/toy/Makefile"
    says = "ld: a.o: warning: odd", "ld: a.o: in function `f':", "ld: cannot find -lnothere"
    lines = "".join(f'\t@echo "{line}" >&2\n' for line in says).replace("`", "\\`")
    body = f"all:\n\t@echo gcc -o a a.c\n{lines}\t@false\n".encode()
    build = Build(tmp_path / "build", Toolchain((), "gcc 1", ""))
    build.out.mkdir(parents=True)
    forest = Forest(build.root, tree, [makefile])
    forest.follow({makefile: body})
    step = Step(
        Patch(Commit("toy: s\n", {makefile: body}), b""), forest, tmp_path, {makefile: None}
    )
    (found,) = Kselftest(build).after(step) or ()
    assert (found.path, found.level, found.type) == (makefile, "error", "MAKE")
    assert found.text == "ld: cannot find -lnothere"
