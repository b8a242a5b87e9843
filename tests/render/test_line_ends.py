# SPDX-License-Identifier: GPL-2.0-only
"""A tree that was committed with CRLF: its patches have CRLF, and git applies them."""

from pathlib import Path

import pytest

from dmabuf_patchgen.render.mails import mails
from dmabuf_patchgen.render.outcome import Rendered
from dmabuf_patchgen.render.series import render
from dmabuf_patchgen.tree.source import DirectoryTree
from tests import golden, repos, tiny
from tests.repos import git


def crlf(root: Path, *only: str) -> Path:
    """The small tree, with CRLF in those files, or in all of them."""
    made = {
        name: body.replace(b"\n", b"\r\n") if name in only or not only else body
        for name, body in tiny.FILES.items()
    }
    return tiny.write(root, made)


def toy(tmp_path: Path, root: Path) -> Rendered:
    return render(tiny.environment(tmp_path / "t"), DirectoryTree(root), ["toy"], {})


def test_the_same_patch_with_other_line_ends(tmp_path: Path) -> None:
    plain = toy(tmp_path, tiny.tree(tmp_path / "plain"))
    dos = toy(tmp_path, crlf(tmp_path / "dos"))
    assert dos.keep_cr and not plain.keep_cr
    assert len(plain.commits) == len(dos.commits) == 2
    for one, other in zip(plain.commits, dos.commits, strict=True):
        assert other.message == one.message
        # The new file as well, since those beside it have CRLF.
        assert other.files == {
            path: (body or b"").replace(b"\n", b"\r\n") for path, body in one.files.items()
        }


def test_only_the_files_that_have_it(tmp_path: Path) -> None:
    dos = toy(tmp_path, crlf(tmp_path / "dos", "drivers/dma-buf/dma-buf.c"))
    files = dos.commits[0].files
    body = files["drivers/dma-buf/dma-buf.c"]
    assert body and body.count(b"\n") == body.count(b"\r\n")
    assert b"\r" not in (files["drivers/dma-buf/Makefile"] or b"")


@pytest.mark.parametrize("option", ["--keep-cr", "--no-keep-cr"])
def test_git_am_takes_them_as_it_is_told(tmp_path: Path, option: str) -> None:
    root = crlf(tmp_path / "dos")
    rendered = toy(tmp_path, root)
    git(root, "init", "-q")
    git(root, "-c", "core.autocrlf=false", "add", "-A", "-f")
    who = ("-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "core.autocrlf=false")
    git(root, *who, "commit", "-q", "-m", "tree")
    files = []
    for mail in mails(rendered.tree, rendered.commits, golden.AUTHOR, rendered.revised):
        files.append(tmp_path / mail.name)
        files[-1].write_bytes(mail.content)
    if option == "--no-keep-cr":
        with pytest.raises(AssertionError, match="patch does not apply"):
            repos.git(root, *who, "am", option, *map(str, files))
        return
    repos.git(root, *who, "am", option, *map(str, files))
    for commit in rendered.commits:
        for path in commit.files:
            last = [c.files[path] for c in rendered.commits if path in c.files][-1]
            assert (root / path).read_bytes() == last
