# SPDX-License-Identifier: GPL-2.0-only
"""Debian's packages as kernel trees, on a mirror made of files."""

import itertools
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dmabuf_patchgen import xdg
from dmabuf_patchgen.debian import apt, sources
from dmabuf_patchgen.debian.apt import Source
from dmabuf_patchgen.errors import MissingTool, UserError
from tests import mounts
from tests.conftest import CHECKOUT
from tests.mirror import Mirror

pytestmark = pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs Debian's apt")

KEYRING = (("Signed-By", "/usr/share/keyrings/debian-archive-keyring.gpg"),)


def store() -> Path:
    return xdg.cache() / "linux-source"


def kept() -> list[str]:
    return sorted(entry.name for entry in store().iterdir())


def forget_offers() -> None:
    """Let what apt said be of two days ago."""
    offers = xdg.cache() / "apt" / "offers.json"
    before = time.time() - 2 * sources.FRESH
    os.utime(offers, (before, before))


def test_fetch(mirror: Mirror, capsys: pytest.CaptureFixture[str]) -> None:
    mirror.add("9.1", "9.1.2-1")
    mirror.add("9.1", "9.1.10-1~deb12u1")
    mirror.add("9.1", "9.1.10~rc1-1")
    tree = sources.fetch("9.1")
    assert tree == store() / "9.1.10-1~deb12u1"
    assert (tree / "Makefile").read_text() == "# 9.1.10-1~deb12u1\n"
    assert os.access(tree / "run.sh", os.X_OK)
    assert kept() == [".lock", "9.1.10-1~deb12u1"], "no .deb, no scratch directory"
    said = capsys.readouterr()
    assert "downloading linux-source-9.1 9.1.10-1~deb12u1" in said.err
    assert not said.out


def test_a_tree_is_fetched_once_a_day(mirror: Mirror, capsys: pytest.CaptureFixture[str]) -> None:
    mirror.add("9.1", "9.1.1-1")
    tree = sources.fetch("9.1")
    mirror.add("9.1", "9.1.2-1")
    capsys.readouterr()
    assert sources.fetch("9.1") == tree
    assert not capsys.readouterr().err
    forget_offers()
    assert sources.fetch("9.1").name == "9.1.2-1"


def test_the_oldest_state_of_a_series_stands_beside_the_newest(mirror: Mirror) -> None:
    for version in ("9.1.10-1", "9.1.2-1", "9.1.2~rc1-1"):
        mirror.add("9.1", version)
    newest, old = sources.fetch("9.1"), sources.oldest("9.1")
    assert (newest.name, old.name) == ("9.1.10-1", "9.1.2~rc1-1")
    assert (old / "Makefile").read_text() == "# 9.1.2~rc1-1\n"
    assert sources.fetch("9.1") == newest
    shutil.rmtree(mirror.root)
    assert sources.oldest("9.1") == old


def test_the_oldest_is_the_newest_where_there_is_one(mirror: Mirror) -> None:
    mirror.add("9.1", "9.1.1-1")
    assert sources.oldest("9.1") == sources.fetch("9.1")
    with pytest.raises(UserError, match=r"no linux-source-9\.2 is offered"):
        sources.oldest("9.2")


def test_the_oldest_state_was_taken_away_since_apt_was_asked(
    mirror: Mirror, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror.add("9.1", "9.1.1-1").unlink()
    mirror.add("9.1", "9.1.3-1")
    sources.fetch("9.1")
    mirror.packages.pop(0)
    mirror.add("9.1", "9.1.2-1")
    assert sources.oldest("9.1").name == "9.1.2-1"
    assert "asking apt again" in capsys.readouterr().err


def test_the_oldest_state_cannot_be_had(mirror: Mirror) -> None:
    mirror.add("9.1", "9.1.1-1").unlink()
    mirror.add("9.1", "9.1.2-1")
    sources.fetch("9.1")
    with pytest.raises(UserError, match="apt-get failed"):
        sources.oldest("9.1")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'{"9.1": 1}', b'{"x": "9.1.1-1"}'])
def test_damaged_offers_are_asked_for_anew(mirror: Mirror, body: bytes) -> None:
    mirror.add("9.1", "9.1.1-1")
    tree = sources.fetch("9.1")
    (xdg.cache() / "apt" / "offers.json").write_bytes(body)
    assert sources.fetch("9.1") == tree


def test_a_tree_is_used_when_no_mirror_answers(
    mirror: Mirror, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror.add("9.1", "9.1.1-1")
    tree = sources.fetch("9.1")
    shutil.rmtree(mirror.root)
    forget_offers()
    assert sources.fetch("9.1") == tree
    assert "using the trees that are here already" in capsys.readouterr().err


def test_no_mirror_answers(mirror: Mirror) -> None:
    with pytest.raises(UserError, match="apt reaches no Debian mirror: ") as error:
        sources.fetch("9.1")
    assert error.value.hint


def test_a_series_that_is_not_offered(mirror: Mirror) -> None:
    mirror.add("9.1", "9.1.1-1")
    with pytest.raises(UserError, match=r"no linux-source-4\.19 is offered") as error:
        sources.fetch("4.19")
    assert "offered: 9.1;" in error.value.hint


def test_a_package_replaced_since_apt_was_asked(mirror: Mirror) -> None:
    mirror.add("9.1", "9.1.1-1")
    mirror.add("9.2", "9.2.1-1").unlink()
    sources.fetch("9.1")
    mirror.packages.pop()
    mirror.add("9.2", "9.2.2-1")
    assert sources.fetch("9.2").name == "9.2.2-1"


def test_lists_that_were_removed_are_read_again(mirror: Mirror) -> None:
    mirror.add("9.1", "9.1.1-1")
    mirror.add("9.2", "9.2.1-1")
    sources.fetch("9.1")
    shutil.rmtree(xdg.cache() / "apt" / "lists")
    assert sources.fetch("9.2").name == "9.2.1-1"


def test_a_damaged_package_is_refused(mirror: Mirror) -> None:
    deb = mirror.add("9.1", "9.1.1-1")
    deb.write_bytes(deb.read_bytes()[:-1] + b"?")
    with pytest.raises(UserError, match="apt-get failed: "):
        sources.fetch("9.1")
    assert kept() == [".lock"]


def test_a_package_without_a_kernel_leaves_nothing(mirror: Mirror) -> None:
    deb = mirror.add("9.1", "9.1.1-1", top="other-source")
    with pytest.raises(UserError, match=r"holds no usr/src/linux-source-9\.1\.tar\.xz"):
        sources.unpack(deb, "9.1", "9.1.1-1")
    assert kept() == []


def test_a_truncated_package_leaves_nothing(mirror: Mirror) -> None:
    deb = mirror.add("9.1", "9.1.1-1")
    deb.write_bytes(deb.read_bytes()[:-200])
    with pytest.raises(UserError, match=r"unpacking .* failed: dpkg-deb"):
        sources.unpack(deb, "9.1", "9.1.1-1")
    assert kept() == []


def test_what_a_killed_run_left_is_removed(mirror: Mirror) -> None:
    mirror.add("9.1", "9.1.1-1")
    left = store() / ".unpacking-killed" / "tree"
    left.mkdir(parents=True)
    (left / "Makefile").touch()
    sources.fetch("9.1")
    assert kept() == [".lock", "9.1.1-1"]


def test_two_processes_fetch_a_tree_once(mirror: Mirror) -> None:
    mirror.add("9.1", "9.1.1-1")
    argv = [sys.executable, "-m", "dmabuf_patchgen.debian.sources", "9.1"]
    both = [
        subprocess.Popen(
            argv, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    said = [child.communicate(timeout=120) for child in both]
    assert [out for out, _ in said] == [f"{store() / '9.1.1-1'}\n"] * 2, said
    assert "".join(err for _, err in said).count("downloading") == 1


def test_the_users_apt_is_left_alone(mirror: Mirror, tmp_path: Path) -> None:
    """Neither its lists nor the hooks that it is configured with."""
    conf = tmp_path / "machine" / "apt.conf"
    with conf.open("a") as config:
        for hook in ("Pre-Invoke", "Post-Invoke", "Post-Invoke-Success"):
            config.write(f'APT::Update::{hook} {{ "touch {tmp_path}/{hook}"; }};\n')
        config.write(f'Dir::State::lists "{tmp_path}/lists";\nDir::Cache "{tmp_path}/cache";\n')
    mirror.add("9.1", "9.1.1-1")
    sources.fetch("9.1")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["machine", "mirror"]


def test_apt_without_a_debian_mirror(mirror: Mirror, tmp_path: Path) -> None:
    (tmp_path / "machine" / "debian.list").write_text("deb http://example.org/x noble main\n")
    with pytest.raises(UserError, match="no Debian mirror") as error:
        sources.fetch("9.1")
    assert "KDIR=" in error.value.hint


def test_no_apt(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(MissingTool, match="apt-get is not installed") as error:
        sources.fetch("9.1")
    assert "KDIR=" in error.value.hint


@pytest.mark.parametrize("series", ["6", "6.12.5", "v6.12", "../x", ""])
def test_no_series(mirror: Mirror, series: str) -> None:
    with pytest.raises(UserError, match="no kernel series"):
        sources.fetch(series)


def test_no_room(mirror: Mirror, home: Path) -> None:
    mirror.add("9.1", "9.1.1-1")
    with pytest.raises(UserError, match="no linux-source"):
        sources.fetch("9.2")
    # What is offered is known now, so that apt need not be asked in there.
    store = home / "cache/dmabuf-patchgen/linux-source"
    module = ("-m", "dmabuf_patchgen.debian.sources", "9.1")
    done = mounts.python(store, "size=1g", *module)
    assert (done.returncode, done.stdout) == (1, "")
    said = f"{store}: 1.1 GB free, and linux-source-9.1 needs 2.5 GB; make room there, or let"
    assert said in done.stderr and "XDG_CACHE_HOME" in done.stderr


def test_matrix(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    for series in ("5.10", "6.1", "6.12", "7.2", "7.3"):
        mirror.add(series, f"{series}.1-1")
    found = sources.matrix()
    assert [row.series for row in found.rows] == ["5.10", "6.1", "6.12", "7.2", "7.3"]
    assert found.remarks == ()
    assert all((row.path / "Makefile").is_file() for row in found.rows)


def test_three_trees_are_no_matrix(mirror: Mirror) -> None:
    for series in ("5.10", "6.1", "6.12"):
        mirror.add(series, f"{series}.1-1")
    with pytest.raises(UserError, match="only 3 kernel series to be had"):
        sources.matrix()


@pytest.mark.parametrize(
    ("known", "chosen", "remarks"),
    [
        ("5.10 6.1 6.12 7.2 7.3", "5.10 6.1 6.12 7.2 7.3", ()),
        ("5.10 6.1 6.12 7.2 7.3 7.10", "5.10 6.1 6.12 7.3 7.10", ()),
        (
            "6.1 6.12 6.18 7.2 7.3",
            "6.1 6.12 6.18 7.2 7.3",
            ("5.10 is not offered any more: 6.18 takes its place",),
        ),
        (
            "6.1 6.12 7.1 7.2 7.3",
            "6.1 6.12 7.1 7.2 7.3",
            ("5.10 is not offered any more: 7.1 takes its place",),
        ),
        (
            "5.10 6.1 6.12 6.19 7.2",
            "5.10 6.1 6.12 6.19 7.2",
            ("a series from 7.0 on is not offered any more: 6.19 takes its place",),
        ),
        (
            "5.10 6.1 7.2 7.3",
            "5.10 6.1 7.2 7.3",
            ("6.12 is not offered any more, and there is nothing in its place",),
        ),
    ],
)
def test_choose(known: str, chosen: str, remarks: tuple[str, ...]) -> None:
    found, said = sources.choose(known.split())
    assert " ".join(found) == chosen
    assert said == remarks


def test_cache_follows_xdg(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/there")
    assert xdg.cache() == Path("/there/dmabuf-patchgen")
    for ignored in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", ignored)
        assert xdg.cache() == home / ".cache" / "dmabuf-patchgen"


def test_sources_in_deb822() -> None:
    text = """\
# the archive
Types: deb deb-src
# a comment in between
URIs: http://mirror.example/debian http://other.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
signed-by:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEY

Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
Enabled: no

Types: deb-src
URIs: http://source.example/debian
Suites: bookworm
Components: main
"""
    key = (("Signed-By", "\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mDMEY"),)
    suites = ("bookworm", "bookworm-updates")
    assert list(apt.parse_sources(text)) == [
        Source("http://mirror.example/debian", suites, ("main", "contrib"), key),
        Source("http://other.example/debian", suites, ("main", "contrib"), key),
    ]


def test_sources_of_one_line() -> None:
    text = """\
# deb http://comment.example/debian bookworm main
deb http://mirror.example/debian bookworm main non-free # because
  deb [ arch=amd64 signed-by=/k.gpg ] http://signed.example/debian trixie main
deb-src http://mirror.example/debian bookworm main
deb http://flat.example/ ./
deb cdrom:[Debian GNU/Linux 12 _Bookworm_ - Official]/ bookworm main
"""
    found = list(apt.parse_list(text))
    assert found[:3] == [
        Source("http://mirror.example/debian", ("bookworm",), ("main", "non-free")),
        Source("http://signed.example/debian", ("trixie",), ("main",), (("Signed-By", "/k.gpg"),)),
        Source("http://flat.example/", ("./",), ()),
    ]
    mirrors = apt.debian_mirrors(found)
    assert [mirror.uri.split("/")[2] for mirror in mirrors] == ["mirror.example", "signed.example"]


def test_mirrors_are_asked_for_suites_of_their_kind() -> None:
    main, security, other = (
        Source(
            "http://mirror.example/debian/", ("bookworm", "bookworm-updates"), ("main",), KEYRING
        ),
        Source("http://mirror.example/security", ("bookworm-security",), ("main",), KEYRING),
        Source("http://vendor.example/", ("nodistro",), ("main",)),
    )
    again = Source("http://mirror.example/debian", ("bookworm-backports",), ("main",))
    found = apt.debian_mirrors([main, security, other, again])
    assert [mirror.uri for mirror in found] == [main.uri, security.uri]
    assert found[0].suites[:2] == ("bookworm", "bookworm-updates")
    assert {"bullseye", "bookworm-backports", "trixie-backports", "sid"} <= {*found[0].suites}
    assert {"bullseye-security", "trixie-security"} <= {*found[1].suites}
    assert not any(suite.endswith("-security") for suite in found[0].suites)
    assert len(found[0].suites) == len({*found[0].suites})
    assert [mirror.options for mirror in found] == [KEYRING, KEYRING]


def test_rendered_sources_read_back() -> None:
    key = (("Signed-By", "\n -----BEGIN\n .\n mDMEY"), ("Trusted", "yes"))
    given = [
        Source("http://mirror.example/debian", ("bookworm", "sid"), ("main",), key),
        Source("http://mirror.example/security", ("bookworm-security",), ("main",)),
    ]
    text = apt.render_sources(given, "arm64")
    assert list(apt.parse_sources(text)) == given
    assert text.count("Architectures: arm64\n") == 2


def test_madison() -> None:
    text = """\
linux-source-6.12 | 6.12.117-1~deb12u1 | http://mirror.example/debian bookworm/main amd64 Packages
linux-source-6.12 | 6.12.94-1 | http://mirror.example/debian trixie/main amd64 Packages
linux-source-6.1 |  6.1.192-2 | http://mirror.example/debian bookworm/main amd64 Packages
linux-source-6.1 |  6.1.999-1 | http://mirror.example/debian bookworm/main Sources
"""
    assert apt.parse_madison(text) == {
        "linux-source-6.12": ["6.12.117-1~deb12u1", "6.12.94-1"],
        "linux-source-6.1": ["6.1.192-2"],
    }


def test_versions_are_ordered_as_debian_does() -> None:
    order = ["6.12~rc7-1~exp1", "6.12.9-1", "6.12.38-1~bpo12+1", "6.12.38-1~deb12u1", "6.12.38-1"]
    assert apt.newest(order) == "6.12.38-1"
    assert all(apt.newer(later, earlier) for earlier, later in itertools.pairwise(order))
    assert not apt.newer("6.12.38-1", "6.12.38-1")
