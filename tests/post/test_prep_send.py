# SPDX-License-Identifier: GPL-2.0-only
"""What prep makes goes through its user's own b4: looked at, sent, rerolled, cleaned up."""

import re
import subprocess
from collections.abc import Iterator
from email.message import EmailMessage
from email.utils import getaddresses
from pathlib import Path

import pytest

from tests.conftest import SmallRepo
from tests.developer import B4, BRANCH, REF, SUBJECTS, Developer, Post, post_office
from tests.repos import git

STRATEGIES = ("branch-description", "commit")
WARN = SUBJECTS[2]
#: Its kselftest, and how many mails a posting is.
TEST = SUBJECTS[4]
MAILS = len(SUBJECTS) + 1

both = pytest.mark.parametrize("strategy", STRATEGIES)


@pytest.fixture
def post() -> Iterator[Post]:
    with post_office() as post:
        yield post


@pytest.fixture
def developer(small_repo: SmallRepo, home: Path, identity: str, post: Post) -> Developer:
    """With b4 set up to send to the server of the test, and no key to sign with."""
    made = Developer(small_repo(), home)
    made.settings(
        sendemail_smtpserver="127.0.0.1",
        sendemail_smtpserverport=str(post.port),
        b4_send__no__patatt__sign="yes",
    )
    return made


def info(developer: Developer) -> dict[str, str]:
    """What b4 says of the branch that is checked out."""
    said = developer.b4("prep", "--show-info").splitlines()
    return dict(line.split(": ", 1) for line in said)


def send(developer: Developer, *args: str) -> str:
    return developer.b4("send", *args, stdin="\n\n")


def reroll(developer: Developer, *args: str) -> str:
    """The next version by prep, with the branch not checked out meanwhile."""
    developer.checkout("master")
    said = developer.prep(*args)
    developer.checkout()
    return said


def addresses(message: EmailMessage, *names: str) -> list[str]:
    return [address for _, address in getaddresses([str(message[name] or "") for name in names])]


def shown(said: str) -> list[str]:
    """The recipients that prep shows."""
    lines = re.findall(r"^  (?:to|cc): (.*)$", said, re.M)
    return [address for _, address in getaddresses(lines)]


def changelog(cover: EmailMessage) -> str:
    """What stands between the cut and the list of patches."""
    return str(cover.get_content()).split("\n---\n")[1]


def applied(developer: Developer, at: Path, mbox: Path) -> str:
    """The tree that git am makes of mails, on the base and in another clone."""
    clone = at / f"clone-{mbox.name}"
    git(at, "clone", "-q", "--shared", str(developer.repo), str(clone))
    git(clone, "checkout", "-q", "--detach", "v6.12")
    done = subprocess.run(
        ["git", "-C", str(clone), "am", "-q", str(mbox)], env=developer.environment(),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return git(clone, "rev-parse", "HEAD^{tree}")


@both
def test_b4_has_nothing_to_say_against_it(developer: Developer, strategy: str) -> None:
    developer.prep("--cover-strategy", strategy, "--signoff")
    developer.checkout()
    told = info(developer)
    assert told["preflight-checks-failing"] == "False"
    assert {
        key for key, value in told.items() if key.startswith("needs-") and value != "False"
    } == (set())
    assert (told["revision"], told["cover-strategy"]) == ("1", strategy)
    assert told["base-commit"] == git(developer.repo, "rev-parse", "v6.12^{commit}").strip()
    assert [told[key] for key in told if key.startswith("commit-")] == [*reversed(SUBJECTS)]

    said = developer.b4("prep", "--check")
    assert not re.search("MISSING_SIGN_OFF|BAD_SIGN_OFF|Missing Signed-off-by", said)
    for subject in SUBJECTS:
        assert f": {subject}\n" in said

    said = send(developer, "--dry-run")
    assert said.count("DRYRUN: message follows") == len(SUBJECTS) + 1
    assert "EDITME" not in said
    # A dry run leaves no trace.
    assert info(developer) == told


@both
def test_it_is_sent(developer: Developer, post: Post, strategy: str, tmp_path: Path) -> None:
    said = developer.prep("--cover-strategy", strategy, "--signoff", "-o", tmp_path / "out")
    developer.checkout()
    assert f"Sent {MAILS} messages" in send(developer)
    cover, *patches = post.messages
    assert [re.sub(r"\s+", " ", one["Subject"]) for one in patches] == [
        f"[PATCH {number}/5] {subject}" for number, subject in enumerate(SUBJECTS, 1)
    ]

    # One thread.
    ids = [one["Message-Id"] for one in post.messages]
    assert len({*ids}) == MAILS
    assert cover["In-Reply-To"] is None
    assert {one["In-Reply-To"] for one in patches} == {ids[0]}
    assert {one["References"] for one in patches} == {ids[0]}

    # To whom prep showed, and to their author, as b4 does unless told otherwise.
    expected = sorted([*shown(said), "developer@example.org"])
    for message, envelope in zip(post.messages, post.recipients, strict=True):
        assert sorted(addresses(message, "To", "Cc")) == sorted(envelope) == expected
    assert "simona.vetter@ffwll.ch" in expected

    text = str(cover.get_content())
    change = info(developer)["change-id"]
    base = git(developer.repo, "rev-parse", "v6.12^{commit}").strip()
    assert f"\nbase-commit: {base}\nchange-id: {change}\n" in text
    assert cover["X-Change-ID"] == change

    # As in the files to be read before, but for ids and dates.
    files = sorted((tmp_path / "out").glob("*.eml"))
    assert [len(path.read_bytes().splitlines()) for path in files] == [
        len(mail.splitlines()) for mail in post.mails
    ]


@both
def test_git_am_and_b4_am_make_the_same_tree(
    developer: Developer, post: Post, strategy: str, tmp_path: Path
) -> None:
    developer.prep("--cover-strategy", strategy, "--signoff")
    developer.checkout()
    tree = git(developer.repo, "rev-parse", f"{REF}^{{tree}}")
    send(developer)
    everything = post.mbox(tmp_path / "thread.mbox")
    patches = Post(0, post.mails[1:]).mbox(tmp_path / "patches.mbox")
    assert applied(developer, tmp_path, patches) == tree

    said = developer.b4("--offline-mode", "am", "-m", everything, "-o", tmp_path / "am")
    (made,) = (tmp_path / "am").glob("*.mbx")
    assert applied(developer, tmp_path, made) == tree, said
    # The control: without one of the mails it is another tree.
    fewer = Post(0, post.mails[1:-1]).mbox(tmp_path / "fewer.mbox")
    assert applied(developer, tmp_path, fewer) != tree


@both
def test_v2_and_v3_after_v1_was_sent(developer: Developer, post: Post, strategy: str) -> None:
    developer.prep("--cover-strategy", strategy, "--signoff")
    developer.checkout()
    send(developer)
    (first, *_) = post.messages
    change = info(developer)["change-id"]

    # The strategy stays without being named again.
    said = reroll(developer, "-p", "severity=debug", "--signoff")
    assert f"branch {BRANCH} is v2 of the series" in said
    told = info(developer)
    assert (told["revision"], told["change-id"]) == ("2", change)
    assert told["preflight-checks-failing"] == told["needs-editing"] == "False"
    compared = developer.b4("prep", "--compare-to", "v1")
    assert re.search(rf"^3: +\w+ ! 3: +\w+ {re.escape(WARN)}$", compared, re.M), compared

    send(developer)
    second = post.messages[MAILS]
    assert second["Subject"].startswith("[PATCH v2 0/5] ")
    link = f"https://lore.kernel.org/r/{first['Message-Id'].strip('<>')}"
    changes = (
        "Changes in v2:\n"
        "- dma-buf-pfnmap: severity=debug instead of warn-once\n"
        f"- changed: {WARN}\n"
        f"- changed: {TEST}\n"
        f"- Link to v1: {link}\n"
    )
    assert changelog(second).strip() == changes.strip()

    # Of an unchanged series only the number is new, and what was said of v2 stays.
    reroll(developer, "-p", "severity=debug", "--signoff")
    send(developer)
    third = post.messages[2 * MAILS]
    assert third["Subject"].startswith("[PATCH v3 0/5] ")
    link = f"https://lore.kernel.org/r/{second['Message-Id'].strip('<>')}"
    assert changelog(third).strip() == (
        f"Changes in v3:\n- no change of any patch\n- Link to v2: {link}\n\n{changes}".strip()
    )
    assert not any(b"EDITME" in mail for mail in post.mails)


def reply(path: Path, mail: EmailMessage, trailer: str) -> None:
    """Put an answer to a mail into a file of mails."""
    who = trailer.partition(": ")[2]
    with path.open("a") as mbox:
        mbox.write(
            f"From mboxrd@z Thu Jan  1 00:00:00 1970\nFrom: {who}\nSubject: Re: {mail['Subject']}\n"
            f"Date: Mon, 30 Nov 2026 10:00:00 +0000\nMessage-Id: <{abs(hash(trailer))}@x.org>\n"
            f"In-Reply-To: {mail['Message-Id']}\nReferences: {mail['Message-Id']}\n\n"
            f"Looks good.\n\n{trailer}\n\n"
        )


@both
def test_trailers_from_the_list(
    developer: Developer, post: Post, strategy: str, tmp_path: Path
) -> None:
    """What b4 takes from answers stays with each patch that is the one which was answered."""
    developer.prep("--cover-strategy", strategy, "--signoff")
    developer.checkout()
    send(developer)
    thread = post.mbox(tmp_path / "thread.mbox")
    stays, changes = "Reviewed-by: R <r@example.org>", "Tested-by: T <t@example.org>"
    reply(thread, post.messages[1], stays)
    reply(thread, post.messages[3], changes)
    developer.b4("--no-interactive", "--offline-mode", "trailers", "-u", "-m", thread)
    messages = git(developer.repo, "log", "-z", "--format=%B", f"v6.12..{REF}").split("\0")
    # The control: both are there, the first where b4 puts it.
    (first,) = [one.strip() for one in messages if one.startswith(SUBJECTS[0])]
    assert stays in first.splitlines()
    assert sum(changes in one.splitlines() for one in messages) == 1

    said = reroll(developer, "-p", "severity=debug", "--signoff")
    assert f"  {changes} fell from {WARN!r}: its patch is rendered anew, and is another now\n" in (
        said
    )
    messages = git(developer.repo, "log", "-z", "--format=%B", f"v6.12..{REF}").split("\0")
    assert first in [one.strip() for one in messages]
    assert not any(changes in one for one in messages)
    told = info(developer)
    assert told["preflight-checks-failing"] == told["needs-editing"] == "False"
    send(developer)
    assert stays in post.messages[MAILS + 1].get_content()


def test_what_b4_cleans_up(developer: Developer) -> None:
    developer.prep("--cover-strategy", "commit")
    developer.checkout()
    send(developer)
    developer.checkout("master")
    said = developer.b4("prep", "--cleanup", BRANCH, stdin="y\n")
    assert f"Archiving branch {BRANCH}" in said
    assert developer.config() == {}
    refs = git(developer.repo, "for-each-ref", "--format=%(refname)", "refs/heads", "refs/tags")
    assert refs.split() == ["refs/heads/master", "refs/tags/v6.12"]


def test_b4_cleans_up_by_default_once_it_is_told_where_to_look(developer: Developer) -> None:
    developer.prep()
    developer.checkout()
    send(developer)
    developer.checkout("master")
    # b4 0.16 reads the cover of the branch that is checked out. Once it does not, docs/posting.md
    # has a command too many.
    with pytest.raises(AssertionError, match="KeyError: 'series'"):
        developer.b4("prep", "--cleanup", BRANCH, stdin="y\n")
    told = f"branch.master.b4-tracking={developer.config()['b4-tracking']}"
    said = developer.git(
        "-c", f"alias.b4=!{B4}", "-c", told, "b4", "prep", "--cleanup", BRANCH, stdin=b"y\n"
    )
    assert "Proceed?" in said
    assert developer.config() == {}
    refs = git(developer.repo, "for-each-ref", "--format=%(refname)", "refs/heads", "refs/tags")
    assert refs.split() == ["refs/heads/master", "refs/tags/v6.12"]


def test_git_takes_all_of_a_branch_away(developer: Developer) -> None:
    developer.prep()
    assert {*developer.config()} == {
        "b4-prep-cover-strategy", "b4-tracking", "description", "dmabuf-patchgen",
    }  # fmt: skip
    git(developer.repo, "branch", "-q", "-D", BRANCH)
    assert developer.config() == {}
    assert BRANCH not in (developer.repo / ".git" / "config").read_text()
