# SPDX-License-Identifier: GPL-2.0-only
"""Whom a series goes to, with the get_maintainer.pl of a real tree."""

from pathlib import Path

import pytest

from dmabuf_patchgen.debian.sources import Row
from dmabuf_patchgen.errors import MissingTool, UserError
from dmabuf_patchgen.post.recipients import Recipients, recipients
from dmabuf_patchgen.render import catalogue
from dmabuf_patchgen.render.environment import Environment
from dmabuf_patchgen.tree.source import DirectoryTree, GitTree, Overlay, open_tree
from tests import calls
from tests.conftest import CHECKOUT, SmallRepo
from tests.repos import Kind

SCRIPT = "scripts/get_maintainer.pl"
PFNMAP = [path.read_bytes() for path in sorted(CHECKOUT.glob("patches/dma-buf-pfnmap/*.patch"))]
MAP_INFO = [path.read_bytes() for path in sorted(CHECKOUT.glob("patches/dma-buf-map-info/*.patch"))]

MAINTAINERS = b"""\
Maintainers List
----------------

DMA BUFFER SHARING FRAMEWORK
M:\tAda One <ada@example.org>
R:\tB. Two, Jr. <Two@Example.org>
L:\tdma@lists.example.org (moderated for non-subscribers)
S:\tMaintained
F:\tdrivers/dma-buf
F:\tinclude/linux/dma-buf.h

KERNEL SELFTEST FRAMEWORK
M:\tAda One <ada@example.org>
M:\tChrist\xc3\xadan K\xc3\xb6nig <ck@example.org>
M:\tMoved <old@example.org>
L:\ttests@lists.example.org
L:\tDMA@lists.example.org
S:\tMaintained
F:\ttools/testing/selftests/
"""


@pytest.fixture
def tree(linux_612: Path) -> Overlay:
    """The reference tree with a MAINTAINERS of a few lines, which is quickly read."""
    mailmap = b"Moved <new@example.org> <old@example.org>\n"
    return Overlay(DirectoryTree(linux_612), {"MAINTAINERS": MAINTAINERS, ".mailmap": mailmap})


def ask(
    tree: Overlay,
    mails: list[bytes] | None = None,
    lists: tuple[str, ...] = (),
    to: tuple[str, ...] = (),
    cc: tuple[str, ...] = (),
    excluded: tuple[str, ...] = (),
) -> Recipients:
    return recipients(tree, PFNMAP if mails is None else mails, lists, to, cc, excluded)


def test_of_the_reference_tree(linux_612: Path) -> None:
    lists = catalogue.load(Environment(), "dma-buf-pfnmap").lists
    found = recipients(DirectoryTree(linux_612), PFNMAP + MAP_INFO, lists, (), (), ())
    assert {
        "Sumit Semwal <sumit.semwal@linaro.org>",
        "Christian König <christian.koenig@amd.com>",
        '"T.J. Mercier" <tjmercier@google.com>',
        "Gerd Hoffmann <kraxel@redhat.com>",
        "Shuah Khan <shuah@kernel.org>",
    } <= {*found.to}
    assert {*lists, "linux-kselftest@vger.kernel.org", "linux-kernel@vger.kernel.org"} == {
        *found.cc
    }


def test_of_every_tree(row: Row) -> None:
    found = recipients(DirectoryTree(row.path), PFNMAP + MAP_INFO, (), (), (), ())
    assert "Sumit Semwal <sumit.semwal@linaro.org>" in found.to
    assert "linaro-mm-sig@lists.linaro.org" in found.cc
    assert not any("(" in one for one in found.to + found.cc)


@pytest.mark.parametrize("kind", [Kind.UNCHECKED, Kind.BARE])
def test_of_a_repository_without_a_checkout(
    small_repo: SmallRepo, linux_612: Path, kind: Kind
) -> None:
    found = open_tree(small_repo(kind=kind))
    assert isinstance(found, GitTree)
    assert recipients(found, PFNMAP, (), (), (), ()) == recipients(
        DirectoryTree(linux_612), PFNMAP, (), (), (), ()
    )


def test_people_and_lists(tree: Overlay) -> None:
    """As .mailmap has them, and with names written so that mail takes them."""
    assert ask(tree) == Recipients(
        to=(
            "Ada One <ada@example.org>",
            '"B. Two, Jr." <Two@Example.org>',
            "Christían König <ck@example.org>",
            "Moved <new@example.org>",
        ),
        cc=("dma@lists.example.org", "tests@lists.example.org"),
    )


def test_only_what_the_patches_touch(tree: Overlay) -> None:
    found = ask(tree, mails=PFNMAP[:1])
    assert [one.rpartition("<")[2] for one in found.to] == ["ada@example.org>", "Two@Example.org>"]
    assert "tests@lists.example.org" not in found.cc


def test_the_order_is_the_same_every_time(tree: Overlay) -> None:
    assert ask(tree) == ask(tree)


def test_every_address_is_there_once(tree: Overlay) -> None:
    """Whatever its case, and in To where it would be in both."""
    found = ask(
        tree,
        lists=("TESTS@lists.example.org", "mm@lists.example.org", "MM@lists.example.org"),
        to=("Someone Else <two@example.org>", "New <New@example.net>"),
        cc=("ADA@EXAMPLE.ORG", "new@EXAMPLE.net", "Last <last@example.net>"),
    )
    plain = ask(tree)
    assert found.to == (*plain.to, "New <New@example.net>")
    assert found.cc == (*plain.cc, "mm@lists.example.org", "Last <last@example.net>")


def test_several_in_one(tree: Overlay) -> None:
    """As a mail client has them in a line: none is lost, and one that is none is told."""
    found = ask(
        tree,
        to=('a@example.net, "Doe, Jane" <jane@example.net>',),
        cc=("c@example.net,d@example.net",),
        excluded=("x@example.net, d@example.net",),
    )
    assert found.to[-2:] == ("a@example.net", '"Doe, Jane" <jane@example.net>')
    assert found.cc[-1] == "c@example.net"
    with pytest.raises(UserError, match="is no mail address"):
        ask(tree, to=("a@example.net, Doe, Jane <jane@example.net>",))


def test_who_is_excluded_gets_nothing(tree: Overlay) -> None:
    found = ask(
        tree,
        lists=("mm@lists.example.org",),
        to=("gone@example.net",),
        cc=("Gone Too <gone2@example.net>",),
        excluded=(
            "ADA@example.org",
            "Whoever <ck@example.org>",
            "dma@lists.example.org",
            "mm@lists.example.org",
            "gone@example.net",
            "gone2@example.net",
        ),
    )
    assert [one.rpartition("<")[2] for one in found.to] == ["Two@Example.org>", "new@example.org>"]
    assert found.cc == ("tests@lists.example.org",)


def test_without_patches_nobody_is_asked_for(tree: Overlay) -> None:
    assert ask(tree, mails=[], lists=("a@example.net",)) == Recipients((), ("a@example.net",))


def test_the_users_own_configuration_changes_nothing(tree: Overlay, home: Path) -> None:
    plain = ask(tree)
    (home / ".get_maintainer.conf").write_text("--roles --scm --separator=;\n")
    assert ask(tree) == plain


@pytest.mark.parametrize(
    "text", ["", "Ada", "ada@", "@example.org", "a b@c d", "a@b\nBcc: c@d", "Ada <ada>"]
)
def test_what_is_no_address_is_refused(tree: Overlay, text: str) -> None:
    for name in ("to", "cc", "excluded", "lists"):
        with pytest.raises(UserError, match="is no mail address") as error:
            ask(tree, mails=[], **{name: (text,)})
        assert "\n" not in error.value.message


@pytest.mark.parametrize("path", ["MAINTAINERS", SCRIPT])
def test_a_tree_that_cannot_tell(tree: Overlay, path: str) -> None:
    with pytest.raises(UserError, match=f"no {path}, which tells whom") as error:
        ask(Overlay(tree, {path: None}))
    assert error.value.hint


def test_a_script_that_fails(tree: Overlay) -> None:
    broken = Overlay(tree, {SCRIPT: b'die "no such luck\\n";\n'})
    with pytest.raises(UserError, match=r"scripts/get_maintainer.pl failed: no such luck$"):
        ask(broken)


def test_no_perl(tree: Overlay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingTool) as missing:
        ask(tree)
    assert missing.value.tool == "perl" and "apt-get install perl" in missing.value.hint


def test_no_temporary_directory(tree: Overlay) -> None:
    gone = FileNotFoundError(2, "No such file or directory", "/gone")
    with (
        calls.failing("tempfile.mkdtemp", gone),
        pytest.raises(UserError, match="/gone: No such file or directory"),
    ):
        ask(tree)


def test_patches_cannot_name_a_place_outside(tree: Overlay, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    for path in (str(outside), f"../../../../../..{outside}"):
        mail = PFNMAP[0].replace(b" b/drivers/dma-buf/dma-buf.c\n", f" b/{path}/x.c\n".encode())
        assert mail != PFNMAP[0]
        ask(tree, mails=[mail])
    assert not outside.exists()


def test_a_name_that_is_not_utf8_is_refused_and_not_changed(linux_612: Path) -> None:
    latin = MAINTAINERS.replace(b"Christ\xc3\xadan K\xc3\xb6nig", b"Christian K\xf6nig")
    tree = Overlay(DirectoryTree(linux_612), {"MAINTAINERS": latin, ".mailmap": b""})
    with pytest.raises(UserError) as error:
        ask(tree)
    assert error.value.message == (
        r"the name of ck@example.org is not UTF-8: "
        r"MAINTAINERS:14: M: Christian K\xf6nig <ck@example.org>"
    )
    # Whoever gets nothing is not named.
    assert "ck@example.org" not in str(ask(tree, excluded=("ck@example.org",)))
    # Nor is one from an argument.
    with pytest.raises(UserError, match=r"the name of a@example\.org is not UTF-8: Andr\\xe9"):
        ask(tree, excluded=("ck@example.org",), cc=("Andr\udce9 <a@example.org>",))
