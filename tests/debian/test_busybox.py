# SPDX-License-Identifier: GPL-2.0-only
"""A static busybox for a guest: this machine's, or Debian's for another architecture."""

import os
import platform
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from dmabuf_patchgen import xdg
from dmabuf_patchgen.debian.busybox import PACKAGE, busybox, is_static
from dmabuf_patchgen.errors import MissingTool, UserError
from dmabuf_patchgen.kernel import architecture, seal
from dmabuf_patchgen.kernel.architecture import Architecture
from tests import damage
from tests.conftest import CHECKOUT
from tests.mirror import Mirror

needs_apt = pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs Debian's apt")

#: elf(5): program headers that are loaded, and one that names a dynamic loader.
LOAD, INTERP = 1, 3


def program(*headers: int, order: str = "<") -> bytes:
    """A 64-bit ELF file of program headers of some types."""
    start = bytes([0x7F, *b"ELF", 2, 1 if order == "<" else 2]).ljust(32, b"\0")
    start += struct.pack(f"{order}QQIHHH", 64, 0, 0, 64, 56, len(headers)).ljust(32, b"\0")
    return start + b"".join(struct.pack(f"{order}I", kind).ljust(56, b"\0") for kind in headers)


@pytest.fixture
def foreign() -> Architecture:
    return next(one for one in architecture.here().known if not one.native)


@pytest.fixture
def place(foreign: Architecture, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a busybox is kept; the cache is the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    return xdg.cache() / "busybox" / foreign.name / "busybox"


@pytest.mark.parametrize("order", ["<", ">"])
def test_static(tmp_path: Path, order: str) -> None:
    file = tmp_path / "file"
    for content, expected in {
        program(LOAD, LOAD, order=order): True,
        program(LOAD, INTERP, order=order): False,
        program(LOAD, LOAD, order=order)[:-60]: False,
        b"#!/bin/sh\n": False,
        b"": False,
    }.items():
        file.write_bytes(content)
        assert is_static(file) is expected


def test_real_programs(tmp_path: Path) -> None:
    source = tmp_path / "a.c"
    source.write_text("int main(void) { return 0; }\n")
    for options, expected in {"-static": True, "-static-pie": True, "-pie": False}.items():
        built = tmp_path / "built"
        subprocess.run(["gcc", options, "-o", built, source], check=True)
        assert is_static(built) is expected


def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None) -> Path:
    """A machine with no busybox on its PATH but that."""
    path = tmp_path / "bin" / "busybox"
    path.parent.mkdir(exist_ok=True)
    if content is not None:
        path.write_bytes(content)
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(path.parent))
    return path


def test_that_of_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARCH", raising=False)
    path = own(tmp_path, monkeypatch, program(LOAD))
    assert busybox(architecture.here().chosen()) == path


@pytest.mark.parametrize("content", [None, program(LOAD, INTERP)])
def test_the_machine_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    monkeypatch.delenv("ARCH", raising=False)
    own(tmp_path, monkeypatch, content)
    with pytest.raises(MissingTool, match="a static busybox is not installed") as error:
        busybox(architecture.here().chosen())
    assert error.value.hint == "install it: apt-get install busybox-static"


@needs_apt
@pytest.mark.parametrize("path", ["bin/busybox", "usr/bin/busybox"])
def test_that_of_another_architecture(
    mirror: Mirror, foreign: Architecture, place: Path, path: str
) -> None:
    wanted = program(LOAD, LOAD)
    own_debian = next(one for one in architecture.here().known if one.native).debian
    mirror.pack(PACKAGE, "1:9-1", {path: b"another's"}, own_debian)
    mirror.pack(PACKAGE, "1:8-1", {path: b"old"}, foreign.debian)
    mirror.pack(PACKAGE, "1:9-1", {path: wanted}, foreign.debian)
    assert busybox(foreign) == place
    assert place.read_bytes() == wanted
    assert os.access(place, os.X_OK)
    assert {*place.parent.iterdir()} == {place, place.parent / seal.NAME}, "nothing else is left"
    # Once it is there, nobody is asked.
    shutil.rmtree(mirror.root)
    assert busybox(foreign) == place


@needs_apt
@pytest.mark.parametrize("what", damage.DAMAGES)
def test_one_that_was_damaged_is_fetched_anew(
    mirror: Mirror, foreign: Architecture, place: Path, what: str
) -> None:
    mirror.pack(PACKAGE, "1:9-1", {"bin/busybox": program(LOAD, LOAD)}, foreign.debian)
    busybox(foreign)
    for path in [*damage.files(place.parent)]:
        damage.DAMAGES[what](path)
        assert busybox(foreign).read_bytes() == program(LOAD, LOAD)


def test_one_that_its_user_put_there_is_theirs(foreign: Architecture, place: Path) -> None:
    place.parent.mkdir(parents=True)
    place.write_bytes(program(LOAD))
    assert busybox(foreign) == place
    place.write_bytes(program(LOAD, LOAD))
    assert busybox(foreign).read_bytes() == program(LOAD, LOAD)


@needs_apt
def test_the_machines_apt_is_left_alone(
    mirror: Mirror, foreign: Architecture, place: Path, tmp_path: Path
) -> None:
    mirror.pack(PACKAGE, "1:9-1", {"bin/busybox": program(LOAD)}, foreign.debian)
    busybox(foreign)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["machine", "mirror"]
    assert not (xdg.cache() / "apt").exists()


def refused(foreign: Architecture, place: Path, cause: str) -> None:
    with pytest.raises(UserError, match=f"no busybox for {foreign.name}: {cause}") as error:
        busybox(foreign)
    assert type(error.value) is UserError
    assert error.value.hint == f"or put a static one there: {place}"


@needs_apt
def test_it_is_not_offered(mirror: Mirror, foreign: Architecture, place: Path) -> None:
    mirror.publish()
    refused(foreign, place, "apt-get failed: Unable to locate package busybox-static")
    assert [*place.parent.iterdir()] == []


@needs_apt
def test_no_mirror_answers(mirror: Mirror, foreign: Architecture, place: Path) -> None:
    refused(foreign, place, "apt reaches no Debian mirror")
    assert [*place.parent.iterdir()] == []


@needs_apt
def test_a_damaged_package(mirror: Mirror, foreign: Architecture, place: Path) -> None:
    deb = mirror.pack(PACKAGE, "1:9-1", {"bin/busybox": program(LOAD)}, foreign.debian)
    deb.write_bytes(deb.read_bytes()[:-1] + b"?")
    refused(foreign, place, "apt-get failed")
    assert [*place.parent.iterdir()] == []


@needs_apt
def test_a_package_without_it(mirror: Mirror, foreign: Architecture, place: Path) -> None:
    mirror.pack(PACKAGE, "1:9-1", {"usr/share/doc/busybox": b""}, foreign.debian)
    refused(foreign, place, r"busybox-static_.*\.deb holds no busybox")
    assert [*place.parent.iterdir()] == []


def test_no_apt(foreign: Architecture, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    refused(foreign, place, "apt-get is not installed")


def test_one_that_the_user_put_there(foreign: Architecture, place: Path) -> None:
    place.parent.mkdir(parents=True)
    place.write_bytes(program(LOAD))
    assert busybox(foreign) == place
    place.write_bytes(program(LOAD, INTERP))
    refused(foreign, place, f"{place} is no static program")


def test_a_cache_that_cannot_be_written(foreign: Architecture, place: Path) -> None:
    place.parent.parent.parent.mkdir(parents=True)
    place.parent.parent.write_text("")
    refused(foreign, place, r"\[Errno \d+\]")


@pytest.mark.trees
@pytest.mark.parametrize("name", [one.name for one in architecture.here().known])
def test_the_real_one(name: str) -> None:
    """Fetched by `make test-trees` before the tests leave the network."""
    done = subprocess.run(
        [sys.executable, "-m", "dmabuf_patchgen.debian.sources", "--busybox", name],
        cwd=CHECKOUT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    said = subprocess.run(
        ["readelf", "-h", done.stdout.strip()], capture_output=True, text=True, check=True,
        env={**os.environ, "LC_ALL": "C"},
    ).stdout  # fmt: skip
    machines = {"x86_64": "X86-64", "arm64": "AArch64"}
    assert machines[name] in said
    if name == platform.machine():
        subprocess.run([done.stdout.strip(), "true"], check=True)
