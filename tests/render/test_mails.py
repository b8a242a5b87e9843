# SPDX-License-Identifier: GPL-2.0-only
"""Patches: the same bytes on every machine, and what git am and patch make of them."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from pathlib import Path

import pytest

from dmabuf_patchgen.render.commit import Commit
from dmabuf_patchgen.render.mails import Mail, mails
from dmabuf_patchgen.render.scratch import Identity
from dmabuf_patchgen.tree.source import DirectoryTree
from tests import tiny
from tests.conftest import Cli, SmallRepo
from tests.render.test_branch import hostile
from tests.repos import Kind, git
from tests.tiny import Toy

AUTHOR = Identity("A. Developer", "developer@example.org")
WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BRANCH = "b4/toy"


@pytest.fixture
def toy(cli: Cli, tmp_path: Path) -> Toy:
    return tiny.toy(cli, tmp_path / "toy")


def render(
    toy: Toy, tree: Path, out: Path, *args: str, env: dict[str, str] | None = None
) -> dict[str, bytes]:
    """All that the command writes to a directory, by name."""
    done = toy("-C", tree, "render", "toy", "-o", out, *args, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    return {path.name: path.read_bytes() for path in out.iterdir()}


def made(root: Path, *commits: Commit, author: Identity = AUTHOR) -> Sequence[Mail]:
    return mails(DirectoryTree(tiny.tree(root / "linux")), commits, author, WHEN)


def test_a_mail(tmp_path: Path) -> None:
    commit = Commit("dma-buf: do it\n\nBecause.\n", {"Makefile": b"VERSION = 7\n"})
    (mail,) = made(tmp_path, commit)
    assert mail.name == "0001-dma-buf-do-it.patch"
    body = tiny.FILES["Makefile"].decode()
    removed = "".join(f"-{line}\n" for line in body.splitlines())
    text = re.sub(r"^index .*$", "index", mail.content.decode(), flags=re.M)
    assert text == (
        "From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\n"
        'From: "A. Developer" <developer@example.org>\n'
        "Date: Fri, 2 Jan 2026 03:04:05 +0000\n"
        "Subject: [PATCH 1/1] dma-buf: do it\n\nBecause.\n---\n"
        " Makefile | 6 +-----\n 1 file changed, 1 insertion(+), 5 deletions(-)\n\n"
        "diff --git a/Makefile b/Makefile\nindex\n--- a/Makefile\n+++ b/Makefile\n"
        f"@@ -1,5 +1 @@\n{removed}+VERSION = 7\n"
    )


def test_numbered_and_in_order(tmp_path: Path) -> None:
    commits = [Commit(f"change {n}\n", {"Makefile": b"%d\n" % n}) for n in range(12)]
    found = made(tmp_path, *commits)
    assert [mail.name[:4] for mail in found] == [f"{n:04}" for n in range(1, 13)]
    assert b"Subject: [PATCH 01/12] change 0\n" in found[0].content
    assert b"Subject: [PATCH 12/12] change 11\n" in found[11].content


def test_no_commit_is_no_mail(tmp_path: Path) -> None:
    assert made(tmp_path) == ()


def test_blob_ids_are_whole_and_those_of_git(tmp_path: Path) -> None:
    (mail,) = made(tmp_path, Commit("x\n", {"Makefile": b"new\n"}))
    said = re.search(rb"^index ([0-9a-f]{40})\.\.([0-9a-f]{40}) 100644$", mail.content, re.M)
    assert said
    git(tmp_path, "init", "-q")
    for oid, body in zip(said.groups(), (tiny.FILES["Makefile"], b"new\n"), strict=True):
        assert git(tmp_path, "hash-object", "--stdin", stdin=body).strip() == oid.decode()


def test_files_made_and_deleted_and_modes(tmp_path: Path) -> None:
    root = tiny.tree(tmp_path / "linux")
    (root / "Kbuild").chmod(0o755)
    commit = Commit("x\n", {"new/a.c": b"int a;\n", "Kconfig": None, "Kbuild": b"y\n"})
    (mail,) = mails(DirectoryTree(root), [commit], AUTHOR, WHEN)
    assert b"\nnew file mode 100644\n" in mail.content
    assert b"\ndeleted file mode 100644\n" in mail.content
    assert re.search(rb"\nindex [0-9a-f]{40}\.\.[0-9a-f]{40} 100755\n", mail.content)


def test_hunk_headers_name_the_function(tmp_path: Path) -> None:
    path = "drivers/dma-buf/dma-buf.c"
    body = tiny.FILES[path].replace(b"\t\treturn -EINVAL;", b"\t\treturn -ENXIO;")
    (mail,) = made(tmp_path, Commit("x\n", {path: body}))
    assert re.search(rb"^@@ .* @@ static int dma_buf_mmap_internal\(", mail.content, re.M)


def test_bytes_and_names_that_are_not_ascii(tmp_path: Path) -> None:
    path = "drivers/dma-buf/dma-buf.c"
    commit = Commit(
        "dma-buf: Hellstr\u00f6m's way\n\nSays Hellstr\u00f6m.\n",
        {path: tiny.FILES[path].replace(b"Andr\xe9", b"Andr\xc3\xa9")},
    )
    (mail,) = made(tmp_path, commit, author=Identity("J\u00f6rg \u0141", "j@example.org"))
    assert (
        b"-- \n" not in mail.content
        and b"\n- * Framework for buffer sharing, by Andr\xe9\n" in mail.content
    )
    assert b"\n+ * Framework for buffer sharing, by Andr\xc3\xa9\n" in mail.content
    read = message_from_bytes(mail.content, policy=policy.compat32)
    assert str(make_header(decode_header(read["Subject"]))).endswith(
        "dma-buf: Hellstr\u00f6m's way"
    )
    assert str(make_header(decode_header(read["From"]))) == "J\u00f6rg \u0141 <j@example.org>"
    repo = tiny.repo(tmp_path, name="repo")
    applied(repo, [mail])
    assert git(repo, "log", "-1", "--format=%an|%s|%b") == (
        "J\u00f6rg \u0141|dma-buf: Hellstr\u00f6m's way|Says Hellstr\u00f6m.\n\n"
    )
    assert (repo / path).read_bytes() == commit.files[path]


@pytest.mark.parametrize("name", ["A <evil", "A\nX-Header: y", "A > B", "  A  "])
def test_a_name_stays_within_its_header(tmp_path: Path, name: str) -> None:
    (mail,) = made(tmp_path, Commit("x\n", {"Makefile": b"x\n"}), author=Identity(name, "a@b >\n"))
    read = message_from_bytes(mail.content)
    assert [*read.keys()] == ["From", "Date", "Subject"]
    assert read["From"].endswith("<a@b>")


def applied(repo: Path, patches: Sequence[Mail]) -> None:
    """Apply with git am, in a directory of the patches' own."""
    directory = repo.with_name(f"{repo.name}-patches")
    directory.mkdir()
    for mail in patches:
        (directory / mail.name).write_bytes(mail.content)
    files = sorted(map(str, directory.iterdir()))
    git(repo, "-c", "user.name=T", "-c", "user.email=t@example.org", "am", "-q", *files)


def test_git_am_gives_the_branch(toy: Toy, tmp_path: Path, identity: str) -> None:
    repo, out = tiny.repo(tmp_path), tmp_path / "out"
    render(toy, repo, out, "--branch", BRANCH)
    git(repo, "-c", "user.name=T", "-c", "user.email=t@example.org", "am", "-q",
        *sorted(map(str, out.glob("*.patch"))))  # fmt: skip
    for back in ("", "~1"):
        shown = [
            git(repo, "log", "-1", "--format=%T|%an <%ae>|%at|%B", f"{name}{back}")
            for name in ("HEAD", BRANCH)
        ]
        assert shown[0] == shown[1]


@pytest.mark.parametrize("kind", [Kind.ORDINARY, Kind.SHA256])
def test_patch_without_fuzz_gives_the_branch(
    toy: Toy, tmp_path: Path, identity: str, kind: Kind
) -> None:
    repo, out = tiny.repo(tmp_path, kind), tmp_path / "out"
    render(toy, repo, out, "--branch", BRANCH)
    plain = tiny.tree(tmp_path / "plain")
    for file in sorted(out.glob("*.patch")):
        said = subprocess.run(
            ["patch", "-p1", "-F0", "-s", "-i", str(file)],
            cwd=plain, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (said.returncode, said.stdout, said.stderr) == (0, "", "")
    for line in git(repo, "ls-tree", "-r", BRANCH).splitlines():
        oid, path = line.split()[2:]
        assert git(repo, "hash-object", "--no-filters", str(plain / path)).strip() == oid


def test_same_input_same_bytes(toy: Toy, tmp_path: Path, identity: str) -> None:
    """On two clones, from a directory, on another hash, and whatever configurations say."""
    one, two, bad = (tiny.repo(tmp_path, name=name) for name in ("one", "two", "bad"))
    first = render(toy, one, tmp_path / "1")
    assert sorted(first) == ["0001-dma-buf-check-the-flags.patch",
                             "0002-dma-buf-add-an-ioctl.patch", "series.json"]  # fmt: skip
    assert render(toy, one, tmp_path / "1") == first
    assert render(toy, two, tmp_path / "2") == first
    for kind in Kind:
        other = tiny.repo(tmp_path, kind, f"kind-{kind.value}")
        assert render(toy, other, tmp_path / f"3-{kind.value}") == first
    assert render(toy, tmp_path / "6.12.9-tiny", tmp_path / "4") == first
    (tmp_path / "hostile").mkdir()
    env = hostile(tmp_path / "hostile")
    assert render(toy, bad, tmp_path / "5", env=env) == first
    config = bad / ".git" / "config"
    config.write_text(config.read_text() + (tmp_path / "hostile" / "hostile").read_text())
    assert render(toy, bad, tmp_path / "6") == first
    assert not (tmp_path / "hostile" / "hooked").exists()


def test_another_input_other_bytes(toy: Toy, tmp_path: Path, identity: str) -> None:
    repo = tiny.repo(tmp_path)
    assert render(toy, repo, tmp_path / "1") != render(toy, repo, tmp_path / "2", "-p", "loud=yes")


def test_attributes_of_the_tree_do_not_matter(toy: Toy, tmp_path: Path, identity: str) -> None:
    """A kernel has a .gitattributes, and a user may have one beside it."""
    plain = tiny.tree(tmp_path / "plain")
    first = render(toy, plain, tmp_path / "1")
    repo = tiny.repo(tmp_path)
    (repo / ".git" / "info" / "attributes").write_text("* -diff -text\n*.c binary\n")
    assert render(toy, repo, tmp_path / "2") == first


def test_diff_shows_what_would_be_written(toy: Toy, tmp_path: Path, identity: str) -> None:
    repo = tiny.repo(tmp_path)
    before = tiny.snapshot(repo)
    shown = toy("-C", repo, "render", "toy", "--diff")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert tiny.snapshot(repo) == before
    files = render(toy, repo, tmp_path / "out")
    patches = b"".join(files[name] for name in sorted(files) if name.endswith(".patch"))
    assert shown.stdout == patches.decode(errors="replace")


@pytest.mark.parametrize("names", [("dma-buf-pfnmap",), ("dma-buf-pfnmap", "dma-buf-map-info")])
def test_the_series_on_the_tree_of_reference(
    cli: Cli, small_repo: SmallRepo, tmp_path: Path, identity: str, names: tuple[str, ...]
) -> None:
    repo, out = small_repo(), tmp_path / "out"
    done = cli("-C", repo, "render", *names, "--branch", "b4/x", "-o", out)
    assert (done.returncode, done.stderr) == (0, "")
    files = sorted(map(str, out.glob("*.patch")))
    plain = tmp_path / "plain"
    shutil.copytree(repo, plain, symlinks=True, ignore=shutil.ignore_patterns(".git"))
    git(repo, "-c", "user.name=T", "-c", "user.email=t@example.org", "am", "-q", *files)
    assert git(repo, "rev-parse", "HEAD^{tree}") == git(repo, "rev-parse", "b4/x^{tree}")
    for file in files:
        said = subprocess.run(
            ["patch", "-p1", "-F0", "-s", "-i", file],
            cwd=plain, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (said.returncode, said.stdout, said.stderr) == (0, "", "")
    changed = git(repo, "diff", "--name-only", "v6.12", "HEAD").split()
    assert len(changed) > 5
    for path in changed:
        assert (plain / path).read_bytes() == (repo / path).read_bytes()
