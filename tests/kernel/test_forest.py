# SPDX-License-Identifier: GPL-2.0-only
"""A forest differs from its source where it is told to, and never writes into it."""

from pathlib import Path

import pytest

from dmabuf_patchgen.kernel.forest import Forest


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small source with a header above another directory, and a link to a directory."""
    place = tmp_path / "source"
    files = ("Makefile", "a/x.c", "a/x.h", "a/deep/y.c", "b/z.c", "include/uapi/linux/u.h",
             "include/uapi/drm/d.h", "usr/include/Makefile", ".git/HEAD")  # fmt: skip
    for name in files:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(f"{name}\n")
    (place / "link").symlink_to("b")
    (place / "a/x.c").chmod(0o755)
    return place


def content(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()
    }


def test_a_file_differs_and_the_source_does_not(source: Path, tmp_path: Path) -> None:
    before = content(source)
    forest = Forest(tmp_path / "src", source, ["a/x.c", "new/n.c"])
    forest.apply({"a/x.c": b"changed\n", "new/n.c": b"new\n"})
    assert forest.read("a/x.c") == b"changed\n"
    assert (forest.root / "a/x.c").stat().st_mode & 0o111
    assert forest.read("b/z.c") == b"b/z.c\n"
    assert (forest.root / "b").is_symlink()
    assert not (forest.root / ".git").exists()
    forest.apply({"a/x.c": None})
    assert forest.read("a/x.c") is None
    assert content(source) == before


def test_a_file_behind_a_link_to_a_directory_is_not_written_through_it(
    source: Path, tmp_path: Path
) -> None:
    forest = Forest(tmp_path / "src", source, ["link/z.c"])
    forest.apply({"link/z.c": b"changed\n"})
    assert (source / "b/z.c").read_text() == "b/z.c\n"
    assert forest.read("link/z.c") == b"changed\n"


def test_below_a_touched_header_no_directory_leads_back(source: Path, tmp_path: Path) -> None:
    forest = Forest(tmp_path / "src", source, ["a/x.h"])
    forest.apply({"a/x.h": b"changed\n"})
    assert (forest.root / "a/deep/../x.h").read_bytes() == b"changed\n"


def test_uapi_headers_are_found_by_a_find_that_follows_no_links(
    source: Path, tmp_path: Path
) -> None:
    forest = Forest(tmp_path / "src", source, ["include/uapi/linux/u.h"])
    assert not (forest.root / "include/uapi/drm").is_symlink()


def test_what_does_not_change_keeps_its_time(source: Path, tmp_path: Path) -> None:
    forest = Forest(tmp_path / "src", source, ["a/x.c"])
    forest.apply({"a/x.c": b"a/x.c\n"})
    assert (forest.root / "a/x.c").is_symlink()
    forest.apply({"a/x.c": b"changed\n"})
    then = (forest.root / "a/x.c").stat().st_mtime_ns
    assert then > (source / "a/x.c").stat().st_mtime_ns
    forest.apply({"a/x.c": b"changed\n"})
    assert (forest.root / "a/x.c").stat().st_mtime_ns == then


def test_a_forest_is_laid_anew_whatever_was_there(source: Path, tmp_path: Path) -> None:
    Forest(tmp_path / "src", source, ["a/x.c"]).apply({"a/x.c": b"changed\n"})
    assert Forest(tmp_path / "src", source, ["b/z.c"]).read("a/x.c") == b"a/x.c\n"


def test_what_a_script_wants_to_see_stands_in_where_it_is_not(source: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in source.rglob("*")}
    forest = Forest(tmp_path / "src", source, ["a/x.c"])
    forest.stand_in(("Makefile", "COPYING"), ("a", "b", "Documentation"))
    assert forest.read("Makefile") == b"Makefile\n" and forest.read("COPYING") == b""
    assert (forest.root / "Documentation").is_dir() and (forest.root / "b").is_symlink()
    # And the source is as it was, links or not.
    assert {path: path.stat().st_mtime_ns for path in source.rglob("*")} == before
