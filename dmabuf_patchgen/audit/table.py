# SPDX-License-Identifier: GPL-2.0-only
"""An audit for a reader: a table by verdict, or one entry with its lines of source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dmabuf_patchgen.audit.state import Step
from dmabuf_patchgen.audit.verdict import Audit, Entry, Kind
from dmabuf_patchgen.errors import NotInTree
from dmabuf_patchgen.tree.source import Tree

_TAKES = {
    "mapping": "looks into mappings that are not its own",
    "export": "exports pages that it took from a process",
    "perhaps": "takes pages of a process in a file that exports; whether those, is not seen",
}


def table(audit: Audit, entries: Sequence[Entry]) -> str:
    """Some entries of an audit by verdict, and who takes what is not theirs."""
    lines = []
    for kind in Kind:
        some = [entry for entry in entries if entry.kind is kind]
        if some:
            lines += ["", f"{kind.value} ({len(some)})"]
            lines += [line for entry in some for line in _rows(entry)]
    lines += ["", *_taken(audit), *_summary(audit)]
    return "\n".join(lines).strip()


def _rows(entry: Entry) -> Iterator[str]:
    yield f"  {entry.name}  {entry.what}, {entry.path}:{entry.line}{_private(entry)}"
    if entry.guessed:
        yield "      which of these, is known when it runs:"
    if entry.kind not in (Kind.PFNMAP, Kind.REFUSES):
        for branch in entry.branches:
            said = branch.said(entry.kind)
            if said:
                yield f"      {said}"


def _private(entry: Entry) -> str:
    """What becomes of a private mapping, where that is worth a word."""
    cow = entry.copy_on_write
    if cow.bug:
        return f"; a private mapping reaches the BUG_ON() by {cow.bug.split()[0]}"
    if cow.refused in ("no", "on some paths"):
        accepted = "taken" if cow.refused == "no" else "taken on some paths"
        return f"; a private mapping is {accepted}"
    return ""


def _taken(audit: Audit) -> Iterator[str]:
    for what, said in _TAKES.items():
        some = [one for one in audit.taken if one.what == what]
        if some:
            yield f"{said} ({len(some)})"
            for one in some:
                yield f"  {one.function}()  {one.call}(), {one.path}:{one.line}"
            yield ""


def _summary(audit: Audit) -> Iterator[str]:
    counted = ", ".join(f"{count} {kind.value}" for kind, count in audit.counted().items() if count)
    yield f"Linux {audit.version}: {len(audit.entries)} ways to map a buffer: {counted}"
    yield f"{audit.files} files looked through, {len(audit.unread)} not: {_reasons(audit)}"


def _reasons(audit: Audit) -> str:
    reasons: dict[str, int] = {}
    for _, why in audit.unread:
        said = "too large to be written by hand" if why.endswith("generated") else why
        reasons[said] = reasons.get(said, 0) + 1
    return ", ".join(f"{count} {why}" for why, count in reasons.items()) or "none"


def explained(entry: Entry, tree: Tree) -> str:
    """An entry with all that is known of it, and the source of each step."""
    lines = [f"{entry.name}: {entry.kind.value}", f"  {entry.what}, {entry.path}:{entry.line}"]
    if entry.guessed:
        lines.append("  which of these ways it goes, is known when it runs")
    for branch in entry.branches:
        lines += ["", f"  {branch.said(Kind.REFUSES) or branch.kind.value}"]
        lines += [_line(step, tree) for step in branch.steps]
    cow = entry.copy_on_write
    lines += ["", f"  copy-on-write refused: {cow.refused}"]
    lines += [_line(step, tree) for step in cow.at]
    if cow.bug:
        lines += [f"  a private mapping reaches a BUG_ON(): {cow.bug}"]
        lines += [_line(step, tree) for step in cow.bug_at]
    if entry.swaps_file:
        lines += ["  vma->vm_file is exchanged:", *(_line(one, tree) for one in entry.swaps_file)]
    for failure in entry.failures:
        errno = f"-{failure.errno}" if failure.errno.startswith("E") else "what a call returns"
        lines += [f"  an error after changes of {', '.join(failure.changed)}: {errno}"]
        lines += [_line(failure.at, tree)]
    if entry.caching:
        lines += [f"  page protection: {'; '.join(entry.caching)}"]
    return "\n".join(lines)


def _line(step: Step, tree: Tree) -> str:
    """A step with the line of source that it is."""
    try:
        text = tree.read(step.path).decode(errors="replace").split("\n")
    except NotInTree:
        text = []
    source = text[step.line - 1].strip() if 0 < step.line <= len(text) else step.what
    return f"    {step.path}:{step.line}: {source}"


def found(audit: Audit, name: str) -> list[Entry]:
    """Entries that a name means: of that name, else those whose name or file has it in it."""
    exact = [entry for entry in audit.entries if name in (entry.name, entry.callback)]
    if exact:
        return exact
    return [entry for entry in audit.entries if name in entry.name or name in entry.path]
