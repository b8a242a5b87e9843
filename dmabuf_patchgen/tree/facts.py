# SPDX-License-Identifier: GPL-2.0-only
"""Questions that templates ask of a tree; answers come from its files, never its version."""

import re
from dataclasses import dataclass

from dmabuf_patchgen.errors import NotInTree, UserError
from dmabuf_patchgen.tree import ioctl, kernel_doc, makefile, newlines, text
from dmabuf_patchgen.tree.c import CFile, parse
from dmabuf_patchgen.tree.definition import Definition
from dmabuf_patchgen.tree.kbuild import Makefiles
from dmabuf_patchgen.tree.lexical import kinds
from dmabuf_patchgen.tree.source import LFS_POINTER, Tree
from dmabuf_patchgen.tree.tokens import Span, Tokens, words

#: Proper name and address, then the name and the address that commits have.
_MAILMAP = re.compile(r"([^<#]*)<([^>]*)>(?:([^<]*)<([^>]*)>)?")


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot that a struct reserves for a later member, so that its layout can stay.

    reserve: how it stands there, as `ANDROID_KABI_RESERVE(1)`; use: how a member takes it;
    usable: whether the macro for that is declared.
    """

    reserve: str
    use: str
    usable: bool


class TreeFacts:
    """A tree as the variable `tree` of templates and of `when` conditions.

    Every answer about a file that the tree does not have is no, none or empty, so that a
    condition can be asked of any tree. One that Git LFS keeps elsewhere is a UserError, as
    nothing is known of it.
    """

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._makefiles = Makefiles(tree)

    @property
    def version(self) -> str:
        """Kernel version, for prose only."""
        return self._tree.version

    def exists(self, path: str) -> bool:
        """Whether the tree has a file or directory."""
        return self._tree.exists(path)

    def declares(self, name: str, path: str) -> bool:
        """Whether a C file defines or declares a name at file scope, macros included."""
        body = self._read(path)
        if name.encode() not in body:
            return False
        return any(d.name == name for d in self._c(path).definitions)

    def contains(self, code: str, path: str, function: str = "") -> bool:
        """Whether a file, or one function of a C file, holds the tokens of `code`.

        In a C file they have to be code: neither comment nor string, nor never compiled.
        """
        body = self._read(path)
        if not all(word in body for word in words(code.encode())):
            return False
        spans = [Span(0, len(body))]
        if function:
            spans = [d.span for d in self._defined("function", function, path)]
        if path.endswith((".c", ".h")):
            wanted = kinds(code.encode())
            return any(self._c(path).matches(wanted, span) for span in spans)
        return any(Tokens(body, span).find(words(code.encode())) for span in spans)

    def says(self, text: str, path: str) -> bool:
        """Whether a comment of a C file holds the tokens of a text."""
        wanted = kinds(text.encode(), in_comment=True)
        return bool(self._c(path).matches(wanted, Span(0, len(self._read(path)))))

    def config(self, symbol: str, path: str) -> bool:
        """Whether a Kconfig file has an entry for a symbol, named without CONFIG_."""
        return bool(text.kconfig_entries(self._read(path), symbol))

    def builds(self, path: str) -> bool:
        """Whether a C source is there and the Makefiles build it."""
        return bool(self._makefiles.built_by(path))

    def built_by(self, path: str) -> str:
        """The symbol that a source is built by, without CONFIG_; y for always, else empty."""
        return self._makefiles.built_by(path)

    def built_with(self, code: str, directory: str) -> list[str]:
        """The sources built in a directory and below it that hold the tokens of `code`."""
        return [path for path in self._makefiles.built(directory) if self.contains(code, path)]

    def recaches(self, function: str, path: str) -> bool:
        """Whether a function gives a mapping another caching than its VMA came with."""
        changes = ("pgprot_writecombine(", "pgprot_noncached(", "pgprot_dmacoherent(",
                   "pgprot_device(", "vma->vm_page_prot =")  # fmt: skip
        return any(self.contains(code, path, function) for code in changes)

    def words(self, variable: str, path: str) -> list[str]:
        """All words assigned to a variable of a Makefile, in order."""
        lists = makefile.assignments(self._read(path), variable)
        return [word.decode(errors="replace") for one in lists for word in one.words]

    def member_docs(self, struct: str, path: str) -> str:
        """Where a struct's members are described: inline, header, or none.

        Rule: Documentation/doc-guide/kernel-doc.rst, "In-line member documentation comments".
        """
        c = self._c(path)
        for definition in self._defined("struct", struct, path):
            inside = self._read(path)[definition.span.start : definition.span.end]
            if b"/**" in inside:
                return "inline"
            if kernel_doc.describing(c, struct):
                return "header"
        return "none"

    def reserved(self, struct: str, path: str, member: str) -> Slot | None:
        """The reserved slot of a struct with a frozen layout that a member takes, or none.

        The one that it has already, or else the first that is free; of any vendor whose macro
        ends in KABI_RESERVE(n), which its KABI_USE(n, member) replaces.
        """
        body = self._read(path)
        spans = [d.span for d in self._defined("struct", struct, path)]
        inside = b"".join(body[span.start : span.end] for span in spans)
        wanted = re.escape(member.encode()).replace(rb"\ ", rb"\s+")
        slot = re.search(rb"(\w*KABI)_USE\((\d+),\s*" + wanted + rb"\)\s*(;?)", inside)
        slot = slot or re.search(rb"^[ \t]*(\w*KABI)_RESERVE\((\d+)\)\s*(;?)", inside, re.M)
        if slot is None:
            return None
        macro, number, end = (part.decode() for part in slot.groups())
        headers = ("include/" + name.strip('<>"') for name, _ in self._c(path).includes())
        usable = any(self.declares(f"{macro}_USE", header) for header in headers)
        return Slot(f"{macro}_RESERVE({number})", f"{macro}_USE({number}, {member}){end}", usable)

    def ioctls(self, magic: str, path: str) -> dict[int, str]:
        """Numbers in use on an ioctl magic in a uapi header, with their #defines' names."""
        numbers: dict[int, str] = {}
        for taken in ioctl.read(self._c(path), magic).taken:
            numbers.setdefault(taken.number, taken.name)
        return numbers

    def unread_ioctls(self, magic: str, path: str) -> tuple[str, ...]:
        """Lines of a uapi header, as `LINE: TEXT`, that take a number which cannot be told."""
        return ioctl.read(self._c(path), magic).unread

    def person(self, known: str) -> str:
        """Who `Name <address>` is today, by the tree's .mailmap; the same where it has no line.

        Rule: gitmailmap(5). A line that maps an address only keeps the name.
        """
        name, _, address = known.rpartition(" ")
        for line in reversed(self._read(".mailmap").split(b"\n")):
            try:
                mapping = _MAILMAP.match(line.decode())
            except UnicodeDecodeError:
                # A name in an encoding that nobody tells is no name to write into a mail.
                continue
            if mapping and f"<{mapping[4] or mapping[2]}>".lower() == address.lower():
                if (mapping[3] or "").strip().lower() not in ("", name.lower()):
                    continue
                person = f"{(mapping[1] or name).strip()} <{mapping[2]}>"
                # It goes into a message, which is text.
                return person if person.isprintable() else known
        return known

    def _read(self, path: str) -> bytes:
        try:
            body = newlines.with_lf(self._tree.read(path))
        except NotInTree:
            return b""
        if body.startswith(LFS_POINTER):
            raise UserError(
                f"{self._tree.label}: {path} is a pointer of Git LFS, and its content is elsewhere",
                "git lfs pull there, and -C a copy of the checkout without its .git",
            )
        return body

    def _c(self, path: str) -> CFile:
        return parse(self._read(path))

    def _defined(self, kind: str, name: str, path: str) -> list[Definition]:
        return self._c(path).named(kind, name)


def tree_of(facts: TreeFacts) -> Tree:
    """The tree that is asked, for what needs more of it than a template does."""
    return facts._tree
