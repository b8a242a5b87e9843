# SPDX-License-Identifier: GPL-2.0-only
"""What changed between two versions is told from records and commits, and nothing else is."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dmabuf_patchgen.post import changelog
from dmabuf_patchgen.post.tracking import Record
from tests.repos import git

ONE, TWO, THREE = "toy: one", "toy: two", "toy: three"


def commit(repo: Path, parent: str | None, subject: str, **files: str) -> str:
    """Id of a commit that adds some files, or is the first."""
    parents = [f"from {parent}\n"] if parent else []
    stream = ["reset refs/heads/made\n", *parents, "commit refs/heads/made\n",
              "committer T <t@example.org> 1700000000 +0000\n",
              f"data {len(subject)}\n{subject}\n"]  # fmt: skip
    for name, text in files.items():
        stream.append(f"M 100644 inline {name}\ndata {len(text)}\n{text}\n")
    git(repo, "fast-import", "--quiet", "--force", stdin="".join([*stream, "\n"]).encode())
    return git(repo, "rev-parse", "refs/heads/made").strip()


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "--bare", "linux.git")
    return tmp_path / "linux.git"


def lines(first: int, last: int) -> str:
    return "".join(f"line {number} of a file\n" for number in range(first, last))


class History:
    """A base and the first version of a series of two patches on it."""

    def __init__(self, repo: Path) -> None:
        self.repo = repo
        self.base = commit(repo, None, "base", Makefile="VERSION = 6\n")
        self.one = commit(repo, self.base, ONE, one=lines(0, 20))
        self.old = self.record(commit(repo, self.one, TWO, two=lines(20, 40)))

    def record(self, tip: str, **changed: Any) -> Record:
        made = Record(
            series=("toy",),
            parameters={"toy": {"loud": True, "level": "far"}},
            revised={"toy": "2026-01-02"},
            base=self.base,
            tip=tip,
            strategy="commit",
        )
        return replace(made, **changed)

    def told(self, new: Record) -> list[str]:
        return changelog.changes(self.repo, self.old, new)


@pytest.fixture
def history(repo: Path) -> History:
    return History(repo)


def test_nothing_changed(history: History) -> None:
    assert history.told(history.old) == []


def test_a_patch_that_changed(history: History) -> None:
    tip = commit(history.repo, history.one, TWO, two=lines(20, 41))
    assert history.told(history.record(tip)) == [f"- changed: {TWO}"]


def test_a_message_that_changed(history: History) -> None:
    tip = commit(history.repo, history.one, f"{TWO}\n\nBecause.\n", two=lines(20, 40))
    assert history.told(history.record(tip)) == [f"- changed: {TWO}"]


def test_a_new_patch_and_one_that_is_gone(history: History) -> None:
    tip = commit(history.repo, history.one, THREE, three=lines(70, 99))
    assert sorted(history.told(history.record(tip))) == [f"- dropped: {TWO}", f"- new: {THREE}"]


def test_a_patch_of_which_little_stayed(history: History) -> None:
    """It has its subject still, and git range-diff takes it for another."""
    tip = commit(history.repo, history.one, TWO, three=lines(70, 99))
    assert history.told(history.record(tip)) == [f"- changed: {TWO}"]


def test_another_base(history: History) -> None:
    """The base has a name if it has a tag; that a patch only moved is not told."""
    base = commit(history.repo, history.base, "more", Kbuild="x\n")
    one = commit(history.repo, base, ONE, one=lines(0, 20))
    tip = commit(history.repo, one, TWO, two=lines(20, 40))
    new = history.record(tip, base=base)
    assert history.told(new) == [f"- rebased onto {base[:12]}"]
    git(history.repo, "tag", "v6.13", base)
    assert history.told(new) == ["- rebased onto v6.13"]


def test_parameters(history: History) -> None:
    parameters: dict[str, dict[str, Any]] = {
        "toy": {"loud": False, "level": "debug", "nr": 7},
        "more": {"x": 1},
    }
    assert history.told(replace(history.old, parameters=parameters)) == [
        "- series more is new",
        "- toy: loud=no instead of yes",
        "- toy: level=debug instead of far",
    ]
    assert history.told(replace(history.old, parameters={})) == ["- series toy is gone"]


def test_newer_templates(history: History) -> None:
    new = replace(history.old, revised={"toy": "2026-02-03", "more": "2026-01-02"})
    assert history.told(new) == ["- toy: templates as of 2026-02-03 instead of 2026-01-02"]


def test_a_signed_off_by_is_told_once_and_not_per_patch(history: History) -> None:
    signed = f"{TWO}\n\nSigned-off-by: T <t@example.org>\n"
    tip = commit(history.repo, history.one, signed, two=lines(20, 40))
    assert history.told(history.record(tip, signed=True)) == ["- Signed-off-by added"]
    # Whatever else changed is told as well.
    tip = commit(history.repo, history.one, signed, two=lines(20, 41))
    assert history.told(history.record(tip, signed=True)) == [
        "- Signed-off-by added", f"- changed: {TWO}",
    ]  # fmt: skip


def test_trailers_are_told_once_and_not_per_patch(history: History) -> None:
    given = "Reviewed-by: R <r@example.org>\nTested-by: T <t@example.org>"
    one = commit(history.repo, history.base, f"{ONE}\n\n{given}\n", one=lines(0, 20))
    tip = commit(history.repo, one, f"{TWO}\n\n{given}\n", two=lines(20, 40))
    assert history.told(history.record(tip)) == ["- Reviewed-by, Tested-by added"]
    # Whatever else changed is told as well, and a trailer of another kind is a change.
    tip = commit(history.repo, one, f"{TWO}\n\nLink: https://x.example\n", two=lines(20, 40))
    assert history.told(history.record(tip)) == [
        "- Reviewed-by, Tested-by added", f"- changed: {TWO}",
    ]  # fmt: skip


def test_a_long_item_is_filled(history: History) -> None:
    subject = f"toy: {'say it loudly, ' * 9}"
    tip = commit(history.repo, history.old.tip, subject, three=lines(70, 99))
    (said,) = history.told(history.record(tip))
    assert max(map(len, said.splitlines())) <= 75
    assert {line[:2] for line in said.splitlines()[1:]} == {"  "}
    assert " ".join(said.split()) == f"- new: {subject.strip()}"


def test_a_user_s_configuration_changes_nothing(history: History) -> None:
    tip = commit(history.repo, history.one, TWO, two=lines(20, 41))
    expected = history.told(history.record(tip))
    for key, value in (
        ("color.ui", "always"), ("diff.noprefix", "true"), ("log.decorate", "full"),
        ("core.abbrev", "5"), ("diff.algorithm", "patience"), ("notes.displayRef", "*"),
    ):  # fmt: skip
        git(history.repo, "config", key, value)
    assert history.told(history.record(tip)) == expected


def test_the_section_of_a_version_that_was_sent() -> None:
    assert changelog.section(3, ["- changed: x"], 2, "https://example.org/r/2@x") == (
        "Changes in v3:\n- changed: x\n- Link to v2: https://example.org/r/2@x"
    )


@pytest.mark.parametrize("before", [1, None])
def test_the_section_after_one_whose_address_is_not_known(before: int | None) -> None:
    assert changelog.section(2, ["- changed: x"], before, None) == "Changes in v2:\n- changed: x"
