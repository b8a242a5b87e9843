# SPDX-License-Identifier: GPL-2.0-only
"""Series rendered on a tree: patch by patch in memory, each on the result of the one before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.render import application, catalogue
from dmabuf_patchgen.render.catalogue import PatchEntry, Series
from dmabuf_patchgen.render.commit import Commit
from dmabuf_patchgen.render.environment import Environment, Facts
from dmabuf_patchgen.render.outcome import (
    LeftOut,
    Obstacle,
    Refused,
    Remark,
    Rendered,
    RenderedPatch,
)
from dmabuf_patchgen.render.parameters import Value
from dmabuf_patchgen.render.patch_text import parse
from dmabuf_patchgen.tree.facts import TreeFacts
from dmabuf_patchgen.tree.source import Overlay, Tree


@dataclass(slots=True)
class _Account:
    """What has come of patches so far."""

    patches: list[RenderedPatch] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    obstacles: list[Obstacle] = field(default_factory=list)


def render(
    environment: Environment, tree: Tree, names: Sequence[str], typed: Mapping[str, str]
) -> Rendered:
    """Render series one on top of the other on a tree; nothing is written.

    names: of series, in order; those that they require are brought in before them; typed:
    parameters as the user typed them, a name that two series share goes to both. Raises
    UserError, of which Refused where they do not fit.
    """
    rendered = attempt(environment, tree, names, typed)
    if rendered.obstacles:
        raise Refused(rendered)
    return rendered


def attempt(
    environment: Environment, tree: Tree, names: Sequence[str], typed: Mapping[str, str]
) -> Rendered:
    """Try every patch of series on a tree, and tell what each comes to; else as `render`.

    A patch is tried on as much of those before it as fits, also of one that is refused.
    Raises UserError for wrong templates and parameters, and not for obstacles in the tree.
    """
    return stack(environment, tree, catalogue.stacked(environment, names), typed, names)


def stack(
    environment: Environment,
    tree: Tree,
    series: Sequence[Series],
    typed: Mapping[str, str],
    asked: Sequence[str],
) -> Rendered:
    """The same for series that are loaded. asked: names of those that were not brought in."""
    given = _given(series, typed)
    state = Overlay(tree, {})
    account = _Account()
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
            _patch(environment, one, entry, values, state, account)
    return Rendered(
        tree=tree,
        series=tuple(one.name for one in series),
        brought={
            one.name: tuple(other.name for other in series if one.name in other.requires)
            for one in series
            if one.name not in asked
        },
        parameters=settled,
        patches=tuple(account.patches),
        left_out=tuple(account.left_out),
        revised=max(one.revised for one in series),
        remarks=tuple(account.remarks),
        obstacles=tuple(account.obstacles),
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
    account: _Account,
) -> None:
    """Try a patch on the state that those before it left, and enter what it comes to."""
    tree = TreeFacts(state)
    context: dict[str, Any] = {
        "tree": tree,
        "fact": Facts(environment, tree),
        "param": values,
    }
    where = f"{series.name}/series.toml"
    if entry.when and not environment.evaluate(entry.when, context, where):
        reason = environment.expand(entry.unless, context, where)
        account.left_out.append(LeftOut(series.name, entry.template, "", reason))
        return
    text = parse(
        str(environment.root / entry.template), environment.render(entry.template, context)
    )
    subject = text.message.split("\n", 1)[0]
    applied = application.apply(text, state)
    own = (series.name, entry.template, subject)
    if applied.troubles:
        before = {obstacle.path: obstacle.subject for obstacle in reversed(account.obstacles)}
        account.obstacles.extend(
            Obstacle(
                *own, one.path, one.place, one.error.why, one.error.message, one.error.hint,
                before.get(one.path, ""),
            )
            for one in applied.troubles
        )  # fmt: skip
        state.files.update(applied.files)
        return
    if applied.present:
        reasons = list(dict.fromkeys(reason for _, reason in applied.left_out))
        reason = "; ".join(reasons) if applied.needless else ""
        left = LeftOut(*own, reason or "the tree already has it")
        if any(patch.template == entry.template for patch in account.patches):
            left = replace(left, reason="the series before it has it")
        account.left_out.append(left)
        return
    account.left_out.extend(
        LeftOut(*own, reason, hunk.path, hunk.place) for hunk, reason in applied.left_out
    )
    account.remarks.extend(Remark(*own, hunk.path, hunk.told) for hunk in applied.told)
    account.patches.append(
        RenderedPatch(series.name, entry.template, Commit(text.message, dict(applied.files)))
    )
    state.files.update(applied.files)
