# SPDX-License-Identifier: GPL-2.0-only
"""What a user makes of a branch is on the next rendering as well, or is refused and stays.

Each test has three lines of commits: what was rendered, what a user made of it with the real git,
and what is rendered now.
"""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.post import rework, stack
from dmabuf_patchgen.post.rework import Reworked
from tests.repos import git

ONE, TWO, THREE, MINE = "toy: one", "toy: two", "toy: three", "toy: mine"
REVIEW = "Reviewed-by: R <r@example.org>"
LINK = "Link: https://example.org/x"


def lines(name: str, **changed: str) -> str:
    """A file of ten lines, of which some are others: l3="x" is the fourth."""
    return "".join(f"{changed.get(f'l{n}', f'{name} {n}')}\n" for n in range(10))


A = lines("a")


class Toy:
    """A repository with a base, to make lines of commits in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        git(path, "init", "-q", "-b", "master")
        git(path, "config", "user.name", "U. Ser")
        git(path, "config", "user.email", "u@example.org")
        self.base = self.commit(None, "base", a=A, b=lines("b"), c=lines("c"))

    def commit(self, parent: str | None, message: str, **files: str) -> str:
        """A commit with some files changed; its id."""
        stream = ["reset refs/made\n", *([f"from {parent}\n\n"] if parent else []),
                  "commit refs/made\nauthor U. Ser <u@example.org> 1700000000 +0000\n"
                  "committer U. Ser <u@example.org> 1700000000 +0000\n",
                  f"data {len(message) + 1}\n{message}\n\n"]  # fmt: skip
        stream += [f"M 100644 inline {name}\ndata {len(text)}\n{text}\n"
                   for name, text in files.items()]  # fmt: skip
        git(self.path, "fast-import", "--quiet", "--force", stdin="".join(stream).encode())
        return git(self.path, "rev-parse", "refs/made").strip()

    def line(self, *steps: tuple[str, Mapping[str, str]], base: str | None = None) -> str:
        """Commits on each other: message, and content by file; the id of the last."""
        at = base or self.base
        for message, files in steps:
            at = self.commit(at, message, **files)
        return at

    def rebased(self, tip: str, script: str) -> str:
        """The tip after a user's `git rebase -i`, whose list a script of sed edits."""
        git(self.path, "checkout", "-q", "--detach", tip)
        env = {**os.environ, "GIT_SEQUENCE_EDITOR": f"sed -i -e '{script}'", "GIT_EDITOR": "true"}
        done = subprocess.run(
            ["git", "-C", str(self.path), "rebase", "-q", "-i", "--autosquash", self.base],
            env=env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return self.head

    @property
    def head(self) -> str:
        return git(self.path, "rev-parse", "HEAD").strip()

    def take_up(self, old: str, theirs: str, new: str, base: str | None = None) -> Reworked:
        at = base or self.base
        return rework.take_up(
            self.path, at,
            stack.read(self.path, old, self.base),
            stack.read(self.path, theirs, self.base, at),
            stack.read(self.path, new, at),
        )  # fmt: skip

    def subjects(self, tip: str, base: str | None = None) -> list[str]:
        return git(
            self.path, "log", "--reverse", "--format=%s", f"{base or self.base}..{tip}"
        ).splitlines()

    def message(self, tip: str) -> str:
        return git(self.path, "log", "-1", "--format=%B", tip).strip()

    def file(self, tip: str, name: str) -> str:
        return git(self.path, "show", f"{tip}:{name}")


@pytest.fixture
def toy(tmp_path: Path, home: Path) -> Toy:
    return Toy(tmp_path)


#: Three patches of three files, each of which changes one line.
STEPS = (
    (ONE, {"a": lines("a", l1="one")}),
    (TWO, {"b": lines("b", l1="two")}),
    (THREE, {"c": lines("c", l1="three")}),
)
#: As the second patch is rendered with another parameter.
LOUD = (TWO, {"b": lines("b", l1="TWO")})


def loud(toy: Toy) -> str:
    return toy.line(STEPS[0], LOUD, STEPS[2])


def test_of_an_untouched_branch_comes_the_rendering(toy: Toy) -> None:
    """Also if all commits were made again, as b4 does it: to the byte, and nothing is said."""
    old, new = toy.line(*STEPS), loud(toy)
    git(toy.path, "checkout", "-q", "--detach", old)
    git(toy.path, "rebase", "-q", "--force-rebase", toy.base)
    assert toy.head != old
    assert toy.take_up(old, toy.head, new) == Reworked(new, (0, 1, 2))


# Trailers.


def test_trailers_go_with_a_patch_that_stays(toy: Toy) -> None:
    old, new = toy.line(*STEPS), loud(toy)
    theirs = toy.line(
        (f"{ONE}\n\n{REVIEW}\nTested-by: T <t@example.org>", STEPS[0][1]),
        (f"{TWO}\n\n{LINK}\n{REVIEW}", STEPS[1][1]),
        STEPS[2],
    )
    made = toy.take_up(old, theirs, new)
    assert toy.message(f"{made.tip}~2") == f"{ONE}\n\n{REVIEW}\nTested-by: T <t@example.org>"
    # What holds for no patch in particular stays, and who had seen another one is named.
    assert toy.message(f"{made.tip}~1") == f"{TWO}\n\n{LINK}"
    assert made.notes == (
        f"{REVIEW} fell from {TWO!r}: its patch is rendered anew, and is another now",
    )
    assert git(toy.path, "diff", new, made.tip) == ""
    # The next time they are there, and nothing is to be told.
    again = toy.take_up(new, made.tip, new)
    assert again == Reworked(made.tip, (0, 1, 2))


def test_trailers_on_a_message_that_is_rendered_anew(toy: Toy) -> None:
    old = toy.line(*STEPS)
    theirs = toy.line(STEPS[0], (f"{TWO}\n\n{REVIEW}", STEPS[1][1]), STEPS[2])
    signed = "Signed-off-by: U. Ser <u@example.org>"
    new = toy.line(STEPS[0], (f"{TWO}\n\nBecause.\n\n{signed}", STEPS[1][1]), STEPS[2])
    made = toy.take_up(old, theirs, new)
    assert toy.message(f"{made.tip}~1") == f"{TWO}\n\nBecause.\n\n{REVIEW}\n{signed}"
    assert made.notes == ()


def test_trailers_of_a_patch_that_is_gone(toy: Toy) -> None:
    old = toy.line(*STEPS)
    theirs = toy.line(*STEPS[:2], (f"{THREE}\n\n{REVIEW}", STEPS[2][1]))
    made = toy.take_up(old, theirs, toy.line(*STEPS[:2]))
    assert made.notes == (f"{REVIEW} fell from {THREE!r}: it is not rendered any more",)
    assert toy.subjects(made.tip) == [ONE, TWO]


def test_trailers_of_a_patch_whose_context_moved(toy: Toy) -> None:
    """git patch-id counts the lines around a change, and so does who gives a trailer."""
    old = toy.line(*STEPS)
    theirs = toy.line((f"{ONE}\n\n{REVIEW}", STEPS[0][1]), *STEPS[1:])
    base = toy.commit(toy.base, "next", a=lines("a", l3="other"))
    new = toy.line((ONE, {"a": lines("a", l1="one", l3="other")}), *STEPS[1:], base=base)
    made = toy.take_up(old, theirs, new, base)
    assert made.notes == (
        f"{REVIEW} fell from {ONE!r}: its patch is rendered anew, and is another now",
    )
    assert REVIEW not in toy.message(f"{made.tip}~2")
    # Farther away it is the same patch.
    base = toy.commit(toy.base, "next", a=lines("a", l8="other"))
    new = toy.line((ONE, {"a": lines("a", l1="one", l8="other")}), *STEPS[1:], base=base)
    assert REVIEW in toy.message(f"{toy.take_up(old, theirs, new, base).tip}~2")


# What its user made of it.


def test_a_fixup_on_top_and_another_author(toy: Toy) -> None:
    old, new = toy.line(*STEPS), loud(toy)
    mine = toy.commit(old, MINE, c=lines("c", l1="three", l8="mine"))
    git(toy.path, "checkout", "-q", "--detach", mine)
    git(toy.path, "commit", "-q", "--amend", "--no-edit", "--author=O. Ther <o@example.org>")
    made = toy.take_up(old, toy.head, new)
    assert toy.subjects(made.tip) == [ONE, TWO, THREE, MINE]
    assert made.rendered == (0, 1, 2, None)
    assert made.by_hand == (4,)
    assert made.notes == (f"kept as yours: {MINE}",)
    assert git(toy.path, "log", "-1", "--format=%an <%ae>", made.tip) == "O. Ther <o@example.org>\n"
    assert toy.file(made.tip, "b") == LOUD[1]["b"]
    assert "mine" in toy.file(made.tip, "c")
    assert git(toy.path, "rev-parse", f"{made.tip}~1").strip() == new


def test_a_fixup_that_was_squashed(toy: Toy) -> None:
    """It stays in its patch, whether that is rendered as it was or anew."""
    old = toy.line(*STEPS)
    fixup = toy.commit(old, f"fixup! {TWO}", b=lines("b", l1="two", l8="mine"))
    theirs = toy.rebased(fixup, "")
    assert toy.subjects(theirs) == [ONE, TWO, THREE]
    first = toy.take_up(old, theirs, old)
    assert toy.file(first.tip, "b") == lines("b", l1="two", l8="mine")
    assert first.notes == (f"kept as you changed it: {TWO}",)
    assert first.by_hand == (2,)
    second = toy.take_up(old, first.tip, loud(toy))
    assert toy.file(f"{second.tip}~1", "b") == lines("b", l1="TWO", l8="mine")
    assert second.rendered == (0, 1, 2)
    # And from there as well.
    third = toy.take_up(loud(toy), second.tip, old)
    assert toy.file(third.tip, "b") == lines("b", l1="two", l8="mine")


def test_reordered_and_dropped(toy: Toy) -> None:
    old, new = toy.line(*STEPS), loud(toy)
    theirs = toy.rebased(old, "1{h;d};2{G}")
    assert toy.subjects(theirs) == [TWO, ONE, THREE]
    made = toy.take_up(old, theirs, new)
    assert toy.subjects(made.tip) == [TWO, ONE, THREE]
    assert made.rendered == (1, 0, 2)
    assert git(toy.path, "diff", new, made.tip) == ""

    theirs = toy.rebased(old, "1d")
    made = toy.take_up(old, theirs, new)
    assert toy.subjects(made.tip) == [TWO, THREE]
    assert made.notes == (f"dropped by you, and stays so: {ONE}",)
    assert toy.file(made.tip, "a") == A
    # From version to version.
    assert toy.subjects(toy.take_up(new, made.tip, old).tip) == [TWO, THREE]


def test_split(toy: Toy) -> None:
    both = {"b": lines("b", l1="two", l8="more")}
    old = toy.line(STEPS[0], (TWO, both), STEPS[2])
    theirs = toy.line(STEPS[0], STEPS[1], (MINE, both), STEPS[2])
    new = toy.line(STEPS[0], (TWO, {"b": lines("b", l1="TWO", l8="more")}), STEPS[2])
    made = toy.take_up(old, theirs, new)
    assert toy.subjects(made.tip) == [ONE, TWO, MINE, THREE]
    assert toy.file(f"{made.tip}~2", "b") == LOUD[1]["b"]
    assert git(toy.path, "diff", new, made.tip) == ""


def test_reworded(toy: Toy) -> None:
    old, new = toy.line(*STEPS), loud(toy)
    theirs = toy.line(STEPS[0], ("toy: second\n\nIn my words.", STEPS[1][1]), STEPS[2])
    made = toy.take_up(old, theirs, new)
    assert toy.message(f"{made.tip}~1") == "toy: second\n\nIn my words."
    assert made.by_hand == (2,)
    assert toy.file(made.tip, "b") == LOUD[1]["b"]


def test_a_message_that_both_changed(toy: Toy) -> None:
    body = "\n\n".join(f"Paragraph {n}." for n in range(4))
    old = toy.line((f"{ONE}\n\n{body}", STEPS[0][1]))
    theirs = toy.line((f"{ONE}\n\n{body.replace('ph 3', 'ph three')}", STEPS[0][1]))
    new = toy.line((f"{ONE}\n\n{body.replace('ph 0', 'ph zero')}", STEPS[0][1]))
    made = toy.take_up(old, theirs, new)
    assert toy.message(made.tip).count("zero") == toy.message(made.tip).count("three") == 1
    new = toy.line((f"{ONE}\n\n{body.replace('ph 3', 'ph III')}", STEPS[0][1]))
    with pytest.raises(UserError) as refused:
        toy.take_up(old, theirs, new)
    assert "CONFLICT (content): Merge conflict in the message" in refused.value.message
    assert "Paragraph III." in refused.value.details
    assert "Paragraph three." in refused.value.details


def test_a_patch_that_is_new_goes_behind_the_one_before_it(toy: Toy) -> None:
    old = toy.line(STEPS[0], STEPS[2])
    theirs = toy.line((MINE, {"a": lines("a", l8="mine")}),
                      (ONE, {"a": lines("a", l1="one", l8="mine")}), STEPS[2])  # fmt: skip
    made = toy.take_up(old, theirs, toy.line(*STEPS))
    assert toy.subjects(made.tip) == [MINE, ONE, TWO, THREE]
    assert made.rendered == (None, 0, 1, 2)
    assert "mine" in toy.file(made.tip, "a")


def test_a_patch_that_was_changed_and_is_rendered_no_more(toy: Toy) -> None:
    old = toy.line(*STEPS)
    theirs = toy.line(*STEPS[:2], (THREE, {"c": lines("c", l1="mine")}))
    made = toy.take_up(old, theirs, toy.line(*STEPS[:2]))
    assert toy.subjects(made.tip) == [ONE, TWO, THREE]
    assert made.rendered == (0, 1, None)
    assert made.notes[0].startswith("kept as yours, since you changed it and it is not rendered")


def test_what_the_series_has_already_is_left_out(toy: Toy) -> None:
    """As where a fix was merged, or went into the templates."""
    old, new = toy.line(*STEPS), loud(toy)
    theirs = toy.commit(old, MINE, b=LOUD[1]["b"])
    made = toy.take_up(old, theirs, new)
    assert made == Reworked(
        new, (0, 1, 2), (), (f"left out, as the series has what it changes already: {MINE}",)
    )


def test_a_branch_that_its_user_rebased(toy: Toy) -> None:
    old = toy.line(*STEPS)
    base = toy.commit(toy.base, "next", a=lines("a", l8="other"))
    mine = toy.commit(old, MINE, c=lines("c", l1="three", l8="mine"))
    git(toy.path, "checkout", "-q", "--detach", mine)
    git(toy.path, "rebase", "-q", base)
    new = toy.line((ONE, {"a": lines("a", l1="one", l8="other")}), *STEPS[1:], base=base)
    made = toy.take_up(old, toy.head, new, base)
    assert toy.subjects(made.tip, base) == [ONE, TWO, THREE, MINE]
    assert git(toy.path, "diff", toy.head, made.tip) == ""
    # The same from where it was.
    assert toy.take_up(old, mine, new, base) == made


# What does not go together.


@pytest.mark.parametrize("squashed", [False, True])
def test_a_conflict(toy: Toy, squashed: bool) -> None:
    old, new = toy.line(*STEPS), loud(toy)
    theirs = toy.commit(old, f"fixup! {TWO}", b=lines("b", l1="mine"))
    if squashed:
        theirs = toy.rebased(theirs, "")
    with pytest.raises(UserError) as refused:
        toy.take_up(old, theirs, new)
    commit = theirs if not squashed else git(toy.path, "rev-parse", f"{theirs}~1").strip()
    subject = TWO if squashed else f"fixup! {TWO}"
    assert refused.value.message == (
        f"{commit[:12]} ({subject}) does not go with the new rendering: "
        "CONFLICT (content): Merge conflict in b"
    )
    assert refused.value.details == ("CONFLICT (content): Merge conflict in b",)


def test_a_merge_is_refused(toy: Toy) -> None:
    old = toy.line(*STEPS)
    other = toy.commit(toy.base, MINE, d="d\n")
    git(toy.path, "checkout", "-q", "--detach", old)
    git(toy.path, "merge", "-q", "-m", "merged", other)
    with pytest.raises(UserError, match=f"commit {toy.head[:12]} is a merge"):
        toy.take_up(old, toy.head, old)


def test_nothing_is_left(toy: Toy) -> None:
    old = toy.line(STEPS[0])
    theirs = toy.commit(toy.base, MINE, a=A)
    with pytest.raises(UserError, match="the branch has no patch left"):
        toy.take_up(old, theirs, old)


def test_a_user_s_merge_driver_is_not_run(toy: Toy, tmp_path: Path) -> None:
    """A configuration names programs, and nobody asked for them."""
    (toy.path / ".git" / "info" / "attributes").write_text("* merge=mine diff=mine\n")
    ran = tmp_path / "ran"
    git(toy.path, "config", "merge.mine.driver", f"touch {ran}")
    git(toy.path, "config", "diff.mine.command", f"touch {ran}")
    git(toy.path, "config", "diff.mine.textconv", f"touch {ran}; cat")
    old = toy.line(*STEPS)
    theirs = toy.line(STEPS[0], (TWO, {"b": lines("b", l1="two", l8="mine")}), STEPS[2])
    made = toy.take_up(old, theirs, loud(toy))
    assert toy.file(made.tip, "b") == lines("b", l1="TWO", l8="mine")
    assert not ran.exists()
    # The control: git itself would.
    git(toy.path, "checkout", "-q", "--detach", theirs)
    subprocess.run(["git", "-C", str(toy.path), "diff", "HEAD~1"], capture_output=True, check=False)
    assert ran.exists()
