# SPDX-License-Identifier: GPL-2.0-only
"""What was made of a branch since prep wrote it, taken up on a new rendering.

Three lines of commits are compared, as git range-diff would: what was rendered last (old), what
the branch has now (theirs), and what is rendered now (new). A commit of the branch that is one of
the old has become the new one, with what its user changed of it; every other is the user's, and is
picked on what stands before it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.post import stack, trailers
from dmabuf_patchgen.post.stack import Conflict, Pick
from dmabuf_patchgen.render.scratch import Scratch, scratch_in


@dataclass(frozen=True, slots=True)
class Reworked:
    """A new rendering with what the user made of the one before.

    tip: of the commits; rendered: for each of them, the number from 0 of the patch of the new
    rendering that it is, None for a commit of the user's own; by_hand: the numbers from 1 of the
    commits in which something is the user's, but for trailers; notes: what was done, for the user.
    """

    tip: str
    rendered: tuple[int | None, ...]
    by_hand: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Item:
    """A commit to be made of what there is of it in the three lines; at: its number in `new`."""

    old: Pick | None
    theirs: Pick | None
    new: Pick | None
    at: int | None = None

    @property
    def shown(self) -> Pick:
        """The one that messages name."""
        found = self.theirs or self.new
        assert found
        return found

    @property
    def is_rendered(self) -> bool:
        """Whether its files are the new rendering's, with nothing that its user changed."""
        if not self.new or not self.theirs:
            return self.new is not None
        return self.theirs.patch_id in (self.new.patch_id, self.old.patch_id if self.old else "")


def take_up(
    repo: Path, base: str, old: Sequence[Pick], theirs: Sequence[Pick], new: Sequence[Pick]
) -> Reworked:
    """Bring a branch onto a new rendering.

    base: commit that the new rendering stands on; old, theirs, new: see above, `theirs` without
    b4's cover. Raises UserError, with git's words for it, where it does not go together.
    """
    items, notes = _items(old, theirs, new)
    with scratch_in(repo) as scratch:
        return _Builder(scratch, base, new, notes).build(items)


def _pairs(left: Sequence[Pick], right: Sequence[Pick]) -> dict[int, int]:
    """Which of two lines' commits are the same: number in `left` -> number in `right`.

    By what they change, or else by what they are called.
    """
    found: dict[int, int] = {}

    def look(key: Callable[[Pick], str]) -> None:
        free = {key(pick): n for n, pick in reversed([*enumerate(right)])
                if n not in found.values()}  # fmt: skip
        for number, pick in enumerate(left):
            if number not in found and key(pick) in free:
                found[number] = free.pop(key(pick))

    look(lambda pick: pick.patch_id)
    look(lambda pick: pick.subject)
    return found


def _items(
    old: Sequence[Pick], theirs: Sequence[Pick], new: Sequence[Pick]
) -> tuple[list[_Item], list[str]]:
    """The commits to be made, in order, and what there is to say of those that are not."""
    of_theirs, of_old = _pairs(theirs, old), _pairs(old, new)
    items: list[_Item] = []
    notes: list[str] = []
    for number, pick in enumerate(theirs):
        was = of_theirs.get(number)
        if was is None:
            items.append(_Item(None, pick, None))
            continue
        at = of_old.get(was)
        if at is not None:
            items.append(_Item(old[was], pick, new[at], at))
        elif pick.patch_id != old[was].patch_id:
            items.append(_Item(None, pick, None))
            notes.append(f"kept as yours, since you changed it and it is not rendered any more: "
                         f"{pick.subject}")  # fmt: skip
        else:
            notes += _fallen(pick, old[was], "it is not rendered any more")
    dropped = {of_old[n]: pick for n, pick in enumerate(old)
               if n in of_old and n not in of_theirs.values()}  # fmt: skip
    notes += [f"dropped by you, and stays so: {new[at].subject}" for at in sorted(dropped)]
    for at, pick in enumerate(new):
        if at not in of_old.values():
            items.insert(_place(items, at), _Item(None, None, pick, at))
    return items, notes


def _place(items: Sequence[_Item], at: int) -> int:
    """Where a patch that is new in the rendering goes: behind the nearest of those before it."""
    before = {item.at: place for place, item in enumerate(items) if item.at is not None}
    nearest = max((other for other in before if other < at), default=None)
    return 0 if nearest is None else before[nearest] + 1


def _fallen(pick: Pick, old: Pick | None, why: str) -> list[str]:
    """What is said of each trailer that held for a patch which is another now."""
    before = trailers.split(old.message)[1] if old else ()
    return [
        f"{trailer} fell from {pick.subject!r}: {why}"
        for trailer in trailers.split(pick.message)[1]
        if trailers.vouches(trailer) and trailer not in before
    ]


class _Builder:
    """Makes the commits, one on the other. new: the rendering, of which at least one is there."""

    def __init__(
        self, scratch: Scratch, base: str, new: Sequence[Pick], notes: Sequence[str]
    ) -> None:
        self._scratch = scratch
        self._tip = base
        self._tree = new[0].before
        self._committer = new[0].committer
        self._notes = [*notes]

    def build(self, items: Sequence[_Item]) -> Reworked:
        made: list[int | None] = []
        by_hand: list[int] = []
        for item in items:
            try:
                tree = self._files(item)
                message = self._message(item)
            except Conflict as conflict:
                raise _refusal(item, conflict) from None
            if tree == self._tree:
                empty = item.shown.before == item.shown.after
                why = "it changes nothing" if empty else "the series has what it changes already"
                self._notes.append(f"left out, as {why}: {item.shown.subject}")
                continue
            message = self._vouched(item, message, tree)
            self._notes += _told(item)
            author = item.shown.author
            if item.theirs and item.new and item.old and item.theirs.author == item.old.author:
                author = item.new.author
            self._tip = stack.commit(
                self._scratch, tree, [self._tip], author, self._committer, message
            )
            self._tree = tree
            made.append(item.at)
            if not item.is_rendered or not _says_what_is_rendered(item, message):
                by_hand.append(len(made))
        if not made:
            raise UserError("nothing to send: the branch has no patch left", "git reflog has them")
        return Reworked(self._tip, tuple(made), tuple(by_hand), tuple(self._notes))

    def _files(self, item: _Item) -> str:
        """The tree after an item. Raises Conflict."""

        def pick(one: Pick, base: str) -> str:
            return stack.merge(self._scratch, one.before, base, one.after)

        old, theirs, new = item.old, item.theirs, item.new
        if new and item.is_rendered:
            return pick(new, self._tree)
        assert theirs
        if not new or not old or new.patch_id == old.patch_id:
            return pick(theirs, self._tree)
        # Both changed it: what the user did to the old one is done to the new one.
        was = pick(old, theirs.before)
        return stack.merge(self._scratch, was, pick(new, self._tree), theirs.after)

    def _message(self, item: _Item) -> str:
        """The message of an item, which either side may have changed. Raises Conflict."""
        old, theirs, new = item.old, item.theirs, item.new
        if not (old and theirs and new):
            return item.shown.message
        if theirs.message == old.message or theirs.message == new.message:
            return new.message
        if new.message == old.message:
            return theirs.message
        (was, had), (wrote, has), (is_, gets) = (
            trailers.split(one.message) for one in (old, theirs, new)
        )
        names = ("the new rendering", "the last rendering", "the branch")
        try:
            body = stack.merge_text(self._scratch, names, f"{was}\n", f"{is_}\n", f"{wrote}\n")
        except Conflict as conflict:
            said = "CONFLICT (content): Merge conflict in the message"
            raise Conflict([said, *conflict.said]) from None
        return trailers.joined(body.rstrip("\n"), trailers.merged(had, has, gets))

    def _vouched(self, item: _Item, message: str, tree: str) -> str:
        """The message with those trailers only that still hold; of the others it is told why."""
        theirs = item.theirs
        body, found = trailers.split(message)
        if not theirs or not any(map(trailers.vouches, found)):
            return message
        if (theirs.before, theirs.after) == (self._tree, tree) or theirs.patch_id == stack.changed(
            self._scratch, self._tree, tree
        ):
            return message
        why = "what stands around its changes is another now"
        if item.new and item.old and item.new.patch_id != item.old.patch_id:
            why = "its patch is rendered anew, and is another now"
        self._notes += _fallen(theirs, item.old, why)
        return trailers.joined(body, tuple(one for one in found if not trailers.vouches(one)))


def _told(item: _Item) -> Iterator[str]:
    """What is said of a commit that is not just the rendering's."""
    if item.theirs and not item.new:
        yield f"kept as yours: {item.theirs.subject}"
    elif item.theirs and not item.is_rendered:
        yield f"kept as you changed it: {item.theirs.subject}"


def _says_what_is_rendered(item: _Item, message: str) -> bool:
    """Whether a message is that of the new rendering, whatever trailers it has."""
    new = item.new
    return new is not None and trailers.split(message)[0] == trailers.split(new.message)[0]


def _refusal(item: _Item, conflict: Conflict) -> UserError:
    pick = item.shown
    whose = f"{pick.id[:12]} ({pick.subject})" if item.theirs else f"patch {pick.subject!r}"
    return UserError(
        f"{whose} does not go with the new rendering: {conflict.said[0]}",
        "change it on the branch so that it does, or take it out: git rebase -i",
        conflict.said,
    )
