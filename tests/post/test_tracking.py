# SPDX-License-Identifier: GPL-2.0-only
"""What is kept of a branch is read back as it was written; what is not ours is refused."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.post import tracking
from dmabuf_patchgen.post.tracking import Record, Tracking
from tests import tiny
from tests.repos import Kind, git

BRANCH = "b4/toy"
RECORD = Record(
    series=("toy", "more"),
    parameters={"toy": {"loud": True, "nr": 3, "level": "far"}},
    revised={"toy": "2026-01-02"},
    base="b" * 40,
    tip="a" * 40,
    strategy="branch-description",
    revision=2,
    changes=("Changes in v2:\n- changed: toy: Andr\u00e9 \U0001f427\n- Link to v1: x",),
    rendering="d" * 40,
    replaces="c" * 40,
    replaced=("b" * 40, "e" * 40),
    signed=True,
    cover="dma-buf: toy\n\nA body.",
)


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return tiny.repo(tmp_path, Kind.UNCHECKED)


def written(repo: Path, record: Record = RECORD) -> Tracking:
    """Tracking of a branch that is now configured."""
    track = Tracking.new("toy", "v6.12")
    for key, value in tracking.configuration(BRANCH, track, record, "dma-buf: toy\n", None).items():
        git(repo, "config", key, value)
    return track


def refused(repo: Path) -> str:
    with pytest.raises(UserError) as error:
        tracking.load(repo, BRANCH)
    assert "\n" not in error.value.message
    assert error.value.hint == "choose another --slug"
    return error.value.message


def test_what_is_written_is_read(repo: Path) -> None:
    track = written(repo)
    assert tracking.load(repo, BRANCH) == (track, RECORD)


def test_a_record_from_before_a_rendering_was_kept(repo: Path) -> None:
    """What was on the branch was the rendering then."""
    track = written(repo)
    held = json.loads(git(repo, "config", f"branch.{BRANCH}.dmabuf-patchgen"))
    for name in ("rendering", "replaced"):
        del held[name]
    git(repo, "config", f"branch.{BRANCH}.dmabuf-patchgen", json.dumps(held))
    assert tracking.load(repo, BRANCH) == (
        track, replace(RECORD, rendering=RECORD.tip, replaced=None),
    )  # fmt: skip


def test_what_b4_adds_is_kept(repo: Path) -> None:
    track = written(repo)
    held = json.loads(track.as_json())
    held["series"] |= {"history": {"v1": ["1@x", "2@x"], "v2": []}, "odd": ["kept"], "revision": 2}
    git(repo, "config", f"branch.{BRANCH}.b4-tracking", json.dumps(held))
    read, _ = tracking.load(repo, BRANCH)
    assert read.revision == 2
    assert read.sent == {1: "2@x"}
    assert read.at(3).series == {**held["series"], "revision": 3}


def test_a_tracking_in_a_commit(repo: Path) -> None:
    """Below the patches, with whatever the cover says before it."""
    track = Tracking.new("toy", "v6.12")
    base = git(repo, "rev-parse", "master").strip()
    message = f"dma-buf: toy\n\nA {{ and a }}.\n\n{tracking.MAGIC}{track.as_json()}\n"
    tree = git(repo, "rev-parse", "master^{tree}").strip()
    who = ("-c", "user.name=T", "-c", "user.email=t@example.org", "commit-tree", tree)
    cover = git(repo, *who, "-p", base, "-F", "-", stdin=message.encode()).strip()
    tip = git(repo, *who, "-p", cover, "-m", "toy: one").strip()
    git(repo, "update-ref", f"refs/heads/{BRANCH}", tip)
    record = Record(("toy",), {}, {}, base, tip, "commit", rendering=tip)
    keys = tracking.configuration(BRANCH, track, record, "", None)
    assert {key.rsplit(".", 1)[1] for key in keys} == {"b4-prep-cover-strategy", "dmabuf-patchgen"}
    for key, value in keys.items():
        git(repo, "config", key, value)
    assert tracking.load(repo, BRANCH) == (track, record)


def test_a_branch_that_prep_did_not_make(repo: Path) -> None:
    git(repo, "config", f"branch.{BRANCH}.b4-tracking", Tracking.new("toy", "x").as_json())
    assert refused(repo) == f"branch {BRANCH} exists in {repo} and was not made by prep"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dmabuf-patchgen", "no JSON"),
        ("dmabuf-patchgen", "[]"),
        ("dmabuf-patchgen", '{"series": []}'),
        ("dmabuf-patchgen", '{"series": ["toy"], "changes": [], "later": 1}'),
        ("b4-tracking", "no JSON"),
        ("b4-tracking", "{}"),
        ("b4-tracking", '"text"'),
        ("b4-tracking", '{"series": 1}'),
        ("b4-tracking", '{"series": {}}'),
        ("b4-tracking", '{"series": {"revision": "two"}}'),
    ],
)
def test_what_cannot_be_read(repo: Path, key: str, value: str) -> None:
    written(repo)
    git(repo, "config", f"branch.{BRANCH}.{key}", value)
    assert refused(repo).startswith(f"branch {BRANCH}: its tracking cannot be read: ")


def test_the_change_id_is_the_series_own() -> None:
    one, two = (Tracking.new("my-toy", "v6.12").series["change-id"] for _ in range(2))
    assert re.fullmatch(r"\d{8}-my-toy-[0-9a-f]{12}", one)
    assert one != two


@pytest.mark.parametrize("slug", ["a", "my-pfnmap", "6-12", "a--b"])
def test_slugs(slug: str) -> None:
    tracking.check_slug(slug)


@pytest.mark.parametrize(
    "slug", ["", "-a", "A", "a b", "a/b", "a_b", "\u00e4", "a\n", "a.b", "b4/a"]
)
def test_no_slugs(slug: str) -> None:
    with pytest.raises(UserError, match="not a name of small letters, digits and dashes"):
        tracking.check_slug(slug)


@pytest.mark.parametrize(
    ("series", "slug"),
    [
        (("dma-buf-pfnmap",), "dma-buf-pfnmap"),
        (("dma-buf-pfnmap", "dma-buf-map-info"), "dma-buf-pfnmap-map-info"),
        (("toy", "more"), "toy-more"),
    ],
)
def test_a_slug_from_the_series(series: tuple[str, ...], slug: str) -> None:
    assert tracking.default_slug(series) == slug
    tracking.check_slug(slug)


@pytest.mark.parametrize("letter", [b"dma-buf: toy\n\nby Andr\xe9\n", "by Andr\u00e9\n".encode()])
def test_a_letter_is_kept_to_the_byte(repo: Path, letter: bytes) -> None:
    """Whatever its user's editor made of it."""
    written(repo)
    git(repo, "config", f"branch.{BRANCH}.description", os.fsdecode(letter))
    edited = tracking.edited_cover(repo, BRANCH, RECORD)
    assert edited is not None and os.fsencode(edited) == letter
    for key, value in tracking.configuration(
        BRANCH, Tracking.new("toy", "v6.12"), RECORD, "new\n", edited
    ).items():
        git(repo, "config", key, value)
    kept = tracking.value(repo, f"branch.{BRANCH}.{tracking.EDITED}")
    assert kept is not None and os.fsencode(kept) == letter
