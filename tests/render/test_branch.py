# SPDX-License-Identifier: GPL-2.0-only
"""A new branch appears in the user's repository, or nothing does; all else stays to the byte."""

import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests import tiny
from tests.conftest import CHECKOUT, Cli
from tests.repos import Kind, git
from tests.tiny import Toy

BRANCH = "b4/toy"
REF = f"refs/heads/{BRANCH}"

#: Whatever a configuration can do to what git shows, writes or runs.
HOSTILE = """\
[user]
	name = A. Developer
	email = developer@example.org
	signingKey = none
[commit]
	gpgSign = true
	template = /nonexistent
	cleanup = scissors
[gpg]
	program = /bin/false
[log]
	showSignature = true
	decorate = full
	date = relative
	follow = true
	mailmap = true
[core]
	autocrlf = true
	eol = crlf
	safecrlf = true
	quotePath = true
	commentChar = d
	abbrev = 5
	pager = false
	editor = false
	logAllRefUpdates = false
	hooksPath = HOOKS
	attributesFile = ATTRIBUTES
	fsmonitor = false
[i18n]
	commitEncoding = latin1
	logOutputEncoding = utf-16
[color]
	ui = always
[format]
	signature = SIGNATURE
	numbered = false
	attach = true
	thread = deep
	subjectPrefix = RFC
	suffix = .txt
	coverLetter = true
	signOff = true
	to = to@example.org
	cc = cc@example.org
	headers = X-Header: yes
	pretty = oneline
	useAutoBase = true
	from = true
	notes = true
	encodeEmailHeaders = false
	outputDirectory = OUTPUT
	filenameMaxLength = 20
[diff]
	noprefix = true
	mnemonicPrefix = true
	algorithm = patience
	context = 9
	interHunkContext = 9
	renames = copies
	suppressBlankEmpty = true
	external = false
	wordRegex = .
	orderFile = /nonexistent
	submodule = log
	indentHeuristic = false
	statGraphWidth = 10
	ignoreSubmodules = all
	wsErrorHighlight = all
	colorMoved = zebra
[diff "cpp"]
	xfuncname = "^never$"
	textconv = false
	command = false
[fastimport]
	unpackLimit = 1
[receive]
	denyCurrentBranch = updateInstead
[transfer]
	fsckObjects = true
[gc]
	auto = 1
[init]
	defaultBranch = odd
	templateDir = HOOKS
[alias]
	fast-import = !false
"""


def hostile(root: Path) -> dict[str, str]:
    """An environment, with a configuration, that do their worst; commands fail if run."""
    hooks = root / "hooks"
    hooks.mkdir()
    for name in ("reference-transaction", "post-commit", "pre-commit", "post-index-change"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {root}/hooked\nexit 1\n")
        (hooks / name).chmod(0o755)
    (root / "attributes").write_text("* -diff\n*.c text eol=crlf working-tree-encoding=utf-16\n")
    config = HOSTILE.replace("HOOKS", str(hooks)).replace("ATTRIBUTES", str(root / "attributes"))
    (root / "hostile").write_text(config.replace("OUTPUT", str(root / "output")))
    git(root, "init", "-q", "elsewhere")
    elsewhere = root / "elsewhere" / ".git"
    return {
        "GIT_CONFIG_GLOBAL": str(root / "hostile"),
        "GIT_DIR": str(elsewhere),
        "GIT_WORK_TREE": str(root / "elsewhere"),
        "GIT_INDEX_FILE": str(root / "index"),
        "GIT_OBJECT_DIRECTORY": str(elsewhere / "objects"),
        "GIT_EXTERNAL_DIFF": "/bin/false",
        "GIT_DIFF_OPTS": "-u9",
        "GIT_PAGER": "false",
        "GIT_EDITOR": "false",
        "GIT_AUTHOR_DATE": "2001-01-01T00:00:00 +0500",
        "GIT_COMMITTER_DATE": "2002-01-01T00:00:00 -0500",
        "GIT_COMMITTER_NAME": "Somebody Else",
        "GIT_DEFAULT_HASH": "sha256",
        "GIT_LITERAL_PATHSPECS": "1",
        "LC_ALL": "C",
        "TZ": "Pacific/Kiritimati",
        "COLUMNS": "20",
    }


@pytest.fixture
def toy(cli: Cli, tmp_path: Path) -> Toy:
    return tiny.toy(cli, tmp_path / "toy")


def render(toy: Toy, repo: Path, *args: str, env: Mapping[str, str] | None = None) -> str:
    """The tip of the branch that the command made."""
    done = toy("-C", repo, "render", "toy", "--branch", BRANCH, *args, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    return git(repo, "rev-parse", REF).strip()


def refused(toy: Toy, repo: Path, *args: str, branch: str = BRANCH) -> str:
    done = toy("-C", repo, "render", "toy", "--branch", branch, *args)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    return line.removeprefix("dmabuf-patchgen: ")


def dirty(repo: Path) -> None:
    """Somebody is at work here: changed, staged, untracked, ignored, stashed, in the middle."""
    git(repo, "checkout", "-q", "HEAD", "--", ".")
    commit = ("-c", "user.name=T", "-c", "user.email=t@example.org")
    (repo / "Makefile").write_bytes(b"stashed\n")
    git(repo, *commit, "stash", "-q")
    (repo / "Kconfig").write_bytes(b"changed\n")
    (repo / "Kbuild").write_bytes(b"staged\n")
    git(repo, "add", "Kbuild")
    (repo / "drivers/dma-buf/dma-buf.c").unlink()
    (repo / "untracked").write_bytes(b"x")


def private(repo: Path) -> tuple[Path, ...]:
    """The work tree and all of git's directories of a repository."""
    common = git(repo, "rev-parse", "--path-format=absolute", "--git-common-dir").strip()
    return (repo, Path(common))


#: The branch, its reflog, and objects.
NEW = re.compile(
    r"/((logs/)?refs/heads/b4(/toy)?|logs(/refs(/heads)?)?|objects/[0-9a-f]{2}(/[0-9a-f]+)?)$"
)


@pytest.mark.parametrize("kind", Kind)
def test_the_repository_stays_as_it_is(toy: Toy, tmp_path: Path, identity: str, kind: Kind) -> None:
    repo = tiny.repo(tmp_path, kind)
    if kind not in (Kind.BARE, Kind.UNCHECKED):
        dirty(repo)
    roots = private(repo)
    before = tiny.snapshot(*roots)
    status = "" if kind is Kind.BARE else git(repo, "status", "--porcelain")
    after_status = tiny.snapshot(*roots)
    tip = render(toy, repo)
    after = tiny.snapshot(*roots)
    new = {path for path in after if path not in after_status}
    promised = {path for path in new if kind is Kind.PARTIAL and "/objects/pack/" in path}
    assert {path for path in new - promised if not NEW.search(path)} == set()
    assert {path for path in after_status if after.get(path) != after_status[path]} == set()
    assert {*before} <= {*after}
    if kind is not Kind.BARE:
        assert git(repo, "status", "--porcelain") == status
    refs = git(repo, "for-each-ref", "--format=%(refname)").split()
    assert REF in refs and not [ref for ref in refs if "dmabuf-patchgen" in ref]
    assert git(repo, "rev-list", "--count", f"master..{tip}").strip() == "2"
    assert git(repo, "merge-base", "v6.12", tip) == git(repo, "rev-parse", "v6.12^{commit}")
    git(repo, "fsck", "--strict", "--no-dangling", *(["--connectivity-only"] if promised else []))


@pytest.mark.parametrize("kind", [Kind.ORDINARY, Kind.SHA256, Kind.BARE])
def test_the_commits(toy: Toy, tmp_path: Path, identity: str, kind: Kind) -> None:
    repo = tiny.repo(tmp_path, kind)
    render(toy, repo, "-p", "loud=yes")
    said = git(
        repo, "log", "--reverse", "--format=%an <%ae>|%cn <%ce>|%aI|%cI|%s", f"master..{REF}"
    )
    stamp = "2026-01-02T03:04:05"
    assert [line.replace("Z", "+00:00") for line in said.splitlines()] == [
        f"{identity}|{identity}|{stamp}+00:00|{stamp}+00:00|{subject}"
        for subject in ("dma-buf: check the flags", "dma-buf: add an ioctl")
    ]
    assert git(repo, "log", "-1", "--format=%B", f"{REF}~1") == (
        "dma-buf: check the flags\n\nBecause it is LOUD, says Andr\u00e9.\n\n"
        "Link: https://lore.kernel.org/r/1@example.org\n\n"
    )
    assert git(repo, "diff", "--name-status", f"master..{REF}").splitlines() == [
        "M\tdrivers/dma-buf/Makefile",
        "M\tdrivers/dma-buf/dma-buf.c",
        "A\tdrivers/dma-buf/dma-toy.c",
        "M\tinclude/uapi/linux/dma-buf.h",
    ]
    assert git(repo, "log", "-g", "-1", "--format=%gs", REF) == "dmabuf-patchgen: render toy\n"


def test_commits_are_never_older_than_their_parent(
    toy: Toy, tmp_path: Path, identity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = tiny.repo(tmp_path)
    made = git(
        repo,
        "-c",
        "user.name=T",
        "-c",
        "user.email=t@e",
        "commit",
        "-q",
        "--allow-empty",
        "-m",
        "x",
    )
    assert made == ""
    tree = git(repo, "rev-parse", "HEAD^{tree}").strip()
    late = f"tree {tree}\nauthor T <t@e> 2000000000 +0200\ncommitter T <t@e> 2000000000 +0200\n"
    signed = (
        f"{late}gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\n\nx\n"
    )
    oid = git(repo, "hash-object", "-w", "-t", "commit", "--stdin", stdin=signed.encode()).strip()
    git(repo, "reset", "-q", "--hard", oid)
    # A commit with a signature, and a user who wants to be told of those.
    git(repo, "config", "log.showSignature", "true")
    render(toy, repo)
    assert git(repo, "log", "-2", "--format=%ct", REF).split() == ["2000000000"] * 2


def test_same_input_same_commits(toy: Toy, tmp_path: Path, identity: str) -> None:
    """On two clones, a second time, and whatever configuration and environment do."""
    one, two, bad = (tiny.repo(tmp_path, name=name) for name in ("one", "two", "bad"))
    tip = render(toy, one)
    assert render(toy, two) == tip
    assert render(toy, one, "--force") == tip
    (tmp_path / "hostile").mkdir()
    env = hostile(tmp_path / "hostile")
    assert render(toy, bad, env=env) == tip
    assert not (tmp_path / "hostile" / "hooked").exists()
    assert not (tmp_path / "hostile" / "output").exists()
    # As the repository's own configuration it is no other.
    config = bad / ".git" / "config"
    config.write_text(config.read_text() + (tmp_path / "hostile" / "hostile").read_text())
    git(bad, "-c", "core.hooksPath=/dev/null", "update-ref", "-d", REF)
    assert render(toy, bad) == tip
    assert not (tmp_path / "hostile" / "hooked").exists()


def test_another_input_gives_another_commit(toy: Toy, tmp_path: Path, identity: str) -> None:
    repo = tiny.repo(tmp_path)
    tip = render(toy, repo)
    assert render(toy, repo, "--force", "-p", "loud=yes") != tip
    assert render(toy, repo, "--force") == tip


@pytest.mark.parametrize("kind", [Kind.ORDINARY, Kind.BARE, Kind.WORKTREE, Kind.SHALLOW])
def test_a_branch_that_exists(toy: Toy, tmp_path: Path, identity: str, kind: Kind) -> None:
    repo = tiny.repo(tmp_path, kind)
    git(repo, "branch", BRANCH, "master")
    before = tiny.snapshot(*private(repo))
    assert refused(toy, repo).startswith(f"branch {BRANCH} exists in {repo}; choose another")
    said = refused(toy, repo, "--force")
    assert said.startswith(f"branch {BRANCH} is not as this tool made it")
    assert tiny.snapshot(*private(repo)) == before


def test_force_replaces_what_this_tool_made(toy: Toy, tmp_path: Path, identity: str) -> None:
    for kind in (Kind.ORDINARY, Kind.BARE):
        repo = tiny.repo(tmp_path, kind, kind.value)
        tip = render(toy, repo)
        assert "exists in" in refused(toy, repo)
        assert git(repo, "rev-parse", REF).strip() == tip
        other = render(toy, repo, "--force", "-p", "nr=6")
        assert other != tip
        assert git(repo, "log", "-g", "--format=%H", REF).split() == [other, tip]


@pytest.mark.parametrize("subject", ["my own work", "dmabuf-patchgen: render toy"])
def test_force_keeps_a_commit_of_the_user_s(
    toy: Toy, tmp_path: Path, identity: str, subject: str
) -> None:
    repo = tiny.repo(tmp_path)
    render(toy, repo)
    git(repo, "checkout", "-q", BRANCH)
    git(repo, "-c", "user.name=T", "-c", "user.email=t@e", "commit", "-q", "--allow-empty",
        "-m", subject)  # fmt: skip
    git(repo, "checkout", "-q", "master")
    tip = git(repo, "rev-parse", REF)
    assert "is not as this tool made it" in refused(toy, repo, "--force")
    assert git(repo, "rev-parse", REF) == tip


def test_force_keeps_a_branch_without_reflog(toy: Toy, tmp_path: Path, identity: str) -> None:
    repo = tiny.repo(tmp_path)
    render(toy, repo)
    (repo / ".git" / "logs" / REF).unlink()
    assert "is not as this tool made it" in refused(toy, repo, "--force")


def test_force_keeps_a_branch_that_was_moved(toy: Toy, tmp_path: Path, identity: str) -> None:
    repo = tiny.repo(tmp_path)
    render(toy, repo)
    git(repo, "update-ref", REF, "master")
    assert "is not as this tool made it" in refused(toy, repo, "--force")


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_branch_that_is_checked_out(
    toy: Toy, tmp_path: Path, identity: str, elsewhere: bool
) -> None:
    repo = tiny.repo(tmp_path)
    render(toy, repo)
    where = tmp_path / "other" if elsewhere else repo
    if elsewhere:
        git(repo, "worktree", "add", "-q", str(where), BRANCH)
    else:
        git(repo, "checkout", "-q", BRANCH)
    tip = git(repo, "rev-parse", REF)
    for force in ((), ("--force",)):
        assert f"branch {BRANCH} is checked out in {where}" in refused(toy, repo, *force)
    assert git(repo, "rev-parse", REF) == tip


def test_the_current_branch_of_a_bare_repository(toy: Toy, tmp_path: Path, identity: str) -> None:
    """Nothing is checked out there: it may be replaced, if this tool made it."""
    repo = tiny.repo(tmp_path, Kind.BARE)
    assert "exists in" in refused(toy, repo, branch="master")


def test_a_branch_that_is_not_born_yet(toy: Toy, tmp_path: Path, identity: str) -> None:
    repo = tiny.repo(tmp_path)
    git(repo, "symbolic-ref", "HEAD", REF)
    done = toy("-C", repo, "--base", "v6.12", "render", "toy", "--branch", BRANCH)
    assert done.returncode == 1 and "is checked out in" in done.stderr


@pytest.mark.parametrize(
    "name",
    ["-x", "a b", "a..b", "a~1", "/a", "a/", "a.lock", "@{-1}", "HEAD", "refs heads", "a\nb"],
)
def test_no_name_of_a_branch(toy: Toy, tmp_path: Path, identity: str, name: str) -> None:
    repo = tiny.repo(tmp_path)
    said = refused(toy, repo, branch=name)
    assert "is no name of a branch; git check-ref-format(1) has the rules" in said
    assert git(repo, "for-each-ref", "--format=%(refname)", "refs/heads").split() == [
        "refs/heads/master"
    ]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("other", ["b4", "b4/toy/v2", "b4/toy/v\N{LINE SEPARATOR}2"])
def test_a_branch_in_the_way(
    toy: Toy, tmp_path: Path, identity: str, other: str, packed: bool
) -> None:
    """git keeps refs as files: b4 and b4/toy cannot both be. Seen before anything is written."""
    repo = tiny.repo(tmp_path)
    git(repo, "branch", other)
    if packed:
        git(repo, "pack-refs", "--all")
    out = tmp_path / "out"
    said = refused(toy, repo, "-o", str(out))
    assert said == (
        f"branch {' '.join(other.split())} is in the way: git has no room for {BRANCH} beside it; "
        "choose another name"
    )
    assert not out.exists()


def test_no_identity(toy: Toy, tmp_path: Path) -> None:
    repo = tiny.repo(tmp_path)
    said = refused(toy, repo, "-o", str(tmp_path / "out"))
    assert "no git identity to make commits with; git config --global user.name" in said
    assert not (tmp_path / "out").exists()
    env = {"GIT_AUTHOR_NAME": "Env", "GIT_AUTHOR_EMAIL": "env@example.org"}
    tip = render(toy, repo, env=env)
    assert git(repo, "log", "-1", "--format=%an <%ae>", tip) == "Env <env@example.org>\n"


def test_no_repository(toy: Toy, tmp_path: Path, identity: str) -> None:
    where = tiny.tree(tmp_path / "linux")
    assert refused(toy, where).startswith(f"{where}: not a git repository, so no branch; give -o")


def test_a_series_of_many_objects(toy: Toy, tmp_path: Path, identity: str) -> None:
    """More than git keeps loose: a pack is made."""
    many = "".join(
        f"--- drivers/dma-buf/many-{n}.c\n@@ new file @@\n+int many_{n};\n" for n in range(120)
    )
    (tmp_path / "toy" / "templates" / "toy" / "01-check.patch.j2").write_text(
        f"dma-buf: many\n\n{many}"
    )
    repo = tiny.repo(tmp_path)
    render(toy, repo)
    assert [*(repo / ".git" / "objects" / "pack").glob("*.idx")]
    git(repo, "fsck", "--strict", "--no-dangling")
    assert not [*(repo / ".git" / "objects").rglob("tmp_*")]


# Killed half-way.

#: Renders in a child that ends itself by a signal at its Nth look at the machine: each file
#: opened, made, moved or removed and each program started is a moment.
KILLED = textwrap.dedent(
    """
    import os, signal, sys
    sys.path.insert(0, {root!r})
    from dmabuf_patchgen.__main__ import run
    import dmabuf_patchgen.render.branch, dmabuf_patchgen.render.directory
    import dmabuf_patchgen.render.environment, dmabuf_patchgen.render.mails
    import dmabuf_patchgen.render.series
    number, first, step, arguments = (
        int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
    )
    MOMENTS = (
        "open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.scandir", "os.listdir",
        "shutil.rmtree", "subprocess.Popen", "tempfile.mkdtemp", "os.posix_spawn",
    )

    def child(at):
        seen = 0
        def hook(event, args):
            nonlocal seen
            # Not in a fork of its own, which the user's terminal does not end alone.
            if event in MOMENTS and os.getpid() == own:
                seen += 1
                if seen == at:
                    os.kill(os.getpid(), number)
        sys.stdout.flush()
        pid = os.fork()
        if pid:
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, 1)
        os.dup2(devnull, 2)
        own = os.getpid()
        sys.addaudithook(hook)
        code = run(arguments, {checks})
        os._exit(code)

    at = first
    while True:
        code = child(at)
        print(at, code, flush=True)
        if code == 0:
            break
        at += step
        # What the test looks at between two of them.
        sys.stdin.readline()
    """
)


def killed(
    toy_root: Path, number: int, first: int, step: int, *args: str | Path
) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", KILLED.format(root=str(toy_root), checks="None"),
         str(int(number)), str(first), str(step), *map(str, args)],
        env={**os.environ, "PYTHONPATH": str(toy_root), "PYTHONSAFEPATH": "1"},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.parametrize(("number", "first"), [(signal.SIGTERM, 1), (signal.SIGINT, 6)])
def test_killed_half_way_nothing_is_left(
    toy: Toy,
    tmp_path: Path,
    identity: str,
    number: int,
    first: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At every eleventh moment; a step of 1 has been tried as well, and takes minutes."""
    repo = tiny.repo(tmp_path, Kind.UNCHECKED)
    temporary, out = tmp_path / "tmp", tmp_path / "out"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    roots = (repo, temporary)

    def left() -> set[str]:
        """What is new but for objects, which git itself clears away."""
        new = {path for path in tiny.snapshot(*roots) if path not in before}
        return {
            path for path in new if not re.search(r"/objects/[0-9a-f]{2}(/[0-9a-f]{38})?$", path)
        }

    before = tiny.snapshot(*roots)
    arguments = ("-C", repo, "render", "toy", "--branch", BRANCH, "-o", out)
    moments = 0
    with killed(tmp_path / "toy", number, first, 11, *arguments) as child:
        assert child.stdin and child.stdout
        for line in child.stdout:
            moments, code = map(int, line.split())
            if code == 0:
                break
            assert code == 128 + number
            found = left()
            made = {path for path in found if REF in path or path.endswith(("/b4", "/heads"))}
            # A signal that comes when all is done finds all there.
            assert found - made == set()
            assert bool(made) <= out.exists()
            if out.exists():
                names = sorted(path.name for path in out.iterdir())
                assert len(names) == 3 and names[-1] == "series.json"
                subprocess.run(["rm", "-rf", out], check=True)
            if made:
                git(repo, "update-ref", "-d", REF)
                subprocess.run(["rm", "-rf", repo / ".git/logs/refs/heads/b4",
                                repo / ".git/refs/heads/b4"], check=True)  # fmt: skip
            child.stdin.write("\n")
            child.stdin.flush()
    # The control: these are many moments, and without a signal it comes to its end.
    assert moments > 40
    assert git(repo, "rev-parse", "--verify", REF) and out.exists()


def test_sigkill_leaves_no_ref(
    toy: Toy, tmp_path: Path, identity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo = tiny.repo(tmp_path, Kind.UNCHECKED)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    arguments = ("-C", repo, "render", "toy", "--branch", BRANCH)
    ends = 0
    with killed(tmp_path / "toy", signal.SIGKILL, 3, 5, *arguments) as child:
        assert child.stdin and child.stdout
        for line in child.stdout:
            if int(line.split()[1]) == 0:
                break
            ends += 1
            refs = git(repo, "for-each-ref", "--format=%(refname)").split()
            if REF in refs:
                # It was the last moment: the branch is whole.
                git(repo, "fsck", "--strict", REF)
                git(repo, "update-ref", "-d", REF)
            assert {*refs} - {REF} == {
                "refs/heads/master", "refs/remotes/origin/HEAD", "refs/remotes/origin/master",
                "refs/tags/v6.12",
            }  # fmt: skip
            child.stdin.write("\n")
            child.stdin.flush()
    assert ends > 3


def test_a_signal_that_shall_not_be_heeded(toy: Toy, tmp_path: Path, identity: str) -> None:
    """As under nohup: a hang-up ends nothing."""
    repo = tiny.repo(tmp_path, Kind.UNCHECKED)
    script = KILLED.format(root=str(tmp_path / "toy"), checks="None")
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        done = subprocess.run(
            [sys.executable, "-c", script, str(int(signal.SIGHUP)), "9", "1",
             "-C", str(repo), "render", "toy", "--branch", BRANCH],
            env={**os.environ, "PYTHONPATH": str(tmp_path / "toy"), "PYTHONSAFEPATH": "1"},
            capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    finally:
        signal.signal(signal.SIGHUP, before)
    assert done.stdout == "9 0\n"
    assert git(repo, "rev-parse", "--verify", REF)


def test_interrupted_is_one_line(toy: Toy, tmp_path: Path, identity: str) -> None:
    """A git that never ends stands for a slow one; the whole command is ended from without."""
    repo = tiny.repo(tmp_path)
    slow = tmp_path / "bin"
    slow.mkdir()
    (slow / "git").write_text(
        f'#!/bin/sh\ncase "$*" in *cat-file*) touch {slow}/asked; exec sleep 60;; esac\n'
        f'PATH="{os.environ["PATH"]}" exec git "$@"\n'
    )
    (slow / "git").chmod(0o755)
    path = {"PATH": f"{slow}:{os.environ['PATH']}", "PYTHONPATH": str(tmp_path / "toy")}
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        (slow / "asked").unlink(missing_ok=True)
        with subprocess.Popen(
            [sys.executable, "-P", "-m", "dmabuf_patchgen", "-C", str(repo), "render", "toy",
             "--branch", BRANCH],
            env={**os.environ, **path}, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as child:  # fmt: skip
            while not (slow / "asked").exists():
                assert child.poll() is None
            child.send_signal(number)
            out, err = child.communicate(timeout=30)
        assert (child.returncode, out) == (128 + number, "")
        assert err == "dmabuf-patchgen: interrupted; nothing half-done is left behind\n"


def test_the_package_is_the_checkout_s(toy: Toy, tmp_path: Path) -> None:
    """The command of these tests has other templates, and the code that is tested."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", "import dmabuf_patchgen as d; print(d.__file__)"],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "toy")},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert Path(done.stdout.strip()).resolve() == CHECKOUT / "dmabuf_patchgen" / "__init__.py"
