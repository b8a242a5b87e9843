# SPDX-License-Identifier: GPL-2.0-only
"""Series rendered on a tree: patch by patch in memory, each on the result of the one before."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from dmabuf_patchgen.errors import UserError, Why
from dmabuf_patchgen.render import catalogue, edit
from dmabuf_patchgen.render.catalogue import PatchEntry, Series
from dmabuf_patchgen.render.commit import Commit
from dmabuf_patchgen.render.edit import State
from dmabuf_patchgen.render.environment import Environment, Facts
from dmabuf_patchgen.render.parameters import Value
from dmabuf_patchgen.render.patch_text import Hunk, PatchText, parse
from dmabuf_patchgen.render.place import PlaceError
from dmabuf_patchgen.tree.c import parse as parse_c
from dmabuf_patchgen.tree.facts import TreeFacts
from dmabuf_patchgen.tree.source import Overlay, Tree
from dmabuf_patchgen.tree.tokens import line_number


@dataclass(frozen=True, slots=True)
class RenderedPatch:
    """A patch that the tree needs, as a commit, with the series and template it is from."""

    series: str
    template: str
    commit: Commit


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A patch that the tree does not need, and why: it is present, or a `when` is false."""

    series: str
    template: str
    subject: str
    reason: str


@dataclass(frozen=True, slots=True)
class Rendered:
    """What rendering one or more series on a tree gave.

    parameters: by series, the values it was rendered with; revised: the date of the commits.
    """

    tree: Tree
    series: tuple[str, ...]
    parameters: Mapping[str, Mapping[str, Value]]
    patches: tuple[RenderedPatch, ...]
    left_out: tuple[LeftOut, ...]
    revised: datetime

    @property
    def commits(self) -> tuple[Commit, ...]:
        """The commits, in order."""
        return tuple(patch.commit for patch in self.patches)


def render(
    environment: Environment, tree: Tree, names: Sequence[str], typed: Mapping[str, str]
) -> Rendered:
    """Render series one on top of the other on a tree; nothing is written.

    names: of series, in order; typed: parameters as the user typed them, a name that two
    series share goes to both. Raises UserError, of which PlaceError where a place is missing.
    """
    series = [catalogue.load(environment, name) for name in dict.fromkeys(names)]
    given = _given(series, typed)
    state = Overlay(tree, {})
    patches: list[RenderedPatch] = []
    left_out: list[LeftOut] = []
    settled: dict[str, dict[str, Value]] = {}
    for one in series:
        facts_tree = TreeFacts(Overlay(state, {}))
        facts = Facts(environment, facts_tree)
        values = {
            name: parameter.settle(given.get(name), facts_tree, facts)
            for name, parameter in one.parameters.items()
        }
        settled[one.name] = values
        for entry in one.patches:
            made = _patch(environment, one, entry, values, state)
            if isinstance(made, LeftOut):
                if any(patch.template == entry.template for patch in patches):
                    made = replace(made, reason="the series before it has it")
                left_out.append(made)
            else:
                patches.append(made)
                state.files.update(made.commit.files)
    return Rendered(
        tree=tree,
        series=tuple(one.name for one in series),
        parameters=settled,
        patches=tuple(patches),
        left_out=tuple(left_out),
        revised=max(one.revised for one in series),
    )


def _given(series: Sequence[Series], typed: Mapping[str, str]) -> dict[str, Value]:
    given: dict[str, Value] = {}
    for name, text in typed.items():
        owners = [one for one in series if name in one.parameters]
        if not owners:
            known = sorted({known for one in series for known in one.parameters})
            raise UserError(
                f"no parameter is named {name!r} in {', '.join(one.name for one in series)}",
                f"there are: {', '.join(known)}" if known else "there are none",
            )
        for one in owners:
            given[name] = one.parameters[name].parse(text)
    return given


def _patch(
    environment: Environment,
    series: Series,
    entry: PatchEntry,
    values: Mapping[str, Value],
    state: Overlay,
) -> RenderedPatch | LeftOut:
    tree = TreeFacts(state)
    context: dict[str, Any] = {
        "tree": tree,
        "fact": Facts(environment, tree),
        "param": values,
    }
    where = f"{series.name}/series.toml"
    if entry.when and not environment.evaluate(entry.when, context, where):
        return LeftOut(series.name, entry.template, "", entry.unless)
    text = parse(
        str(environment.root / entry.template), environment.render(entry.template, context)
    )
    subject = text.message.split("\n", 1)[0]
    files = _applied(text, state)
    if files is None:
        return LeftOut(series.name, entry.template, subject, "the tree already has it")
    return RenderedPatch(series.name, entry.template, Commit(text.message, files))


def _applied(text: PatchText, state: Overlay) -> dict[str, bytes | None] | None:
    """Files as the patch leaves them; None if the tree already has all that it does."""
    bodies: dict[str, bytes | None] = {}
    present: list[Hunk] = []
    applied: list[Hunk] = []
    refused: PlaceError | None = None
    for hunk in text.hunks:
        if hunk.path not in bodies:
            if state.is_link(hunk.path):
                raise PlaceError(
                    Why.LINK,
                    f"{hunk.path}: a symbolic link in this tree, and no file to be edited",
                    f"see {text.source}",
                )
            there = state.exists(hunk.path)
            bodies[hunk.path] = state.read(hunk.path) if there else None
        try:
            done = edit.apply(hunk, bodies[hunk.path])
        except PlaceError as error:
            refused = refused or error
            continue
        bodies[hunk.path] = done.body
        if done.state is State.PRESENT:
            present.append(hunk)
        elif done.state is State.APPLIED:
            applied.append(hunk)
    subject = text.message.split("\n", 1)[0]
    if present and (applied or refused):
        has = ", ".join(f"{hunk.path} ({hunk.place})" for hunk in present)
        lacks = f"{applied[0].path} ({applied[0].place})" if applied else str(refused)
        raise PlaceError(
            Why.HALF_THERE,
            f"the tree has half of {subject!r}: it has {has}, and not {lacks}",
            "take the patch out of the tree, or finish it there",
        )
    if refused:
        raise PlaceError(
            refused.why, f"{subject!r}: {refused.message}", refused.hint or f"see {text.source}"
        )
    if not applied:
        return None
    changed = {
        path: body
        for path, body in bodies.items()
        if body is not None and (not state.exists(path) or body != state.read(path))
    }
    for path, body in changed.items():
        if state.exists(path):
            _still_parses(text, path, state.read(path), body)
    return dict(changed)


def _still_parses(text: PatchText, path: str, before: bytes, after: bytes) -> None:
    """Refuse a C file that the patch broke, or in which it defines a thing a second time."""
    if not path.endswith((".c", ".h")):
        return
    old, new = parse_c(before), parse_c(after)
    known = Counter(old.error_words(error) for error in old.errors)
    for error in new.errors:
        # Not by their number: one that is new may swallow others that were there before.
        said = new.error_words(error)
        if not known[said]:
            raise PlaceError(
                Why.BREAKS_FILE,
                f"{text.source}: {path} no longer parses with it, "
                f"line {line_number(after, error.start)} of the result",
            )
        known[said] -= 1
    twice = new.defined_more_than_once() - old.defined_more_than_once()
    for kind, name in twice:
        first = next(d for d in new.definitions if (d.kind, d.name) == (kind, name))
        raise PlaceError(
            Why.TAKEN,
            f"{path}: the tree already has a {kind} {name}, line "
            f"{line_number(after, first.span.start)}, other than {text.source} adds",
            "the tree may have another version of this patch: take it out first",
        )
