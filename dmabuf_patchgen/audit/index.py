# SPDX-License-Identifier: GPL-2.0-only
"""Which files of a tree matter to an audit, and where a name that one of them uses is defined."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from functools import cache, cached_property

from dmabuf_patchgen.audit.definitions import Definitions, Function, Initialiser, Macro
from dmabuf_patchgen.audit.scan import TYPES, Scan

_ANY = re.compile(r"\w+")
#: Members that such a macro sets.
_MEMBERS = (b".mmap", b".dumb_create", b".gem_prime")
#: Names of macros that make operations, or members of them.
_MAKER = re.compile(r"_FOPS|_OPS|_DRIVER")
#: Drivers of these directories are one directory each; a file of their own elsewhere.
_ROOTS = re.compile(
    r"drivers/(?:gpu/drm|accel|gpu(?!/drm)|misc|dma-buf|xen|tee|media/common)"
    r"/(?!tiny/|sysfb/|solomon/|sitronix/)[\w-]+/"
    r"|sound/core/|drivers/(?!gpu/|accel/|misc/|dma-buf/|media/)[\w-]+/(?:[\w-]+/)?"
)


class Index:
    """The files of a tree that hold what an audit looks for, each parsed when it is needed."""

    def __init__(self, found: Scan) -> None:
        self._facts = found.facts
        self.paths = tuple(one.path for one in self._facts)
        self._files: dict[str, Definitions] = {}
        self._bodies = found.bodies

    def body(self, path: str) -> bytes:
        """A file's content, empty where it is none of these files."""
        return self._bodies.get(path, b"")

    def file(self, path: str) -> Definitions:
        """The definitions of a file."""
        if path not in self._files:
            self._files[path] = Definitions(path, self.body(path))
        return self._files[path]

    @cached_property
    def _functions(self) -> dict[str, list[str]]:
        """Files that may define each function which takes a mapping."""
        found: dict[str, list[str]] = {}
        for one in self._facts:
            for name in one.functions:
                found.setdefault(name, []).append(one.path)
        return found

    def function(self, name: str, near: str) -> tuple[Function, ...]:
        """What a function's name means in a file: in that file, else in the tree.

        More than one where the configuration decides; none where it is not found.
        """
        paths = self._functions.get(name, [])
        if near in paths:
            own = self.file(near).functions.get(name, ())
            if own:
                return own
        found = [
            function
            for path in dict.fromkeys(paths)
            for function in self.file(path).functions.get(name, ())
            if not function.is_static or path.endswith(".h")
        ]
        # A static inline in a header is what is left where the code is configured out.
        code = [one for one in found if one.path.endswith(".c")]
        found = code or found
        if len(found) > 1:
            closest = max(_common(one.path, near) for one in found)
            found = [one for one in found if _common(one.path, near) == closest]
        return tuple(found)

    @cached_property
    def initialisers(self) -> dict[str, list[Initialiser]]:
        """Instances of TYPES and of structs that hold one, by the type's name."""
        found: dict[str, list[Initialiser]] = {}
        for facts in self._facts:
            for one in facts.initialisers:
                made = self._expanded(one) if one.macros else one
                found.setdefault(one.type, []).append(made)
        return found

    def instance(self, kind: str, name: str, near: str) -> Initialiser | None:
        """The instance of a type that a name means in a file; None if it is not one alone."""
        same = [one for one in self.initialisers.get(kind, []) if one.name == name]
        own = [one for one in same if one.path == near]
        if own or len(same) == 1:
            return (own or same)[0]
        return None

    def _expanded(self, one: Initialiser) -> Initialiser:
        """An instance with the members that its macros stand for."""
        fields = dict(one.fields)
        pending = list(one.macros)
        seen: set[str] = set()
        while pending:
            name, arguments, line = pending.pop()
            macro = self.macros.get(name)
            if macro is None or name in seen:
                continue
            seen.add(name)
            body = macro.expanded([part.strip() for part in arguments.split(",")])
            inner = Definitions(macro.path, f"struct x y = {{{body}}};".encode())
            for made in inner.initialisers(_ANY):
                for member, (value, _) in made.fields.items():
                    fields.setdefault(member, (value, line))
                pending += [(more, given, line) for more, given, _ in made.macros]
        return Initialiser(one.type, one.name, one.path, one.line, fields, one.macros)

    @cached_property
    def macros(self) -> dict[str, Macro]:
        """Macros that make operations, or members of them, wherever they are defined."""
        found: dict[str, Macro] = {}
        for path in self.paths:
            body = self.body(path)
            if path.endswith(".h") and any(word in body for word in _MEMBERS):
                for macro in self.file(path).macros.values():
                    if _MAKER.search(macro.name):
                        found.setdefault(macro.name, macro)
        return found

    @cached_property
    def made_operations(self) -> tuple[Initialiser, ...]:
        """file_operations that a macro at file scope defines, such as DEFINE_DRM_GEM_FOPS()."""
        makers = {
            name: macro
            for name, macro in self.macros.items()
            if "struct file_operations" in macro.body and macro.parameters
        }
        called = [name.encode() + b"(" for name in makers]
        found = []
        for path in self.paths:
            body = self.body(path)
            if not path.endswith(".c") or not any(name in body for name in called):
                continue
            for name, arguments, line in self.file(path).invocations:
                macro = makers.get(name)
                if macro is None or len(arguments) != len(macro.parameters):
                    continue
                text = macro.expanded(arguments)
                for made in Definitions(path, text.encode()).initialisers(TYPES):
                    # All of it stands on the line of the macro.
                    fields = {member: (value, line) for member, (value, _) in made.fields.items()}
                    inner = tuple((word, given, line) for word, given, _ in made.macros)
                    found.append(
                        self._expanded(Initialiser(made.type, made.name, path, line, fields, inner))
                    )
        return tuple(found)

    def assigned(self, target: str, near: str) -> list[tuple[str, str, int]]:
        """What is assigned to something like `ops.fault` in a file: name, path and line."""
        return [(name, near, line) for name, line in self.file(near).assigned(target)]

    def around(self, path: str) -> Sequence[str]:
        """The files of the driver that a file belongs to, as far as they matter."""
        root = driver(path)
        return [one for one in self.paths if one.startswith(root)]

    def setters(self, member: str, near: str) -> list[tuple[str, str, int]]:
        """Names that initialisers of the same driver set a member to: name, path and line."""
        found = []
        needle = re.compile(rf"\.{re.escape(member)}\s*=(?!=)\s*&?(\w+)\s*[,}}\n]")
        for path in self.around(near):
            if b"." + member.encode() in self.body(path):
                text = self.file(path).plain
                for match in needle.finditer(text):
                    if match[1] != "NULL":
                        found.append((match[1], path, self.file(path).line(match.start())))
        return found


@cache
def driver(path: str) -> str:
    """The directory that a driver is alone in; the file itself where it shares one."""
    match = _ROOTS.match(path)
    if match is None:
        return path
    return match.group()


def _common(a: str, b: str) -> int:
    return len(posixpath.commonpath([a, b]).split("/")) if a and b else 0
