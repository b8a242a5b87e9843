# SPDX-License-Identifier: GPL-2.0-only
"""The documentation is true: its commands run, its examples apply, and nothing is left out."""

import dataclasses
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest
from jinja2 import Environment as PlainJinja

from dmabuf_patchgen.cli.group import VERBS, cli
from dmabuf_patchgen.debian.sources import Row
from dmabuf_patchgen.errors import Exit
from dmabuf_patchgen.post import tracking
from dmabuf_patchgen.post.settings import STRATEGIES
from dmabuf_patchgen.post.tracking import Record
from dmabuf_patchgen.render import catalogue, edit, parameters, place
from dmabuf_patchgen.render.environment import Environment, Facts
from dmabuf_patchgen.render.patch_text import parse
from dmabuf_patchgen.render.place import PlaceError
from dmabuf_patchgen.render.series import render
from dmabuf_patchgen.tree.facts import TreeFacts
from dmabuf_patchgen.tree.source import DirectoryTree, open_tree
from tests.conftest import CHECKOUT, SmallRepo

DOCS = (CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md")))
MAN = CHECKOUT / "docs" / "dmabuf-patchgen.1"
TEMPLATES = (CHECKOUT / "docs" / "templates.md").read_text()

_FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.M | re.S)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a document. info: what stands behind the fence."""

    info: str
    body: str
    line: int


def blocks(path: Path) -> Iterator[Block]:
    text = path.read_text()
    for match in _FENCE.finditer(text):
        yield Block(match["info"], match["body"], text.count("\n", 0, match.start()) + 1)


# Commands.


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a console block, and the output shown for it."""

    text: str
    output: str
    line: int


def commands(path: Path) -> Iterator[Command]:
    for block in blocks(path):
        if block.info != "console":
            continue
        text = ""
        output: list[str] = []
        start = 0
        for number, line in enumerate(block.body.splitlines(), block.line + 1):
            if line.startswith("$ "):
                if text:
                    yield Command(text, "\n".join(output), start)
                text, output, start = line[2:], [], number
            elif text.endswith("\\"):
                text += f"\n{line.removeprefix('> ')}"
            else:
                output.append(line)
        yield Command(text, "\n".join(output), start)


def _is_run(command: Command) -> bool:
    """Whether a command is run here: not if it installs, or builds a kernel for minutes.

    prep does without -n, and what is done with a branch of it needs one.
    """
    words = shlex.split(command.text)
    if words[0] == "git" and {"checkout", "branch"} & {*words}:
        return False
    if "prep" in words and not {"-n", "--dry-run"} & {*words}:
        return False
    return words[0] not in {"make", "pip", "pipx", "b4"} and not {"check", "prove"} & {*words}


def _targets() -> set[str]:
    makefile = (CHECKOUT / "Makefile").read_text()
    return {
        name for line in re.findall(r"^\.PHONY: (.*)$", makefile, re.M) for name in line.split()
    }


def _parse(context: click.Context, arguments: list[str]) -> None:
    """Let click take a command line apart, as far as it goes without running anything."""
    assert isinstance(context.command, click.Group)
    name, verb, rest = context.command.resolve_command(context, arguments)
    assert verb is not None
    verb.make_context(name, rest, parent=context)


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_commands_that_take_long_exist(path: Path) -> None:
    for command in commands(path):
        if _is_run(command):
            continue
        words = shlex.split(command.text)
        where = f"{path.name}:{command.line}"
        if words[0] == "make":
            targets = {word for word in words[1:] if "=" not in word}
            assert targets <= _targets(), where
        elif words[0] == "dmabuf-patchgen":
            with cli.make_context(words[0], words[1:]) as context:
                _parse(context, [*context._protected_args, *context.args])


def _elided(shown: str) -> re.Pattern[str]:
    """What is shown of an output, where `...` on a line of its own stands for any lines."""
    parts = ("(?:.*\n)*" if line == "..." else re.escape(line) + "\n" for line in shown.split("\n"))
    return re.compile("".join(parts))


def _same(text: str, home: Path) -> str:
    """An output without what changes from machine to machine and with a point release."""
    return re.sub(r"\b6\.12\.\d+", "6.12.N", text.replace(str(home), "~"))


@pytest.mark.parametrize(
    "path", [path for path in DOCS if any(map(_is_run, commands(path)))], ids=lambda path: path.name
)
def test_commands(
    path: Path, home: Path, identity: str, small_repo: SmallRepo, linux_612: Path
) -> None:
    """Every command of a document, one after the other in one shell, says what is shown."""
    small_repo().rename(home / "linux")
    (home / "linux-source-6.12").symlink_to(linux_612)
    programs = home / "bin"
    programs.mkdir()
    run = f"#!/bin/sh\nexec '{sys.executable}' -m dmabuf_patchgen \"$@\"\n"
    (programs / "dmabuf-patchgen").write_text(run)
    (programs / "dmabuf-patchgen").chmod(0o755)
    checkout = home / "templates-of-the-example"
    shutil.copytree(CHECKOUT / "dmabuf_patchgen", checkout / "dmabuf_patchgen")
    shutil.copytree(CHECKOUT / "templates", checkout / "templates")
    _write_example(checkout / "templates")

    shown = [command for command in commands(path) if _is_run(command)]
    script = "".join(f"{command.text}\nprintf '\\1%s\\n' $?\n" for command in shown)
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        cwd=home,
        env={
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            # The example of a new series is to be found as well.
            "PYTHONPATH": str(checkout if path.name == "adding-a-series.md" else CHECKOUT),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    said = re.findall(r"(.*?)\x01(\d+)\n", done.stdout, re.S)
    assert len(said) == len(shown), done.stdout
    for command, (output, code) in zip(shown, said, strict=True):
        where = f"{path.name}:{command.line}: {command.text}"
        refused = command.output.startswith("dmabuf-patchgen: ")
        assert int(code) == (Exit.USER if refused else Exit.OK), f"{where}\n{output}"
        if command.output:
            expected = _elided(_same(command.output, home))
            assert expected.fullmatch(_same(output, home)), f"{where}\n{output}"


def test_what_make_series_prints_is_what_it_renders(linux_612: Path) -> None:
    """The README shows a run of make series; its patches are still those of today."""
    (shown,) = (b for b in blocks(CHECKOUT / "README.md") if "\nrendered and checked:" in b.body)
    names = ("dma-buf-pfnmap", "dma-buf-map-info")
    rendered = render(Environment(), open_tree(linux_612), names, {})
    subjects = [commit.subject for commit in rendered.commits]
    assert re.findall(r"^  \d{4} (.*)$", shown.body, re.M) == subjects
    reasons = [one.reason for one in rendered.left_out]
    assert re.findall(r"^  left out: .*: (.*)$", shown.body, re.M) == reasons


def test_completion_is_for_this_command(home: Path) -> None:
    """What the document has the shell ask for at completion time is answered."""
    done = subprocess.run(
        [sys.executable, "-m", "dmabuf_patchgen"],
        env={
            **os.environ,
            "PYTHONPATH": str(CHECKOUT),
            "_DMABUF_PATCHGEN_COMPLETE": "bash_complete",
            "COMP_WORDS": "dmabuf-patchgen show dma-buf-p",
            "COMP_CWORD": "2",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "plain,dma-buf-pfnmap\n"


# The reference of templates.


@dataclass(frozen=True, slots=True)
class Example:
    """A hunk of the reference, the file that it is applied to, and what comes of it."""

    line: int
    before: str | None
    hunk: str
    after: str
    refused: str


def _examples() -> list[Example]:
    found = []
    before: str | None = None
    hunk = ""
    for block in blocks(CHECKOUT / "docs" / "templates.md"):
        kind = block.info.partition(" ")[2]
        if kind == "before":
            before = block.body
        elif kind == "hunk":
            hunk = block.body
        elif kind in ("after", "refused"):
            after = block.body if kind == "after" else ""
            refused = block.body.strip() if kind == "refused" else ""
            found.append(Example(block.line, before, hunk, after, refused))
            before = None
    return found


EXAMPLES = _examples()


def _applied(example: Example) -> str:
    body = None if example.before is None else example.before.encode()
    for hunk in parse("templates.md", f"Example\n\n{example.hunk}").hunks:
        done = edit.apply(hunk, body)
        assert done.state is edit.State.APPLIED
        body = done.body
    assert body is not None
    return body.decode()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"line-{example.line}")
def test_example(example: Example) -> None:
    if example.refused:
        with pytest.raises(PlaceError) as refused:
            _applied(example)
        assert refused.value.message == example.refused
    else:
        assert _applied(example) == example.after


def test_the_example_of_the_harness() -> None:
    (block,) = (b for b in blocks(CHECKOUT / "docs" / "templates.md") if b.info == "python")
    names: dict[str, Any] = {}
    exec(block.body, names)  # the document's own code
    tests = [test for name, test in names.items() if name.startswith("test_")]
    assert len(tests) == 2
    for test in tests:
        test()


def test_an_example_applied_twice_is_present_or_nothing_new() -> None:
    for example in EXAMPLES:
        if not example.refused:
            body = example.after.encode()
            for hunk in parse("templates.md", f"Example\n\n{example.hunk}").hunks:
                again = edit.apply(hunk, body)
                assert again.state is not edit.State.APPLIED, example
                assert again.body == body


FORMS = {pattern.pattern for pattern, _ in place._FORMS}


def _form(text: str) -> str | None:
    """The form that a place is taken for, None if it is of none."""
    matching = (pattern for pattern, _ in place._FORMS if pattern.fullmatch(text))
    found = next(matching, None)
    return found.pattern if found else None


def test_every_form_has_an_example() -> None:
    shown = {
        place_shown
        for example in EXAMPLES
        if not example.refused
        for place_shown in re.findall(r"^@@ (.+) @@$", example.hunk, re.M)
    }
    assert {_form(one) for one in shown} - {None} == FORMS
    assert {one for one in shown if _form(one) is None} == {"new file"}


def test_every_form_is_in_the_table() -> None:
    table = TEMPLATES.partition("| form |")[2].partition("\n\n")[0]
    listed = re.findall(r"`([^`]+)`", table)
    # `..., before default` stands for the form before it with another ending.
    whole = [form for form in listed if not form.startswith("...")]
    forms = {_form(form.replace("KIND", "function")) for form in whole} - {None}
    assert forms == FORMS
    for word in ("struct", "union", "enum", "define", "enumerator", "default", "new file"):
        assert word in table


def test_every_message_in_the_table_is_one() -> None:
    """Each message that the reference lists is made of words that the code says."""
    sources = [
        *(CHECKOUT / "dmabuf_patchgen" / "render").glob("*.py"),
        *(CHECKOUT / "dmabuf_patchgen" / "tree").glob("*.py"),
    ]
    code = re.sub(r'"\s*f?"', "", "".join(path.read_text() for path in sources))
    table = TEMPLATES.partition("| message | cause |")[2].partition("\n\n")[0]
    messages = re.findall(r"`([^`]+)`", re.sub(r"\| [^|`]* \|$", "|", table, flags=re.M))
    assert len(messages) > 20
    for message in messages:
        for words in re.split(r"'?\.\.\.'?|'?\b[A-Z]+\b'?|\bline\b", message):
            fixed = words.strip(" :'=,")
            assert fixed in code, message


def test_every_message_of_prep_in_the_table_is_one() -> None:
    sources = sorted((CHECKOUT / "dmabuf_patchgen").rglob("*.py"))
    code = re.sub(r'"\s*f?"', "", "".join(path.read_text() for path in sources))
    text = (CHECKOUT / "docs" / "posting.md").read_text()
    table = text.partition("| message | what to do |")[2]
    messages = re.findall(r"^\| `([^`]+)` \|", table, re.M)
    assert len(messages) > 8
    for message in messages:
        for words in re.split(r"\.\.\.|\b[A-Z]+\b", message):
            assert words.strip(" ,") in code, message


def test_the_keys_of_a_prepared_branch_are_documented() -> None:
    record = Record((), {}, {}, "", "", STRATEGIES[0])
    keys = tracking.configuration("b4/SLUG", tracking.Tracking(), record, "", "")
    text = (CHECKOUT / "docs" / "posting.md").read_text()
    for key in keys:
        assert f"| `{key}` |" in text
    for name in ("to", "cc", "exclude", "coverStrategy"):
        assert f"`dmabuf-patchgen.{name}`" in text
        assert f"dmabuf-patchgen.{name}" in MAN.read_text().replace("\\-", "-")


def test_everything_that_templates_can_ask_is_documented() -> None:
    environment = Environment()
    for name in vars(TreeFacts):
        if not name.startswith("_"):
            assert f"`tree.{name}" in TEMPLATES
    for name in set(environment._jinja.filters) - set(PlainJinja().filters):
        assert f"`{name}`" in TEMPLATES
    for name in set(environment._jinja.globals) - set(PlainJinja().globals):
        assert f"`{name}(" in TEMPLATES
    for template in ("kernel.j2", "common/mmap.j2", "common/kselftest.j2"):
        assert f"**{template}**" in TEMPLATES
        alias = Path(template).stem
        text = (environment.root / template).read_text()
        for macro in re.findall(r"{% macro (\w+\(.*?\)) %}", text):
            assert f"`{alias}.{macro}`" in TEMPLATES
    for path in (environment.root / "common").glob("*.j2"):
        assert f"**common/{path.name}**" in TEMPLATES


def test_every_key_of_series_toml_is_documented() -> None:
    reference = TEMPLATES.partition("\n## series.toml\n")[2].partition("\n## ")[0]

    def keys(declared: Any) -> set[str]:
        return {field.name for field in dataclasses.fields(declared)} - {"name"}

    for key in {"title", "summary", "revised", "lists"} | keys(catalogue.PatchEntry):
        assert f"| `{key}` |" in reference
    for key in (keys(parameters.Parameter) - {"choices"}) | keys(parameters.Ioctl) | {"name"}:
        assert f"| `{key}` |" in reference
    for key in keys(parameters.Choice):
        assert f"`{key}`" in reference


def _fact_table() -> dict[str, dict[str, str]]:
    """What the reference says of facts: fact -> series of trees -> answer."""
    table = TEMPLATES.partition("| fact |")[2].partition("\n\n")[0].splitlines()
    trees = [cell.strip() for cell in table[0].split("|")[:-1]]
    rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in table[2:])
    return {row[0].strip("`"): dict(zip(trees, row[1:], strict=True)) for row in rows}


def test_every_fact_is_documented() -> None:
    assert list(_fact_table()) == list(Environment().fact_table)


def _check_facts(root: Path, series: str) -> None:
    from dmabuf_patchgen.cli.output import shown

    facts = Facts(Environment(), TreeFacts(DirectoryTree(root)))
    said = {name: answers[series] for name, answers in _fact_table().items()}
    assert said == {name: shown(value) for name, value in facts.items()}


def test_facts_of_the_reference_tree(linux_612: Path) -> None:
    _check_facts(linux_612, "6.12")


def test_facts_of_every_tree(row: Row) -> None:
    if row.series not in _fact_table()["ioctls"]:
        pytest.skip(f"the reference says nothing of {row.series}")
    _check_facts(row.path, row.series)


# The worked example.


def _write_example(root: Path) -> None:
    for block in blocks(CHECKOUT / "docs" / "adding-a-series.md"):
        name = re.fullmatch(r"\w+ file=(\S+)", block.info)
        if name:
            (root / name[1]).parent.mkdir(exist_ok=True)
            (root / name[1]).write_text(block.body)


@pytest.mark.parametrize("level", ["debug", "info"])
def test_worked_example(level: str, linux_612: Path, tmp_path: Path) -> None:
    templates = tmp_path / "templates"
    shutil.copytree(CHECKOUT / "templates", templates)
    _write_example(templates)
    rendered = render(
        Environment(templates), open_tree(linux_612), ["example-mmap-log"], {"level": level}
    )
    (commit,) = rendered.commits
    body = commit.files["drivers/dma-buf/dma-buf.c"]
    assert body is not None and b"mmap beyond %zu bytes" in body
    assert (b"pr_info_ratelimited" in body) == (level == "info")


# The table of series.md.


def _patch_table() -> dict[str, dict[str, str]]:
    """What docs/series.md says of trees: template -> series of trees -> yes or no."""
    text = (CHECKOUT / "docs" / "series.md").read_text()
    table = text.partition("| template |")[2].partition("\n\n")[0].splitlines()
    trees = [cell.strip() for cell in table[0].split("|")[:-1]]
    rows = ([cell.strip() for cell in line.split("|")[1:-1]] for line in table[2:])
    return {row[0].strip("`"): dict(zip(trees, row[1:], strict=True)) for row in rows}


def _check_patches(root: Path, series: str) -> None:
    environment = Environment()
    tree = open_tree(root)
    made = {
        patch.template
        for name in catalogue.names(environment)
        for patch in render(environment, tree, [name], {}).patches
    }
    said = {name for name, answers in _patch_table().items() if answers[series] == "yes"}
    assert said == made


def test_every_template_is_in_the_table() -> None:
    environment = Environment()
    declared = {
        entry.template
        for name in catalogue.names(environment)
        for entry in catalogue.load(environment, name).patches
    }
    assert set(_patch_table()) == declared


def test_patches_of_the_reference_tree(linux_612: Path) -> None:
    _check_patches(linux_612, "6.12")


def test_patches_of_every_tree(row: Row) -> None:
    if row.series not in _patch_table()["common/factor-out-mmap.patch.j2"]:
        pytest.skip(f"docs/series.md says nothing of {row.series}")
    _check_patches(row.path, row.series)


def test_parameters_and_exemptions_are_documented() -> None:
    text = (CHECKOUT / "docs" / "series.md").read_text()
    environment = Environment()
    for name in catalogue.names(environment):
        for parameter in catalogue.load(environment, name).parameters.values():
            assert f"`{parameter.name}`" in text
            for choice in parameter.choices:
                assert f"`{choice.name}`" in text
    exemptions = CHECKOUT / "dmabuf_patchgen" / "check" / "data" / "exemptions.toml"
    for name in re.findall(r"^\[(\w+)\]$", exemptions.read_text(), re.M):
        assert f"`{name}`" in text


# The man page, and links.


def test_man_page_is_complete() -> None:
    # A backslash before a minus makes it one that can be copied.
    page = MAN.read_text().replace("\\-", "-").replace("\\", "")
    for option in (name for parameter in cli.params for name in parameter.opts):
        assert option in page, option
    for name in VERBS:
        verb = import_module(f"dmabuf_patchgen.cli.{name}").command
        assert re.search(rf"^\.SS {name}\b", page, re.M), name
        section = page.partition(f".SS {name}")[2].partition("\n.S")[0]
        for parameter in verb.params:
            if isinstance(parameter, click.Option):
                for option in parameter.opts:
                    assert option in section, f"{name} {option}"
    for code in Exit:
        assert re.search(rf"^\.B {int(code)}$", page, re.M)


def test_man_page_is_well_formed() -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-z", str(MAN)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def _anchor(heading: str) -> str:
    """The anchor that a heading gets on the usual forges."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_links(path: Path) -> None:
    text = _FENCE.sub("", path.read_text())
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        other = (path.parent / name).resolve() if name else path
        assert other.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", other.read_text()), re.M)
            assert anchor in {_anchor(heading) for heading in headings}, target


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_every_console_block_is_a_command(path: Path) -> None:
    for block in blocks(path):
        if block.info == "console":
            assert block.body.startswith("$ "), f"{path.name}:{block.line}"
        else:
            # A command elsewhere would be shown but not tried.
            assert not re.search(r"^\$ ", block.body, re.M), f"{path.name}:{block.line}"
