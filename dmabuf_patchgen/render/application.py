# SPDX-License-Identifier: GPL-2.0-only
"""A patch applied to a tree: every hunk is tried, and all that is in the way is told."""

import posixpath
import re
from collections import Counter
from dataclasses import dataclass, field

from dmabuf_patchgen.errors import Why
from dmabuf_patchgen.render import edit
from dmabuf_patchgen.render.edit import State
from dmabuf_patchgen.render.patch_text import Hunk, PatchText
from dmabuf_patchgen.render.place import PlaceError
from dmabuf_patchgen.tree import newlines
from dmabuf_patchgen.tree.c import parse as parse_c
from dmabuf_patchgen.tree.source import LFS_POINTER, Tree
from dmabuf_patchgen.tree.tokens import line_number, line_text, quoted

#: How git marks where a conflict begins.
_CONFLICT = re.compile(rb"^<{7} [^\n]*$", re.M)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a hunk, or the patch as a whole, does not fit: its place is empty for the latter."""

    path: str
    place: str
    error: PlaceError


@dataclass(frozen=True, slots=True)
class Applied:
    """What applying a patch gave.

    files: as the patch leaves those that it changes; with troubles, as far as its hunks fit.
    left_out: hunks that this tree does not need, each with its reason; told: those to remark on;
    needless: whether it needs none of them.
    """

    files: dict[str, bytes]
    left_out: tuple[tuple[Hunk, str], ...] = ()
    told: tuple[Hunk, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    needless: bool = False

    @property
    def present(self) -> bool:
        """Whether the tree has all that the patch does."""
        return not self.files and not self.troubles


@dataclass(slots=True)
class _Application:
    """What came of the hunks so far.

    bodies: of each file that a hunk names, None for one that is not there; skipped: how many
    hunks the tree does not need.
    """

    bodies: dict[str, bytes | None] = field(default_factory=dict)
    present: list[Hunk] = field(default_factory=list)
    applied: list[Hunk] = field(default_factory=list)
    left_out: list[tuple[Hunk, str]] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    skipped: int = 0


def apply(text: PatchText, tree: Tree) -> Applied:
    """Apply a patch to a tree in memory; what is in the way is in the answer, and not raised."""
    application = _Application()
    for hunk in text.hunks:
        if hunk.left_out:
            application.left_out.append((hunk, hunk.left_out))
            application.skipped += 1
        elif tree.is_link(hunk.path):
            error = PlaceError(
                Why.LINK,
                f"{hunk.path}: a symbolic link in this tree, and no file to be edited",
                f"see {text.source}",
            )
            application.troubles.append(Trouble(hunk.path, hunk.place, error))
        else:
            _try(hunk, text, tree, application)
    bodies = {
        path: _with_line_ends(path, body, tree)
        for path, body in application.bodies.items()
        if body is not None
    }
    changed = {
        path: body
        for path, body in bodies.items()
        if not tree.exists(path) or body != tree.read(path)
    }
    if application.present and (application.applied or application.troubles):
        application.troubles = [_half(text, application)]
    if not application.troubles:
        application.troubles.extend(_broken(text, tree, changed))
    return Applied(
        files=changed if application.applied else {},
        left_out=tuple(application.left_out),
        told=tuple(hunk for hunk in application.applied if hunk.told),
        troubles=tuple(application.troubles),
        needless=application.skipped == len(text.hunks),
    )


def _try(hunk: Hunk, text: PatchText, tree: Tree, application: _Application) -> None:
    if hunk.path not in application.bodies:
        there = tree.exists(hunk.path)
        application.bodies[hunk.path] = newlines.with_lf(tree.read(hunk.path)) if there else None
    try:
        _must_be_whole(hunk.path, application.bodies[hunk.path] or b"")
        done = edit.apply(hunk, application.bodies[hunk.path])
    except PlaceError as error:
        if hunk.optional:
            if (hunk.path, hunk.optional) not in ((h.path, why) for h, why in application.left_out):
                application.left_out.append((hunk, hunk.optional))
            application.skipped += 1
        elif error.message not in {trouble.error.message for trouble in application.troubles}:
            # Each hunk of a file that is not there says the same.
            refusal = PlaceError(error.why, error.message, error.hint or f"see {text.source}")
            application.troubles.append(Trouble(hunk.path, hunk.place, refusal))
        return
    application.bodies[hunk.path] = done.body
    if done.state is State.PRESENT:
        application.present.append(hunk)
    elif done.state is State.APPLIED:
        application.applied.append(hunk)


def _must_be_whole(path: str, body: bytes) -> None:
    """Refuse a file that stands for one elsewhere, or was committed in the middle of a merge."""
    if body.startswith(LFS_POINTER):
        raise PlaceError(
            Why.DOES_NOT_PARSE,
            f"{path}: a pointer of Git LFS, and its content is elsewhere",
            "git lfs pull there, and -C a copy of the checkout without its .git",
        )
    mark = _CONFLICT.search(body)
    if mark:
        raise PlaceError(
            Why.DOES_NOT_PARSE,
            f"{path}: a merge was committed unfinished, line {line_number(body, mark.start())} "
            f"has {quoted(line_text(body, mark.start()))}",
            "finish the merge in the tree",
        )


def _with_line_ends(path: str, body: bytes, tree: Tree) -> bytes:
    """A file as the tree would have it: with its own line ends, or a new one's neighbours'."""
    if tree.exists(path):
        return newlines.as_before(tree.read(path), body)
    return newlines.with_crlf(body) if newlines.mostly_crlf(_neighbour(path, tree)) else body


def _neighbour(path: str, tree: Tree) -> bytes:
    """A file that a new one stands beside, or else the top Makefile."""
    directory, suffix = posixpath.dirname(path), posixpath.splitext(path)[1]
    while directory:
        for name in tree.names(directory):
            alike = bool(suffix) and name.endswith(suffix)
            beside = posixpath.join(directory, name)
            if (alike or name in ("Makefile", "Kconfig")) and tree.mode(beside) != "40000":
                return tree.read(beside)
        directory = posixpath.dirname(directory)
    return tree.read("Makefile")


def _half(text: PatchText, application: _Application) -> Trouble:
    has = ", ".join(f"{hunk.path} ({hunk.place})" for hunk in application.present)
    if application.applied:
        lacks = f"{application.applied[0].path} ({application.applied[0].place})"
    else:
        lacks = str(application.troubles[0].error)
    error = PlaceError(
        Why.HALF_THERE,
        f"the tree has half of it: it has {has}, and not {lacks}",
        "take the patch out of the tree, or finish it there",
    )
    return Trouble(application.present[0].path, "", error)


def _broken(text: PatchText, tree: Tree, changed: dict[str, bytes]) -> list[Trouble]:
    found = []
    for path, body in changed.items():
        if tree.exists(path) and path.endswith((".c", ".h")):
            try:
                _still_parses(text, path, tree.read(path), body)
            except PlaceError as error:
                found.append(Trouble(path, "", error))
    return found


def _still_parses(text: PatchText, path: str, before: bytes, after: bytes) -> None:
    """Refuse a C file that the patch broke, or in which it defines a thing a second time."""
    old, new = parse_c(before), parse_c(after)
    known = Counter(old.error_words(error) for error in old.errors)
    for error in new.errors:
        # Not by their number: one that is new may swallow others that were there before.
        words = new.error_words(error)
        if not known[words]:
            raise PlaceError(
                Why.BREAKS_FILE,
                f"{text.source}: {path} no longer parses with it, "
                f"line {line_number(after, error.start)} of the result",
            )
        known[words] -= 1
    twice = new.defined_more_than_once() - old.defined_more_than_once()
    for kind, name in twice:
        first = next(d for d in new.definitions if (d.kind, d.name) == (kind, name))
        raise PlaceError(
            Why.TAKEN,
            f"{path}: the tree already has a {kind} {name}, line "
            f"{line_number(after, first.span.start)}, other than {text.source} adds",
            "the tree may have another version of this patch: take it out first",
        )
