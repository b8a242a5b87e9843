# SPDX-License-Identifier: GPL-2.0-only
"""The command as its user meets it: what it prints, and how it refuses."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import pytest

from dmabuf_patchgen import __version__
from dmabuf_patchgen.cli.group import VERBS
from dmabuf_patchgen.cli.group import cli as command
from tests import tiny
from tests.conftest import Cli, SmallRepo
from tests.repos import Kind, git
from tests.tiny import Toy

CHECK = "toy/01-check.patch.j2"
DMA_BUF = "drivers/dma-buf/dma-buf.c"


@pytest.fixture
def toy(cli: Cli, tmp_path: Path) -> Toy:
    return tiny.toy(cli, tmp_path / "toy")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return tiny.tree(tmp_path / "linux")


def refused(done: "subprocess.CompletedProcess[str]") -> str:
    """One line on stderr, nothing on stdout, and exit code 1."""
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("dmabuf-patchgen: ") and "Traceback" not in line
    return line.removeprefix("dmabuf-patchgen: ")


# Bad input: place, cause and next step, and nothing written.


class Bad:
    """A kernel tree in a state, and a render that must be refused without a trace."""

    def __init__(self, toy: Toy, root: Path) -> None:
        self.toy = toy
        self.root = root
        self.out = root / "out"

    def says(self, tree: Path, *args: str | Path, series: Sequence[str] = ("toy",)) -> str:
        """What is said; where to write to is added if there is nothing in the arguments."""
        if not {"-o", "--branch", "--diff"} & {*args}:
            args = (*args, "-o", self.out)
        before = tiny.snapshot(self.root)
        said = refused(self.toy("-C", tree, "render", *series, *args))
        assert tiny.snapshot(self.root) == before
        return said


@pytest.fixture
def bad(toy: Toy, tmp_path: Path) -> Bad:
    return Bad(toy, tmp_path)


def test_not_a_kernel_tree(bad: Bad, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    git(tmp_path, "init", "-q", "repo")
    git(tmp_path / "repo", "-c", "user.name=T", "-c", "user.email=t@e", "commit", "-q",
        "--allow-empty", "-m", "x")  # fmt: skip
    assert bad.says(tmp_path / "empty") == (
        f"{tmp_path}/empty: not a kernel tree: it has no Kbuild; "
        "-C names the root of a kernel tree, --base a revision of it"
    )
    assert "at HEAD: not a kernel tree: it has no Kbuild; -C" in bad.says(tmp_path / "repo")
    assert "nowhere: no such directory; -C names" in bad.says(tmp_path / "nowhere")


def test_a_tree_without_dma_buf(bad: Bad, tree: Path) -> None:
    (tree / DMA_BUF).unlink()
    assert "no dma-buf: it has no drivers/dma-buf/dma-buf.c; -C names" in bad.says(tree)


def test_an_unknown_series(bad: Bad, tree: Path) -> None:
    assert bad.says(tree, series=["tyo"]) == "no series is named 'tyo'; there are: toy"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("lvl=far", "no parameter is named 'lvl' in toy; there are: level, loud, nr"),
        ("level=wide", "parameter level is 'wide'; it takes far, debug"),
        ("loud=1", "parameter loud is '1'; it takes yes or no"),
        ("nr=four", "parameter nr is 'four'; it takes a number from 0 to 7 that is free"),
        ("nr=8", "parameter nr is '8'; it takes a number from 0 to 7 that is free"),
        ("nr=-1", "parameter nr is '-1'; it takes a number from 0 to 7 that is free"),
        ("nr=4)", "parameter nr is '4)'; it takes a number from 0 to 7 that is free"),
        ("nr=\u0664", "parameter nr is '\u0664'; it takes a number from 0 to 7 that is free"),
        ("level=far; }", "parameter level is 'far; }'; it takes far, debug"),
        ("level=far\n+int x;", "parameter level is 'far\\n+int x;'; it takes far, debug"),
        ("nr", "-p nr: no NAME=VALUE; for example -p severity=refuse"),
        ("=4", "-p =4: no NAME=VALUE; for example -p severity=refuse"),
    ],
)
def test_a_parameter(bad: Bad, tree: Path, typed: str, said: str) -> None:
    assert bad.says(tree, "-p", typed) == said


def test_a_parameter_given_twice(bad: Bad, tree: Path) -> None:
    said = bad.says(tree, "-p", "nr=4", "-p", "nr=5")
    assert said == "-p nr=5: nr is given twice; leave one of them out"


def test_an_ioctl_number_that_is_taken(bad: Bad, tree: Path) -> None:
    assert bad.says(tree, "-p", "nr=1") == (
        "parameter nr: number 1 is taken by DMA_BUF_SET_NAME in include/uapi/linux/dma-buf.h; "
        "free: 3, 4, 5, 6, 7"
    )
    assert bad.says(tree, "-p", "nr=2") == (
        "parameter nr: number 2 is taken by DMA_BUF_IOCTL_EXPORT_SYNC_FILE upstream; "
        "free: 3, 4, 5, 6, 7"
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"int dma_buf_mmap(", b"int dma_buf_mmap2(", "function dma_buf_mmap is not there"),
        (
            b"int dma_buf_mmap(",
            b"int dma_buf_mmap(void)\n{\n}\nint dma_buf_mmap(",
            "function dma_buf_mmap is there 2 times, in lines 41, 44",
        ),
        (
            b"\treturn dmabuf->ops->mmap(dmabuf, vma);\n}\nEXPORT",
            b"\treturn dmabuf->ops->mmap(dmabuf, vma) );\n}\nEXPORT",
            "lies in a region that does not parse, line 43",
        ),
    ],
)
def test_a_place(bad: Bad, tree: Path, old: bytes, new: bytes, said: str) -> None:
    path = tree / DMA_BUF
    assert old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(old, new))
    line = bad.says(tree)
    assert line.startswith(f"'dma-buf: check the flags': {DMA_BUF}: ") and said in line
    assert line.endswith(f"; see {tree.parent}/toy/templates/{CHECK}")


def test_a_half_present_patch(bad: Bad, tree: Path) -> None:
    header = tree / "include/uapi/linux/dma-buf.h"
    line = b"#define DMA_BUF_IOCTL_TOY\t_IO(DMA_BUF_BASE, 3)\n"
    header.write_bytes(header.read_bytes() + line)
    said = bad.says(tree)
    assert said.startswith("'dma-buf: add an ioctl': the tree has half of it: it has include/uapi")
    assert said.endswith("; take the patch out of the tree, or finish it there")


def test_an_unknown_revision(bad: Bad, tmp_path: Path) -> None:
    repo = tiny.repo(tmp_path)
    for base in ("v9.9", ""):
        said = refused(bad.toy("-C", repo, "--base", base, "render", "toy", "-o", bad.out))
        assert said == (
            f"{repo}: unknown revision {base!r}; name a commit, tag or branch of that repo"
        )
    assert not bad.out.exists()


def test_a_branch(bad: Bad, tmp_path: Path, identity: str) -> None:
    repo = tiny.repo(tmp_path)
    git(repo, "branch", "there")
    assert bad.says(repo, "--branch", "there", "-o", bad.out) == (
        f"branch there exists in {repo}; "
        "choose another --branch, or --force to replace one that this tool made"
    )
    assert bad.says(repo, "--branch", "there", "--force") == (
        "branch there is not as this tool made it, so --force does not replace it; "
        "choose another --branch, or delete it yourself: git branch -D there"
    )
    assert bad.says(repo, "--branch", "master", "--force") == (
        f"branch master is checked out in {repo}; "
        "choose another name, or check something else out there"
    )
    said = bad.says(repo, "--branch", "", "-o", bad.out)
    assert said == "'' is no name of a branch; git check-ref-format(1) has the rules"


def test_an_output_directory(bad: Bad, tree: Path, tmp_path: Path) -> None:
    tiny.write(tmp_path / "full", {"mine": b"x"})
    assert bad.says(tree, "-o", tmp_path / "full") == (
        f"{tmp_path}/full: has a file that is not this tool's: mine; "
        "choose another -o, or move the file away"
    )
    assert bad.says(tree, "-o", tmp_path / "full" / "mine") == (
        f"{tmp_path}/full/mine: not a directory; choose another -o"
    )
    assert bad.says(tree, "-o", tmp_path / "full" / "mine" / "out") == (
        f"{tmp_path}/full/mine/out: cannot be made in {tmp_path}/full/mine; choose another -o"
    )


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
def test_an_output_directory_that_not_even_root_can_make(
    bad: Bad, tree: Path, identity: str
) -> None:
    said = bad.says(tree, "-o", "/proc/dmabuf-patchgen")
    assert said.startswith("/proc/dmabuf-patchgen: ")


def test_no_git_identity(bad: Bad, tmp_path: Path) -> None:
    repo = tiny.repo(tmp_path)
    assert bad.says(repo, "--branch", "b4/x", "-o", bad.out) == (
        f"{repo} at HEAD: no git identity to make commits with; git config --global user.name "
        "'Your Name'; git config --global user.email you@example.com"
    )


def test_patches_need_no_identity(toy: Toy, tree: Path, tmp_path: Path) -> None:
    done = toy("-C", tree, "render", "toy", "-o", tmp_path / "out")
    assert done.returncode == 0
    assert "no git identity: the patches are from dmabuf-patchgen <" in done.stderr


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (CHECK, "{{ nothing }}\n", f"{CHECK}:1: 'nothing' is undefined"),
        (CHECK, "s\n\n{% if %}\n", f"{CHECK}:3: Expected an expression"),
        ("facts.toml", "x = \n", "facts.toml: Invalid value (at line 1, column 5)"),
        ("toy/series.toml", "title = 1\n", "toy/series.toml: wrong or missing entry"),
    ],
)
def test_a_template_with_an_error(
    cli: Cli, tree: Path, tmp_path: Path, name: str, text: str, said: str
) -> None:
    broken = Bad(tiny.toy(cli, tmp_path / "toy", {name: text}), tmp_path)
    assert broken.says(tree).startswith(f"{tmp_path}/toy/templates/{said}")


def test_where_to_write(bad: Bad, tree: Path) -> None:
    usage = "; see dmabuf-patchgen render --help"
    said = refused(bad.toy("-C", tree, "render", "toy"))
    assert said == f"nothing to write to: give -o DIR, --branch NAME or --diff{usage}"
    said = bad.says(tree, "--diff", "-o", bad.out)
    assert said == f"--diff writes nothing: give it without -o and --branch{usage}"
    assert bad.says(tree, "-o", bad.out, "--force") == f"--force goes with --branch{usage}"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rendr"], "No such command 'rendr'"),
        (["render"], "Missing argument 'SERIES...'; see dmabuf-patchgen render --help"),
        (["show"], "Missing argument 'SERIES'; see dmabuf-patchgen show --help"),
        (["--nothing"], "No such option"),
        (["list", "more"], "Got unexpected extra argument (more); see dmabuf-patchgen list"),
        (["render", "toy", "-o"], "Option '-o' requires an argument; see dmabuf-patchgen"),
        (["show", "nothing"], "no series is named 'nothing'; there are: dma-buf-kunit, dma-buf"),
    ],
)
def test_usage(cli: Cli, arguments: list[str], said: str) -> None:
    assert refused(cli(*arguments)).startswith(said)


def test_without_git(toy: Toy, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    done = toy("-C", tree, "render", "toy", "-o", tmp_path / "out", env={"PATH": f"{tmp_path}/bin"})
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        "dmabuf-patchgen: git is not installed; install it: apt-get install git\n"
    )


# What is printed.


def test_list(cli: Cli) -> None:
    said = json.loads(cli("list", "--json").stdout)
    assert [{*one} for one in said] == [{"name", "title", "requires"}] * len(said)
    assert {"dma-buf-pfnmap", "dma-buf-map-info"} <= {one["name"] for one in said}
    plain = cli("list")
    assert plain.returncode == 0
    assert [line.split()[0] for line in plain.stdout.splitlines()] == [o["name"] for o in said]


@pytest.mark.parametrize("series", ["dma-buf-pfnmap", "dma-buf-map-info"])
def test_show(cli: Cli, series: str) -> None:
    said = json.loads(cli("show", series, "--json").stdout)
    assert {"name", "title", "summary", "revised", "parameters", "patches"} <= {*said}
    plain = cli("show", series)
    assert (plain.returncode, plain.stderr) == (0, "")
    for name, about in said["parameters"].items():
        assert {"type", "takes", "default", "help"} <= {*about}
        assert f"  {name}: {about['help']}\n      takes {about['takes']}" in plain.stdout
    for patch in said["patches"]:
        assert patch["template"] in plain.stdout
        assert " ".join(patch["when"].split()) in " ".join(plain.stdout.split())
    assert max(map(len, plain.stdout.splitlines())) <= 100


def test_inspect(toy: Toy, tree: Path, tmp_path: Path) -> None:
    said = json.loads(toy("-C", tree, "inspect", "--json").stdout)
    assert said == {
        "tree": str(tree),
        "version": "6.12.9-rc1",
        "commit": None,
        "facts": {
            "heap": False,
            "debug": True,
            "ioctls": {"0": "DMA_BUF_IOCTL_SYNC", "1": "DMA_BUF_SET_NAME"},
        },
    }
    repo = tiny.repo(tmp_path, name="repo")
    from_git = json.loads(toy("-C", repo, "--base", "v6.12", "inspect", "--json").stdout)
    assert from_git["facts"] == said["facts"] and from_git["tree"] == f"{repo} at v6.12"
    assert from_git["commit"] == git(repo, "rev-parse", "HEAD").strip()
    plain = toy("-C", tree, "inspect").stdout.splitlines()
    assert plain[0] == f"{tree}: Linux 6.12.9-rc1"
    assert [line.split()[:3] for line in plain[2:4]] == [["heap", "no", "there"],
                                                         ["debug", "yes", "Kconfig"]]  # fmt: skip


def test_survey(toy: Toy, tree: Path) -> None:
    before = tiny.snapshot(tree)
    done = toy("-C", tree, "survey")
    assert (done.returncode, done.stderr) == (0, "")
    version, blank, head, *rows = done.stdout.splitlines()
    assert (version, blank) == (f"Linux 6.12.9-rc1, {tree}", "")
    assert head.split() == ["series", "verdict", "patches", "left", "out", "obstacles"]
    assert rows == [
        "toy                    right                2         1          0",
        "  left out: toy/02-heap.patch.j2: the tree has no heap",
    ]
    assert tiny.snapshot(tree) == before


def test_survey_of_a_tree_that_a_series_does_not_fit(toy: Toy, tree: Path) -> None:
    (tree / "include/uapi/linux/dma-buf.h").unlink()
    (tree / "drivers/dma-buf/dma-toy.c").write_text("int mine;\n")
    done = toy("-C", tree, "survey", "toy", "-p", "nr=5", "--json")
    assert (done.returncode, done.stderr) == (2, "")
    (toys,) = json.loads(done.stdout)["series"]
    assert (toys["series"], toys["verdict"], toys["patches"]) == ("toy", "refused", [])
    assert [(one["template"], one["path"]) for one in toys["obstacles"]] == [
        (CHECK, "drivers/dma-buf/dma-toy.c"),
        ("toy/03-ioctl.patch.j2", "include/uapi/linux/dma-buf.h"),
    ]
    assert "2 obstacles in 2 of 2 patches" in toy("-C", tree, "render", "toy", "--diff").stderr


def test_survey_tells_a_parameter_that_the_tree_cannot_have(toy: Toy, tree: Path) -> None:
    done = toy("-C", tree, "survey", "-p", "nr=2")
    assert done.returncode == 2
    assert "refused: parameter nr: number 2 is taken by DMA_BUF_IOCTL_EXPORT" in done.stdout
    assert refused(toy("-C", tree, "survey", "-p", "nr=many")).startswith("parameter nr is 'many'")
    assert refused(toy("-C", tree, "survey", "-p", "more=2")).startswith("no parameter is named")


def test_inspect_the_tree_of_reference(cli: Cli, linux_612: Path) -> None:
    said = json.loads(cli("-C", linux_612, "inspect", "--json").stdout)
    assert said["version"].startswith("6.12.") and said["facts"]["is_cow_mapping"] is True
    assert [*said["facts"]["ioctls"]] == ["0", "1", "2", "3"]


def test_render_as_json(toy: Toy, tmp_path: Path, identity: str) -> None:
    repo, out = tiny.repo(tmp_path), tmp_path / "out"
    arguments = ("-C", repo, "render", "toy", "--branch", "b4/toy", "-o", out, "-p", "nr=5")
    done = toy(*arguments, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    said: dict[str, Any] = json.loads(done.stdout)
    assert said["tool"] == f"dmabuf-patchgen {__version__}"
    assert said["tree"] == f"{repo} at HEAD" and said["version"] == "6.12.9-rc1"
    assert said["series"] == ["toy"] and said["directory"] == str(out)
    assert said["parameters"] == {"toy": {"level": "far", "loud": False, "nr": 5}}
    assert said["branch"] == "b4/toy"
    assert said["tip"] == git(repo, "rev-parse", "b4/toy").strip()
    assert [patch["subject"] for patch in said["patches"]] == [
        "dma-buf: check the flags", "dma-buf: add an ioctl",
    ]  # fmt: skip
    assert said["patches"][1]["files"] == [DMA_BUF, "include/uapi/linux/dma-buf.h"]
    (left,) = said["left_out"]
    assert left["template"] == "toy/02-heap.patch.j2" and left["reason"] == "the tree has no heap"


def test_render_tells_what_it_did(toy: Toy, tmp_path: Path, identity: str) -> None:
    repo, out = tiny.repo(tmp_path), tmp_path / "out"
    done = toy("-C", repo, "render", "toy", "--branch", "b4/toy", "-o", out)
    assert done.stdout.splitlines() == [
        f"Linux 6.12.9-rc1, {repo} at HEAD",
        "series toy: loud=no, level=far, nr=3",
        "  0001 dma-buf: check the flags",
        "  0002 dma-buf: add an ioctl",
        "  left out: toy/02-heap.patch.j2: the tree has no heap",
        f"patches: {out}/*.patch",
        f"branch:  b4/toy on {repo} at HEAD",
    ]


def test_a_tree_that_has_it_all_gets_nothing(toy: Toy, tmp_path: Path, identity: str) -> None:
    repo, out = tiny.repo(tmp_path), tmp_path / "out"
    assert toy("-C", repo, "render", "toy", "--branch", "b4/toy").returncode == 0
    done = toy("-C", repo, "--base", "b4/toy", "render", "toy", "--branch", "b4/more", "-o", out)
    assert done.returncode == 0
    assert "left out: dma-buf: check the flags: the tree already has it" in done.stdout
    assert "nothing to do: the tree has all of it" in done.stdout
    assert not out.exists() and git(repo, "for-each-ref", "refs/heads/b4/more") == ""


def test_a_tree_that_no_patch_is_for_gets_nothing(cli: Cli, tmp_path: Path) -> None:
    whole = tiny.TEMPLATES["toy/series.toml"]
    patch = whole.index("[[patch]]")
    heap = whole.index("[[patch]]", patch + 1)
    only = whole[:patch] + whole[heap : whole.index("[[patch]]", heap + 1)]
    run = tiny.toy(cli, tmp_path, {"toy/series.toml": only})
    done = run("-C", tiny.repo(tmp_path), "render", "toy", "-o", tmp_path / "out")
    assert done.returncode == 0
    assert "left out: toy/02-heap.patch.j2: the tree has no heap" in done.stdout
    assert "nothing to do: no patch of it is for this tree" in done.stdout
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_the_terminal_s_encoding(toy: Toy, tree: Path, identity: str, encoding: str) -> None:
    """A patch is shown as it is; what cannot be said otherwise must not end in a traceback."""
    for arguments in (("render", "toy", "--diff"), ("inspect",), ("list",), ("show", "toy")):
        done = toy("-C", tree, *arguments, env={"PYTHONIOENCODING": encoding})
        assert (done.returncode, done.stderr) == (0, "")


def test_a_diff_is_to_the_byte(toy: Toy, tree: Path, tmp_path: Path, identity: str) -> None:
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "toy"), "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "dmabuf_patchgen", "-C", str(tree), "render", "toy", "--diff"],
        env=env, capture_output=True, check=True,
    )  # fmt: skip
    toy("-C", tree, "render", "toy", "-o", tmp_path / "out")
    written = b"".join(p.read_bytes() for p in sorted((tmp_path / "out").glob("*.patch")))
    assert done.stdout == written
    assert "Andr\u00e9".encode() in written


def on_terminal(arguments: Sequence[str | Path], env: dict[str, str]) -> bytes:
    """What a command writes when its output is a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "dmabuf_patchgen", *map(str, arguments)],
        stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL, env={**os.environ, **env},
    ) as child:  # fmt: skip
        os.close(theirs)
        said = b""
        while True:
            try:
                more = os.read(ours, 65536)
            except OSError:
                break
            if not more:
                break
            said += more
        os.close(ours)
        assert child.wait() == 0
    return said.replace(b"\r\n", b"\n")


def test_colour_is_for_terminals(toy: Toy, tree: Path, tmp_path: Path, identity: str) -> None:
    arguments = ("-C", tree, "render", "toy", "--diff")
    env = {"PYTHONPATH": str(tmp_path / "toy"), "PYTHONSAFEPATH": "1", "TERM": "xterm"}
    plain = toy(*arguments).stdout.encode()
    assert b"\x1b" not in plain
    shown = on_terminal(arguments, env)
    assert b"\x1b[32m+int dma_toy;\x1b[0m\n" in shown
    assert on_terminal(arguments, {**env, "NO_COLOR": "1"}) == plain
    for verb in ("list", "inspect"):
        assert "\x1b" not in toy("-C", tree, verb, env={"FORCE_COLOR": "1"}).stdout


def test_a_pipe_whose_reader_has_seen_enough(toy: Toy, tree: Path, tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "toy"), "PYTHONSAFEPATH": "1"}
    for verb in (["render", "toy", "--diff"], ["inspect"], ["list", "--json"], ["--help"]):
        argv = [sys.executable, "-m", "dmabuf_patchgen", "-C", str(tree), *verb]
        reader, writer = os.pipe()
        os.close(reader)
        try:
            done = subprocess.run(
                argv, env=env, stdout=writer, stderr=subprocess.PIPE, text=True, check=False
            )
        finally:
            os.close(writer)
        assert "Traceback" not in done.stderr and "Broken" not in done.stderr


def test_verbose_shows_commands_to_paste(toy: Toy, tmp_path: Path) -> None:
    repo = tiny.repo(tmp_path)
    done = toy("-v", "-C", repo, "inspect")
    assert done.returncode == 0
    assert re.search(rf"^\(git -C {repo} .* rev-parse ", done.stderr, re.M)
    quiet = toy("-C", repo, "inspect")
    assert (quiet.stdout, quiet.stderr) == (done.stdout, "")


# Help, completion, and being there at once.


def commands() -> dict[str, click.Command]:
    with click.Context(command) as context:
        verbs = {name: command.get_command(context, name) for name in VERBS}
    return {name: verb for name, verb in verbs.items() if verb}


@pytest.mark.parametrize("verb", sorted(commands()))
def test_help_has_an_example(cli: Cli, verb: str) -> None:
    done = cli(verb, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Usage: dmabuf-patchgen {verb}" in done.stdout
    assert VERBS[verb] in " ".join(done.stdout.split())
    after = done.stdout.partition("Example")[2]
    # Their names for a tree stand in ~/; what is shown is a whole command.
    assert any(
        line.split()[:1] == ["dmabuf-patchgen"] and verb in line.split()
        for line in after.splitlines()
    )
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_help_of_the_whole(cli: Cli) -> None:
    for flag in ("--help", "-h"):
        done = cli(flag)
        assert done.returncode == 0
        for verb in commands():
            assert f"\n  {verb} " in done.stdout
    assert cli("--version").stdout == f"dmabuf-patchgen, version {__version__}\n"


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("dmabuf-patchgen show dma-buf-p", ["dma-buf-pfnmap"]),
        (
            "dmabuf-patchgen render dma-buf-",
            ["dma-buf-kunit", "dma-buf-map-info", "dma-buf-pfnmap", "dma-buf-test-exporter"],
        ),
        ("dmabuf-patchgen render dma-buf-pfnmap dma-buf-m", ["dma-buf-map-info"]),
        ("dmabuf-patchgen insp", ["inspect"]),
        ("dmabuf-patchgen show nothing", []),
    ],
)
def test_completion(cli: Cli, words: str, found: list[str]) -> None:
    env = {
        "_DMABUF_PATCHGEN_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    done = cli(env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.partition(",")[2] for line in done.stdout.split()] == found


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_can_be_set_up(cli: Cli, shell: str) -> None:
    done = cli(env={"_DMABUF_PATCHGEN_COMPLETE": f"{shell}_source"})
    assert done.returncode == 0
    assert "_DMABUF_PATCHGEN_COMPLETE" in done.stdout and "dmabuf-patchgen" in done.stdout


HEAVY = ("jinja2", "tree_sitter", "rich", "kconfiglib", "b4", "dmabuf_patchgen.render")


@pytest.mark.parametrize("arguments", ["['--version']", "['--help']", "['render', '--help']"])
def test_what_only_informs_imports_little(arguments: str) -> None:
    script = (
        "import sys\nfrom dmabuf_patchgen.__main__ import run\n"
        f"code = run({arguments})\n"
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "print('HEAVY', code, heavy)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "HEAVY 0 []"


def test_what_renders_imports_them(toy: Toy, tree: Path, tmp_path: Path) -> None:
    """The control: such an import is seen."""
    script = (
        "import sys\nfrom dmabuf_patchgen.__main__ import run\n"
        f"run(['-C', {str(tree)!r}, 'render', 'toy', '--diff'])\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "toy")},
    )  # fmt: skip
    assert "'jinja2', 'tree_sitter'" in done.stdout.splitlines()[-1]


# The commands of the README, on the tree of reference.


def patches(out: Path) -> list[str]:
    return sorted(path.name for path in out.glob("*.patch"))


def test_render_one_series(cli: Cli, linux_612: Path, tmp_path: Path, identity: str) -> None:
    out = tmp_path / "out"
    done = cli("-C", linux_612, "render", "dma-buf-pfnmap", "-o", out)
    assert (done.returncode, done.stderr) == (0, "")
    assert [name[:5] for name in patches(out)] == [f"000{number}-" for number in range(1, 6)]
    assert "udmabuf maps no pages here" in done.stdout


def test_render_with_a_number(cli: Cli, linux_612: Path, tmp_path: Path, identity: str) -> None:
    out = tmp_path / "out"
    done = cli("-C", linux_612, "render", "dma-buf-map-info", "-p", "ioctl_nr=9", "-o", out)
    assert done.returncode == 0
    written = b"".join((out / name).read_bytes() for name in patches(out))
    assert (
        b"\n+#define DMA_BUF_IOCTL_INFO\t_IOWR(DMA_BUF_BASE, 9, struct dma_buf_info)\n" in written
    )
    taken = cli("-C", linux_612, "render", "dma-buf-map-info", "-p", "ioctl_nr=3", "--diff")
    assert "number 3 is taken by DMA_BUF_IOCTL_IMPORT_SYNC_FILE in include/uapi" in refused(taken)
    default = cli("-C", linux_612, "render", "dma-buf-map-info", "--diff")
    assert "_IOWR(DMA_BUF_BASE, 4, struct dma_buf_info)" in default.stdout


def test_render_both_to_a_branch_and_a_directory(
    cli: Cli, small_repo: SmallRepo, tmp_path: Path, identity: str
) -> None:
    repo, out = small_repo(kind=Kind.UNCHECKED), tmp_path / "out"
    series = ("dma-buf-pfnmap", "dma-buf-map-info")
    done = cli(
        "-C", repo, "--base", "v6.12", "render", *series, "--branch", "b4/dma-buf-mmap", "-o", out
    )
    assert (done.returncode, done.stderr) == (0, "")
    subjects = git(repo, "log", "--reverse", "--format=%s", "v6.12..b4/dma-buf-mmap").splitlines()
    assert len(subjects) == len(patches(out)) == 13
    for number, (subject, name) in enumerate(zip(subjects, patches(out), strict=True), 1):
        assert name.startswith(f"{number:04}-")
        assert f"  {number:04} {subject}" in done.stdout


def test_render_to_the_terminal(cli: Cli, linux_612: Path, identity: str) -> None:
    done = cli("-C", linux_612, "render", "dma-buf-pfnmap", "--diff")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\nSubject: [PATCH ") == 5
