# SPDX-License-Identifier: GPL-2.0-only
"""The cover letter of a rendered series, or of several that stand on each other.

All that it says is in the templates: SERIES/cover.txt.j2 for what a series is about,
SERIES/history.toml for what was said before, common/cover.txt.j2 for the rest.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dmabuf_patchgen import __version__
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.prove.evidence import Evidence
from dmabuf_patchgen.render import catalogue
from dmabuf_patchgen.render.environment import Environment, Facts
from dmabuf_patchgen.render.outcome import Rendered
from dmabuf_patchgen.render.parameters import Value
from dmabuf_patchgen.tree.facts import TreeFacts


@dataclass(frozen=True, slots=True)
class Cover:
    """A cover letter: subject without a prefix in brackets, body that ends with a newline."""

    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Numbered:
    """A patch and its number in the letter."""

    number: int
    template: str
    subject: str


@dataclass(frozen=True, slots=True)
class Part:
    """What the letter says of one series. topic: its subject without the area before it."""

    name: str
    revised: datetime
    parameters: Mapping[str, Value]
    patches: tuple[Numbered, ...]
    subject: str
    topic: str
    text: str


@dataclass(frozen=True, slots=True)
class Remark:
    """What somebody said of an earlier version, and this version's answer.

    subject, link: of the thread on the lists.
    """

    subject: str
    link: str
    who: str
    when: str
    said: str
    answer: str


@dataclass(frozen=True, slots=True)
class Thread:
    """The remarks that were made in one thread on the lists."""

    subject: str
    link: str
    remarks: tuple[Remark, ...]


def cover(
    environment: Environment,
    rendered: Rendered,
    *,
    version: int,
    evidence: Evidence | None,
    elsewhere: bool,
    checked: tuple[str, ...],
    base: str,
    by_hand: tuple[int, ...] = (),
) -> Cover:
    """The letter for rendered series, of which at least one has a patch.

    version: of the posting, from 1; evidence: of a proof of these patches, None if there is
    none; elsewhere: whether that was on another tree than the series applies to; checked: names
    of the checks that every patch passed; base: what the first patch applies to;
    by_hand: numbers of the patches that are not, or not all, as they were rendered.
    Raises UserError if a template or history.toml is wrong.
    """
    numbered = [
        (patch.series, Numbered(number, patch.template, patch.commit.subject))
        for number, patch in enumerate(rendered.patches, 1)
    ]
    names = tuple(dict.fromkeys(name for name, _ in numbered))
    tree = TreeFacts(rendered.tree)
    shared = {
        "tree": tree,
        "fact": Facts(environment, tree),
        "series": names,
        "alone": len(names) == 1,
    }
    parts: list[Part] = []
    remarks: list[Remark] = []
    open_: list[str] = []
    for name in names:
        context = {
            **shared,
            "param": rendered.parameters[name],
            "patches": tuple(patch for series, patch in numbered if series == name),
        }
        parts.append(_part(environment, name, context))
        earlier, left = _history(environment, name, context)
        remarks += earlier
        open_ += left
    frame = {
        "tree": tree,
        "parts": parts,
        "threads": _threads(remarks),
        "open": open_,
        "version": version,
        "evidence": evidence,
        "elsewhere": elsewhere,
        "checked": checked,
        "base": base,
        "by_hand": by_hand,
        "tool": f"dmabuf-patchgen {__version__}",
    }
    return Cover(_subject(parts), _tidy(environment.render("common/cover.txt.j2", frame)))


def _part(environment: Environment, name: str, context: Mapping[str, Any]) -> Part:
    text = environment.render(f"{name}/cover.txt.j2", context)
    subject, _, body = text.partition("\n")
    area, colon, topic = subject.partition(": ")
    if not (area and colon and topic):
        raise UserError(
            f"{environment.root / name / 'cover.txt.j2'}: its first line is {subject!r}",
            "it has to be a subject, as in `dma-buf: what the series does`",
        )
    return Part(
        name=name,
        revised=catalogue.load(environment, name).revised,
        parameters=context["param"],
        patches=context["patches"],
        subject=subject,
        topic=topic,
        text=_tidy(body),
    )


def _subject(parts: Sequence[Part]) -> str:
    """One subject for all: their areas, then their topics."""
    areas = dict.fromkeys(part.subject.partition(": ")[0] for part in parts)
    topics = [part.topic for part in parts]
    listed = " and ".join(filter(None, [", ".join(topics[:-1]), topics[-1]]))
    return f"{', '.join(areas)}: {listed}"


def _history(
    environment: Environment, name: str, context: Mapping[str, Any]
) -> tuple[list[Remark], list[str]]:
    """The remarks on earlier versions of a series, and what is open in this one."""
    file = f"{name}/history.toml"
    history = environment.toml(file)

    def expanded(text: str) -> str:
        return " ".join(environment.expand(text, context, file).split())

    def remark(thread: str, **texts: str) -> Remark:
        fields = {key: expanded(text) for key, text in texts.items()}
        return Remark(environment.subject(thread), environment.link(thread), **fields)

    try:
        remarks = [remark(**entry) for entry in history.get("remark", [])]
        left = [expanded(entry["text"]) for entry in history.get("open", [])]
    except (LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{environment.root / file}: wrong or missing entry: {error}") from None
    # What a condition leaves nothing of is not open.
    return remarks, [text for text in left if text]


def _threads(remarks: Sequence[Remark]) -> list[Thread]:
    """The remarks of each thread, in the order in which the threads first come."""
    threads: dict[tuple[str, str], list[Remark]] = {}
    for remark in remarks:
        threads.setdefault((remark.subject, remark.link), []).append(remark)
    return [Thread(subject, link, tuple(members)) for (subject, link), members in threads.items()]


def _tidy(text: str) -> str:
    """No space at the end of a line, no two blank lines in a row, none at either end."""
    text = re.sub(r"[ \t]+$", "", text, flags=re.M)
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n") + "\n"
