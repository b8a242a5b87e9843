# SPDX-License-Identifier: GPL-2.0-only
"""prep makes a branch with all that belongs to it, or refuses in one line and leaves nothing."""

import copy
import json
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests import tiny
from tests.conftest import CHECKOUT, SmallRepo
from tests.developer import BRANCH, REF, SERIES, SUBJECTS, Developer, begin
from tests.prove.test_evidence import SHOWN
from tests.render.test_branch import dirty, private
from tests.repos import Kind, git

MAP_INFO = "dma-buf-map-info"

C = "drivers/dma-buf/dma-buf.c"
#: What keeps the rendering.
KEPT = f"refs/dmabuf-patchgen/{BRANCH}"
#: For a test that takes v1: with each strategy of its cover.
both = pytest.mark.parametrize("v1", ["branch-description", "commit"], indirect=True)


@pytest.fixture
def developer(small_repo: SmallRepo, home: Path, identity: str) -> Developer:
    return Developer(small_repo(kind=Kind.UNCHECKED), home)


@pytest.fixture
def v1(
    developer: Developer, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Developer:
    """With v1 of the series; a parameter is the strategy of its cover."""
    begin(developer, tmp_path_factory.getbasetemp(), *filter(None, [getattr(request, "param", "")]))
    return developer


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only place for temporary files."""
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    return place


def said_of(repo: Path) -> dict[str, tuple[int, bytes]]:
    """All of a repository but objects, which git itself clears away."""
    found = tiny.snapshot(*private(repo))
    return {path: held for path, held in found.items() if "/objects/" not in path}


def letter(developer: Developer, branch: str = BRANCH) -> str:
    return developer.config(branch)["description"]


def changelog(developer: Developer) -> str:
    return letter(developer).partition("\n---\n")[2]


# What is made.


def test_a_branch_with_its_cover_and_tracking(developer: Developer, tmp_path: Path) -> None:
    said = developer.prep("--base", "v6.12", "-o", tmp_path / "out")
    subjects = git(developer.repo, "log", "--reverse", "--format=%s", f"v6.12..{REF}")
    assert subjects.splitlines() == [*SUBJECTS]
    assert f"branch {BRANCH} is v1 of the series, on v6.12" in said
    assert "it has no Signed-off-by, which is yours to give: prep --signoff" in said
    for command in (f"git checkout {BRANCH}", "b4 prep --show-info", "b4 send"):
        assert f"\n  {command}\n" in f"{said}\n"
    assert letter(developer).startswith("dma-buf: require VM_PFNMAP for CPU mappings\n\n")
    tracking = json.loads(developer.config()["b4-tracking"])["series"]
    assert (tracking["revision"], tracking["base-branch"]) == (1, "v6.12")

    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert [name[:4] for name in names] == [*(f"000{number}" for number in range(6)), "seri"]
    cover = (tmp_path / "out" / names[0]).read_text()
    assert f"\nchange-id: {tracking['change-id']}\n" in cover
    assert "EDITME" not in letter(developer) + cover


def test_two_series_and_a_name(developer: Developer) -> None:
    said = developer.prep("--slug", "my-mmap", series=f"{SERIES} {MAP_INFO}")
    assert "branch b4/my-mmap is v1" in said
    subjects = git(developer.repo, "log", "--format=%s", "master..refs/heads/b4/my-mmap")
    assert {*SUBJECTS} < {*subjects.splitlines()}
    assert "change-id" in developer.config("b4/my-mmap")["b4-tracking"]
    assert git(developer.repo, "branch", "--list", "b4/*").split() == ["b4/my-mmap"]


def test_signed_once(developer: Developer, identity: str, tmp_path: Path) -> None:
    said = developer.prep("--signoff", "-o", tmp_path)
    assert "Signed-off-by" not in said
    line = f"Signed-off-by: {identity}"
    for path in sorted(tmp_path.glob("*.eml")):
        assert path.read_text().count("Signed-off-by:") == 1
        assert f"\n{line}\n" in path.read_text()
    who = git(developer.repo, "log", "--format=%an <%ae>|%cn <%ce>", f"master..{REF}")
    assert {*who.splitlines()} == {f"{identity}|{identity}"}
    # The tree's own judge, and the control: unsigned they do not pass.
    assert not style(developer, tmp_path / "style", f"master..{REF}") & SIGNED
    developer.prep("--slug", "unsigned")
    assert style(developer, tmp_path / "other", "master..b4/unsigned") & SIGNED == {
        "MISSING_SIGN_OFF"
    }


SIGNED = {"MISSING_SIGN_OFF", "BAD_SIGN_OFF", "NO_AUTHOR_SIGN_OFF"}


def style(developer: Developer, at: Path, commits: str) -> set[str]:
    """Types of what the tree's checkpatch.pl --strict finds in commits."""
    git(developer.repo, "format-patch", "-q", "-o", str(at), commits)
    git(developer.repo, "--work-tree", str(at), "checkout", "v6.12", "--", "scripts")
    git(developer.repo, "read-tree", "--empty")
    done = subprocess.run(
        ["perl", "scripts/checkpatch.pl", "--strict", "--no-tree", "--show-types", "--terse",
         *map(str, sorted(at.glob("*.patch")))],
        cwd=at, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "total:" in done.stdout, done.stderr
    return set(re.findall(r"(?:ERROR|WARNING|CHECK):([A-Z_]+):", done.stdout))


def test_unsigned_there_is_none(v1: Developer) -> None:
    assert "Signed-off-by" not in letter(v1)
    assert "Signed-off-by" not in git(v1.repo, "log", "--format=%B", f"master..{REF}")


def test_settings(developer: Developer) -> None:
    developer.prep("--to", "third@example.org")
    usual = letter(developer)
    assert "To: Sumit Semwal <sumit.semwal@linaro.org>\n" in usual
    assert "Cc: linux-mm@kvack.org\n" in usual
    for key, value in (
        ("to", "Second <second@example.org>"), ("cc", "all@lists.example.org"),
        ("exclude", "SUMIT.SEMWAL@linaro.org"), ("exclude", "linux-mm@kvack.org"),
    ):  # fmt: skip
        git(developer.repo, "config", "--add", f"dmabuf-patchgen.{key}", value)
    developer.settings(dmabuf__patchgen_cc="me@example.org",
                       dmabuf__patchgen_coverStrategy="commit")  # fmt: skip
    said = developer.prep("--slug", "mine")
    shown = re.findall(r"^  (?:to|cc): (.*)$", said, re.M)
    assert {"Second <second@example.org>", "all@lists.example.org", "me@example.org"} < {*shown}
    assert not {"Sumit Semwal <sumit.semwal@linaro.org>", "linux-mm@kvack.org"} & {*shown}
    assert "third@example.org" not in shown
    assert {*developer.config("b4/mine")} == {"b4-prep-cover-strategy", "dmabuf-patchgen"}
    message = git(developer.repo, "log", "--format=%B", "--reverse", "master..refs/heads/b4/mine")
    cover = message.partition("--- b4-submit-tracking ---")[0]
    assert [line for line in shown if line not in cover] == []


# The next version.


def test_what_was_not_sent_stays_the_same_version(v1: Developer) -> None:
    first = git(v1.repo, "rev-parse", REF).strip()
    assert changelog(v1) == ""
    said = v1.prep("-p", "severity=debug")
    assert f"branch {BRANCH} is v1 of the series, on" in said
    assert changelog(v1) == ""
    assert git(v1.repo, "log", "-g", "--format=%H %gs", REF).splitlines()[1] == (
        f"{first} dmabuf-patchgen: prep v1"
    )


@both
def test_again_with_nothing_changed(v1: Developer) -> None:
    tracking = v1.config().get("b4-tracking")
    patches = git(v1.repo, "log", "--format=%T %B", f"master..{REF}")
    said = v1.prep()
    assert f"branch {BRANCH} is v1 of the series, as before, on master" in said
    assert v1.config().get("b4-tracking") == tracking
    if tracking:
        assert changelog(v1) == ""
        assert git(v1.repo, "log", "--format=%T %B", f"master..{REF}") == patches


def test_on_another_base(developer: Developer) -> None:
    developer.prep("--base", "v6.12")
    later = git(developer.repo, "-c", "user.name=T", "-c", "user.email=t@example.org",
                "commit-tree", "-m", "later", "-p", "master", "master^{tree}")  # fmt: skip
    git(developer.repo, "tag", "v6.13-rc1", later.strip())
    developer.prep("--base", "v6.13-rc1")
    assert changelog(developer) == ""
    tracking = json.loads(developer.config()["b4-tracking"])["series"]
    assert (tracking["revision"], tracking["base-branch"]) == (1, "v6.13-rc1")
    # The same commit by another name is no change.
    said = developer.prep("--base", later.strip())
    assert f"branch {BRANCH} is v1 of the series, as before, on {later.strip()}\n" in said


def test_a_cover_that_was_edited_is_merged(v1: Developer) -> None:
    """What its user wrote stays with what is new, until they want the templates' again."""
    key = f"branch.{BRANCH}.description"
    edited = letter(v1).replace("A DMA buffer is not normal memory.", "I wrote this myself.")
    git(v1.repo, "config", key, edited)
    said = v1.prep("-p", "severity=debug", "--cc", "new@example.org")
    where = f"as it was: git config branch.{BRANCH}.dmabuf-patchgen-edited\n"
    assert f"its cover had been edited and keeps what was changed of it; {where}" in said
    assert "I wrote this myself." in letter(v1)
    assert "Cc: new@example.org\n" in letter(v1)
    assert v1.config()["dmabuf-patchgen-edited"] == edited
    again = letter(v1)
    said = v1.prep("-p", "severity=debug", "--reset-cover")
    assert f"its cover had been edited and was written anew; {where}" in said
    assert v1.config()["dmabuf-patchgen-edited"] == again
    assert "I wrote this myself." not in letter(v1)
    assert "A DMA buffer is not normal memory." in letter(v1)


# What is not touched.


#: The branch and the rendering, their reflogs, and git's own files that any command may write.
NEW = re.compile(r"/((logs/)?refs/(heads|dmabuf-patchgen)(/b4(/[\w-]+)?)?|logs(/refs)?)$")


@pytest.mark.parametrize(
    "kind",
    [Kind.ORDINARY, Kind.UNCHECKED, Kind.BARE, Kind.WORKTREE, Kind.SHALLOW, Kind.PARTIAL],
)
def test_the_repository_stays_as_it_is(
    small_repo: SmallRepo, home: Path, identity: str, kind: Kind, temporary: Path
) -> None:
    developer = Developer(small_repo(kind=kind), home)
    repo = developer.repo
    if kind not in (Kind.BARE, Kind.UNCHECKED, Kind.PARTIAL):
        dirty(repo)
    before, refs = said_of(repo), git(repo, "for-each-ref")
    config = git(repo, "config", "--local", "--list")
    worktrees = git(repo, "worktree", "list", "--porcelain")
    developer.prep("--signoff")
    after = said_of(repo)
    (changed,) = [path for path, held in before.items() if after.get(path) != held]
    assert changed.endswith("/config")
    assert git(repo, "config", "--local", "--list").startswith(config)
    assert {*developer.config()} == {
        "b4-prep-cover-strategy", "b4-tracking", "description", "dmabuf-patchgen",
    }  # fmt: skip
    assert {path for path in {*after} - {*before} if not NEW.search(path)} == set()
    made = (REF, KEPT)
    kept = [line for line in git(repo, "for-each-ref").splitlines() if not line.endswith(made)]
    assert kept == refs.splitlines()
    assert git(repo, "worktree", "list", "--porcelain") == worktrees
    assert [*temporary.iterdir()] == []
    # Gone with its branch, all is as it was.
    git(repo, "branch", "-q", "-D", BRANCH)
    assert {path: held for path, held in said_of(repo).items() if path in before} == before


def test_a_dry_run_writes_nothing(developer: Developer, temporary: Path) -> None:
    before = said_of(developer.repo)
    said = developer.prep("-n", "--signoff")
    assert said_of(developer.repo) == before
    assert [*temporary.iterdir()] == []
    assert said.startswith("dma-buf: require VM_PFNMAP for CPU mappings\n\n")
    assert "\nSigned-off-by: A. Developer <developer@example.org>\n" in said
    assert "  to: Sumit Semwal <sumit.semwal@linaro.org>\n" in said
    assert f"branch {BRANCH} would be v1 of the series, on master\n" in said
    assert "its patches were not checked" in said
    assert said.endswith("  b4 send\n")
    # What it shows is what is made.
    developer.prep("--signoff")
    assert (
        said.partition("How it was tested")[0]
        == letter(developer).partition("How it was tested")[0]
    )


def test_for_machines(developer: Developer) -> None:
    about = json.loads(developer.prep("-n", "--json"))
    assert about["branch"] == BRANCH
    assert about["revision"] == 1
    assert about["series"] == [SERIES]
    values = {"severity": "warn-once", "refuse_cow": True, "kselftests": True}
    assert about["parameters"] == {SERIES: values}
    assert [patch["subject"] for patch in about["patches"]] == [*SUBJECTS]
    assert "Sumit Semwal <sumit.semwal@linaro.org>" in about["to"]
    assert "linux-mm@kvack.org" in about["cc"]
    assert about["cover"].startswith("dma-buf: require VM_PFNMAP for CPU mappings\n\n")
    assert about["written"] is False
    assert git(developer.repo, "branch", "--list", "b4/*") == ""
    about = json.loads(developer.prep("--json"))
    assert about["written"] is True
    assert about["cover"] == letter(developer)


# What is refused.


def test_no_identity(small_repo: SmallRepo, home: Path) -> None:
    developer = Developer(small_repo(kind=Kind.UNCHECKED), home)
    before = said_of(developer.repo)
    assert "no git identity to make commits with; git config --global user.name" in (
        developer.refused()
    )
    assert said_of(developer.repo) == before


def test_a_branch_of_somebody_else(developer: Developer) -> None:
    git(developer.repo, "branch", BRANCH, "master")
    before = said_of(developer.repo)
    assert developer.refused() == (
        f"branch {BRANCH} exists in {developer.repo} and was not made by prep; "
        "choose another --slug"
    )
    assert said_of(developer.repo) == before


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_branch_that_is_checked_out(v1: Developer, tmp_path: Path, elsewhere: bool) -> None:
    where = tmp_path / "other" if elsewhere else v1.repo
    if elsewhere:
        git(v1.repo, "worktree", "add", "-q", "--no-checkout", str(where), BRANCH)
    else:
        git(v1.repo, "symbolic-ref", "HEAD", REF)
    before = said_of(v1.repo)
    assert v1.refused("--base", "v6.12", "-p", "severity=debug").startswith(
        f"branch {BRANCH} is checked out in {where}; "
    )
    assert said_of(v1.repo) == before


def committed(developer: Developer, message: str, path: str, old: str, new: str) -> str:
    """A user's own commit on the branch, which replaces some text of a file; its id."""
    text = git(developer.repo, "show", f"{REF}:{path}").replace(old, new, 1)
    stream = (f"commit {REF}\nauthor O. Ther <o@example.org> 1700000000 +0000\n"
              f"committer O. Ther <o@example.org> 1700000000 +0000\n"
              f"data {len(message)}\n{message}\nfrom {REF}^0\n"
              f"M 100644 inline {path}\ndata {len(text.encode())}\n{text}\n")  # fmt: skip
    git(developer.repo, "fast-import", "--quiet", stdin=stream.encode())
    return git(developer.repo, "rev-parse", REF).strip()


@both
def test_a_commit_on_top_is_kept(v1: Developer, tmp_path: Path) -> None:
    """In the mails, the checks and the letter as well, and on every version from there."""
    mine = "dma-buf: tidy the head of the file"
    own = committed(v1, mine, C, "Framework for buffer objects", "A framework for buffer objects")
    said = v1.prep("-p", "severity=debug", "-o", tmp_path / "out")
    assert f"  kept as yours: {mine}\n" in said
    subjects = git(v1.repo, "log", "--reverse", "--format=%s", f"master..{REF}").splitlines()
    assert [one for one in subjects if one in (*SUBJECTS, mine)] == [*SUBJECTS, mine]
    assert "A framework for buffer" in git(v1.repo, "show", f"{REF}:{C}")
    assert git(v1.repo, "log", "-1", "--format=%an %s", REF) == f"O. Ther {mine}\n"
    (mail,) = (tmp_path / "out").glob("0006-*.eml")
    assert '\n\nFrom: "O. Ther" <o@example.org>\n' in mail.read_text()
    # The branch as it was has a name.
    assert git(v1.repo, "rev-parse", f"{BRANCH}@{{1}}").strip() == own
    # What was rendered has one too, which nothing clears away.
    assert git(v1.repo, "log", "--reverse", "--format=%s", f"master..{KEPT}").splitlines() == [
        *SUBJECTS
    ]
    tip = git(v1.repo, "rev-parse", f"{REF}^{{tree}}")
    assert f"kept as yours: {mine}" in v1.prep("-p", "severity=debug")
    assert git(v1.repo, "rev-parse", f"{REF}^{{tree}}") == tip


@both
def test_a_commit_that_does_not_go_with_the_next_version(v1: Developer) -> None:
    said = "/* Nothing may take the pages of a buffer from its mapping. */"
    assert said in git(v1.repo, "show", f"{REF}:{C}")
    # The line below it is another with the parameter.
    own = committed(v1, "mine", C, said, "/* Mine. */")
    before = said_of(v1.repo)
    done = v1.run("-p", "severity=debug")
    assert done.returncode == 1 and done.stdout == ""
    assert f"{own[:12]} (mine) does not go with the new rendering: CONFLICT" in done.stderr
    assert f"Merge conflict in {C}" in done.stderr
    assert said_of(v1.repo) == before
    assert git(v1.repo, "rev-parse", REF).strip() == own


def test_a_branch_on_another_base(v1: Developer) -> None:
    orphan = v1.git("commit-tree", "-m", "mine", "master^{tree}").strip()
    git(v1.repo, "update-ref", REF, orphan)
    base = git(v1.repo, "rev-parse", "master").strip()[:12]
    assert v1.refused() == (
        f"branch {BRANCH} stands neither on {base} nor on {base}, its base; "
        "name with --base what it stands on"
    )


def test_renderings_of_branches_that_are_gone(v1: Developer) -> None:
    """They are kept as long as their branch is there, and cleared away by the next prep."""
    git(v1.repo, "branch", "-q", "-D", BRANCH)
    v1.prep("--slug", "other")
    kept = git(v1.repo, "for-each-ref", "--format=%(refname)", "refs/dmabuf-patchgen")
    assert kept == "refs/dmabuf-patchgen/b4/other\n"


@pytest.mark.parametrize("v1", ["commit"], indirect=True)
def test_the_commits_that_b4_makes_again_are_ours(v1: Developer) -> None:
    """b4 rewrites the cover's commit below them; they have other ids then and say the same."""
    tree = git(v1.repo, "rev-parse", "master^{tree}").strip()
    *_, cover = git(v1.repo, "rev-list", f"master..{REF}").split()
    message = git(v1.repo, "log", "-1", "--format=%B", cover).replace("dma-buf:", "dmabuf:", 1)
    at = v1.git("commit-tree", tree, "-p", "master", "-F", "-",
                       stdin=message.encode()).strip()  # fmt: skip
    for old in git(v1.repo, "rev-list", "--reverse", f"{cover}..{REF}").split():
        text = git(v1.repo, "log", "-1", "--format=%B", old)
        at = v1.git("commit-tree", f"{old}^{{tree}}", "-p", at, "-F", "-",
                           stdin=text.encode()).strip()  # fmt: skip
    git(v1.repo, "update-ref", REF, at)
    said = v1.prep("-p", "severity=debug")
    assert "kept as" not in said
    assert git(v1.repo, "log", "--reverse", "--format=%s", f"{REF}~5..{REF}").split("\n")[:-1] == [
        *SUBJECTS
    ]


def test_another_strategy(v1: Developer) -> None:
    assert v1.refused("--cover-strategy", "commit").startswith(
        f"branch {BRANCH} keeps its cover by branch-description, not by commit; leave out"
    )


def test_an_unknown_strategy_in_the_settings(developer: Developer) -> None:
    git(developer.repo, "config", "dmabuf-patchgen.coverStrategy", "tip-commit")
    assert developer.refused() == (
        "dmabuf-patchgen.coverStrategy is 'tip-commit'; it takes branch-description or commit"
    )


@pytest.mark.parametrize("slug", ["My", "a/b", "-x", ""])
def test_a_bad_slug(developer: Developer, slug: str) -> None:
    said = developer.refused(f"--slug={slug}")
    assert said.startswith(f"--slug {slug!r}: not a name of small letters, digits and dashes;")


def test_an_address_that_is_none(developer: Developer) -> None:
    before = said_of(developer.repo)
    assert developer.refused("--cc", "nobody").startswith("'nobody' is no mail address; ")
    assert said_of(developer.repo) == before


@pytest.fixture
def bare_python(tmp_path: Path) -> tuple[str, dict[str, str]]:
    """A python without a b4 beside it, and an environment in which PATH has none either."""
    place = tmp_path / "bin"
    place.mkdir()
    (place / "python").symlink_to(sys.executable)
    for name in ("git", "perl", "env", "gcc", "make", "sparse"):
        found = subprocess.run(["which", name], capture_output=True, text=True, check=False)
        if found.stdout:
            (place / name).symlink_to(found.stdout.strip())
    packages = sysconfig.get_paths()["purelib"]
    return str(place / "python"), {
        "PATH": str(place), "PYTHONPATH": f"{CHECKOUT}:{packages}",
    }  # fmt: skip


def test_no_b4(developer: Developer, bare_python: tuple[str, dict[str, str]]) -> None:
    python, env = bare_python
    assert developer.refused(code=3, env=env, python=python) == (
        "b4 is not installed; install it: apt-get install pipx && pipx install b4"
    )


def test_a_b4_that_is_too_old(
    developer: Developer, bare_python: tuple[str, dict[str, str]]
) -> None:
    python, env = bare_python
    fake = Path(python).with_name("fake")
    fake.mkdir()
    (fake / "b4").write_text("#!/bin/sh\necho 0.12.3\n")
    (fake / "b4").chmod(0o755)
    env |= {"PATH": f"{fake}:/bin:{env['PATH']}"}
    said = developer.refused(env=env, python=python)
    assert said.startswith(f"{fake}/b4 is version 0.12.3, and 0.14 is the oldest that will do; ")
    assert git(developer.repo, "branch", "--list", "b4/*") == ""


def test_no_maintainers(developer: Developer, tmp_path: Path) -> None:
    tree = [line for line in git(developer.repo, "ls-tree", "master").splitlines()
            if not line.endswith("\tMAINTAINERS")]  # fmt: skip
    oid = git(developer.repo, "mktree", stdin=("\n".join(tree) + "\n").encode()).strip()
    commit = developer.git("commit-tree", "-m", "less", "-p", "master", oid).strip()
    said = developer.refused("--base", commit)
    assert said.startswith(f"{developer.repo} at {commit}: no MAINTAINERS, which tells whom")
    assert git(developer.repo, "branch", "--list", "b4/*") == ""


def test_a_repository_with_sha256(small_repo: SmallRepo, home: Path, identity: str) -> None:
    developer = Developer(small_repo(kind=Kind.SHA256), home)
    before = said_of(developer.repo)
    assert developer.refused() == (
        f"{developer.repo}: a repository with SHA-256 objects, which b4 cannot handle; "
        "render --branch and -o work there"
    )
    assert said_of(developer.repo) == before


def test_a_directory_without_git(
    linux_612: Path, home: Path, identity: str, tmp_path: Path
) -> None:
    said = Developer(linux_612, home).refused("-o", tmp_path / "out")
    assert said == f"{linux_612}: not a git repository, and b4 works on a branch; see render -o"
    assert not (tmp_path / "out").exists()


def evidence(path: Path, patch_ids: list[str], tree: str) -> Path:
    held = copy.deepcopy(SHOWN)
    held["tree"]["id"] = tree
    held["patch_ids"] = patch_ids
    path.write_text(json.dumps(held))
    return path


def test_evidence(developer: Developer, tmp_path: Path) -> None:
    tree = git(developer.repo, "rev-parse", "master^{tree}").strip()
    other = evidence(tmp_path / "other.json", ["0" * 40], tree)
    assert developer.refused("--evidence", other) == (
        "the evidence is of other patches than these; give the evidence of this series, "
        "with these parameters, or none"
    )
    assert git(developer.repo, "branch", "--list", "b4/*") == ""
    developer.prep()
    assert "Nothing was booted for this posting" in letter(developer)
    log = git(developer.repo, "log", "--reverse", "-p", "--full-index", f"master..{REF}")
    lines = git(developer.repo, "patch-id", "--stable", stdin=log.encode()).splitlines()
    ids = [line.split()[0] for line in lines]
    own = evidence(tmp_path / "own.json", ids, tree)
    developer.prep("--evidence", own)
    assert "Nothing was booted" not in letter(developer)
    assert f"QEMU {SHOWN['runner']['qemu']}" in letter(developer)
    # A Signed-off-by is no change of a patch.
    developer.prep("--slug", "signed", "--signoff", "--evidence", own)
    # The same, but for the form that it says it has.
    forged = tmp_path / "forged.json"
    forged.write_text(json.dumps({**json.loads(own.read_text()), "form": 2}))
    assert developer.refused("--slug", "forged", "--evidence", forged) == (
        f"{forged}: form: evidence of form 2, and only form 1 is read; make it again with "
        "`dmabuf-patchgen prove`"
    )
    # Booted on another kernel than the series applies to.
    elsewhere = evidence(tmp_path / "elsewhere.json", ids, "1" * 40)
    assert developer.refused("--slug", "elsewhere", "--evidence", elsewhere) == (
        f"the evidence is of another tree than {developer.repo} at HEAD: of Linux "
        f"{SHOWN['tree']['version']}, tree 111111111111, and not {tree[:12]}; prove the series "
        "on this one, or let the letter say so: --allow-other-base"
    )
    said = "That is another tree than the one that the series applies to"
    assert said not in " ".join(letter(developer).split())
    developer.prep("--evidence", elsewhere, "--allow-other-base")
    assert said in " ".join(letter(developer).split())


# The gate.


FINDING = """
from dmabuf_patchgen.check import checks
from dmabuf_patchgen.check.report import Finding, Report, Run
def find(base, patches, **_):
    found = Finding("build", 2, patches[1].commit.subject, "drivers/dma-buf/dma-buf.c", 7, 0,
                    "warning", "-Wunused", "unused variable 'x'")
    return Report("x", (), 1.0, (Run("build", 2, 1.0, True),), (found,))
checks.check = find
"""


def test_findings_are_refused_unless_they_are_wanted(developer: Developer) -> None:
    command = f"{FINDING}\nimport sys\nfrom dmabuf_patchgen import __main__\n"
    command += "sys.exit(__main__.run(sys.argv[1:]))\n"
    argv = [sys.executable, "-c", command, "-C", str(developer.repo), "prep", SERIES]

    def run(*args: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([*argv, *args], env=developer.environment(), capture_output=True,
                              text=True, check=False)  # fmt: skip

    before = said_of(developer.repo)
    done = run()
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "dmabuf-patchgen: the checks found 1 thing: drivers/dma-buf/dma-buf.c:7: "
        "unused variable 'x'; see all with check, or take them with --allow-findings"
    )
    assert said_of(developer.repo) == before
    done = run("--allow-findings")
    assert done.returncode == 0, done.stderr
    assert "adds nothing to what" not in letter(developer)
    # They were not kept as a good verdict.
    git(developer.repo, "branch", "-q", "-D", BRANCH)
    assert run().returncode == 2
