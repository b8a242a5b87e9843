# SPDX-License-Identifier: GPL-2.0-only
"""What Makefiles of the kernel build: a file that is there is not yet one that is used.

Rule: Documentation/kbuild/makefiles.rst, "The kbuild files".
"""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

from dmabuf_patchgen.errors import NotInTree
from dmabuf_patchgen.tree.source import Tree

_ASSIGNMENT = re.compile(r"\s*(?:override\s+|export\s+)?([^\s:+?=#]+)\s*(?:[:+?]|::)?=(.*)")
_CONDITION = re.compile(r"\s*(?:else\s+)?(ifdef|ifndef|ifeq|ifneq)\b(.*)")
_CONFIG = re.compile(r"\bCONFIG_(\w+)")
_REFERENCE = re.compile(r"\$[({]([^$(){}]+)[)}]")
_OBJ = re.compile(r"(?:obj|lib)-(.+)")

#: Built in every kernel that has the directory.
ALWAYS = "y"


@dataclass(frozen=True, slots=True)
class Kbuild:
    """What one Makefile builds.

    entries: an object or a directory (which ends in a slash), relative to the Makefile, with
    the symbol it is built by: one without CONFIG_, or ALWAYS.
    parts: of a composite object, the objects it is linked from.
    opaque: whether a list has something that only make can tell: no file is surely left out then.
    """

    entries: dict[str, str] = field(default_factory=dict)
    parts: dict[str, dict[str, str]] = field(default_factory=dict)
    opaque: bool = False

    def sources(self) -> Iterator[tuple[str, str]]:
        """Objects that are made of a source of their own, with the symbol each is built by."""
        for name, symbol in self.entries.items():
            if name.endswith(".o"):
                of = self.parts.get(name.removesuffix(".o"))
                if of is None:
                    yield name, symbol
                else:
                    # Part of what is not built is not built: the object's own symbol decides.
                    yield from ((part, symbol) for part in of)


@cache
def parse(body: bytes) -> Kbuild:
    """A Makefile taken apart; its conditions are taken to hold, each for its symbol's kernels."""
    text = re.sub(r"\\\r?\n", " ", body.decode("utf-8", "surrogateescape"))
    known: dict[str, str] = {}
    lists: list[tuple[str, str, str]] = []
    conditions: list[str] = []
    for line in text.splitlines():
        code = line.partition("#")[0]
        condition = _CONDITION.match(code)
        if condition:
            found = _CONFIG.search(condition.group(2))
            if code.split()[0] == "else":
                conditions[-1:] = [found.group(1) if found else ""]
            else:
                conditions.append(found.group(1) if found else "")
        elif code.strip() == "endif":
            del conditions[-1:]
        elif assigned := _ASSIGNMENT.fullmatch(code):
            name, value = assigned.group(1), assigned.group(2)
            known[name] = f"{known.get(name, '')} {value}"
            within = next((symbol for symbol in reversed(conditions) if symbol), "")
            lists.append((name, value, within))
    return _read(lists, known)


def _read(lists: list[tuple[str, str, str]], known: dict[str, str]) -> Kbuild:
    entries: dict[str, str] = {}
    parts: dict[str, dict[str, str]] = {}
    opaque = False
    for name, value, within in lists:
        words = _expanded(value, known)
        target, _, how = name.rpartition("-")
        symbol = _symbol(how)
        if _OBJ.fullmatch(name) and symbol is not None:
            opaque = opaque or "$" in words
            for word in words.split():
                entries.setdefault(word, within if symbol == ALWAYS and within else symbol)
        elif target and (symbol is not None or how == "objs"):
            own = parts.setdefault(target, {})
            opaque = opaque or ("$" in words and f"{target}.o" in entries)
            own.update({w: symbol or ALWAYS for w in words.split() if w.endswith(".o")})
    return Kbuild(entries, {name: of for name, of in parts.items() if of}, opaque)


def _symbol(how: str) -> str | None:
    """What obj-HOW is built by; None where HOW is nothing that kbuild knows."""
    if how in ("y", "m"):
        return ALWAYS
    config = re.fullmatch(r"\$[({]CONFIG_(\w+)[)}]", how)
    if config:
        return config.group(1)
    # A function of symbols, such as $(subst m,y,$(CONFIG_X)).
    inner = _CONFIG.search(how) if how.startswith("$") else None
    return inner.group(1) if inner else None


def _expanded(value: str, known: dict[str, str]) -> str:
    """A value with the variables of the same file in it; references to others stay."""
    for _ in range(8):
        after = _REFERENCE.sub(lambda m: known.get(m.group(1), m.group(0)), value)
        if after == value:
            break
        value = after
    return value


class Makefiles:
    """The Makefiles of a tree, as to what they build."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def built_by(self, path: str) -> str:
        """The symbol that a source is built by, ALWAYS, or nothing where none builds it.

        Up to its topmost directory; one without a Makefile above it counts as entered. A file
        that is not there is not built, whatever a Makefile says.
        """
        if not self._tree.exists(path):
            return ""
        wanted = posixpath.splitext(path)[0] + ".o"
        directory = posixpath.dirname(path)
        makefile = self._at(directory)
        while makefile is None and directory:
            directory = posixpath.dirname(directory)
            makefile = self._at(directory)
        symbol = self._listing(directory, wanted)
        return symbol if symbol and self._entered(directory) else ""

    def built(self, directory: str) -> tuple[str, ...]:
        """The C sources that are built in a directory and those below it, sorted."""
        return tuple(sorted(self._built(directory, set())))

    def _built(self, directory: str, seen: set[str]) -> Iterator[str]:
        makefile = self._at(directory)
        if makefile is None or directory in seen:
            return
        seen.add(directory)
        for name, _ in makefile.sources():
            path = posixpath.normpath(posixpath.join(directory, name.removesuffix(".o") + ".c"))
            if self._tree.exists(path):
                yield path
        for name in makefile.entries:
            if name.endswith("/"):
                yield from self._built(posixpath.normpath(posixpath.join(directory, name)), seen)

    def _listing(self, directory: str, wanted: str) -> str:
        """The symbol by which the Makefile of a directory builds an object, or nothing."""
        makefile = self._at(directory)
        if makefile is None:
            return ""
        for name, symbol in makefile.sources():
            if posixpath.normpath(posixpath.join(directory, name)) == wanted:
                return symbol
        return "unknown" if makefile.opaque else ""

    def _entered(self, directory: str) -> bool:
        """Whether a Makefile above goes into a directory, and so on to the top."""
        above = posixpath.dirname(directory)
        while above and self._at(above) is None:
            above = posixpath.dirname(above)
        makefile = self._at(above) if above else None
        if makefile is None:
            return True
        names = (n for n in makefile.entries if n.endswith("/"))
        goes = {posixpath.normpath(posixpath.join(above, name)) for name in names}
        return (directory in goes or makefile.opaque) and self._entered(above)

    def _at(self, directory: str) -> Kbuild | None:
        """What the Makefile of a directory builds; Kbuild goes before it, as in kbuild."""
        for name in ("Kbuild", "Makefile"):
            try:
                return parse(self._tree.read(posixpath.join(directory, name)))
            except NotInTree:
                continue
        return None
