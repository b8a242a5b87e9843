# SPDX-License-Identifier: GPL-2.0-only
"""Places in what is neither C nor a Makefile: Kconfig entries, .rst sections, lines."""

import re
from itertools import pairwise

from dmabuf_patchgen.tree.tokens import Span, line_end, line_start

# Keywords that begin an entry and so end the one before it.
# Rule: Documentation/kbuild/kconfig-language.rst, "Menu entries".
_KCONFIG_ENTRY = re.compile(
    rb"^(config|menuconfig|choice|endchoice|comment|menu|endmenu|if|endif|source|mainmenu)\b.*$",
    re.M,
)
# An underline of .rst: one punctuation sign, repeated, on a line of its own.
_RST_UNDERLINE = re.compile(rb"^([=\-~^\"'`#*+.:_])\1{2,}[ \t]*$")


def kconfig_entries(body: bytes, symbol: str) -> list[Span]:
    """Entries of a symbol in a Kconfig file, without the blank lines after them."""
    starts = [*_KCONFIG_ENTRY.finditer(body)]
    ends = [*(m.start() for m in starts[1:]), len(body)][: len(starts)]
    wanted = re.compile(rb"(menu)?config[ \t]+" + re.escape(symbol.encode()) + rb"\s*$")
    found = []
    for match, end in zip(starts, ends, strict=True):
        if wanted.match(match.group()):
            kept = body[match.start() : end].rstrip()
            found.append(Span(match.start(), line_end(body, match.start() + len(kept))))
    return found


def rst_sections(body: bytes, title: str) -> list[Span]:
    """Sections of that title, up to the next title of the same or a higher level."""
    titles = _rst_titles(body)
    ranks: dict[bytes, int] = {}
    for _, _, mark in titles:
        ranks.setdefault(mark, len(ranks))
    found = []
    for index, (start, text, mark) in enumerate(titles):
        if text == title:
            end = len(body)
            for later, _, other in titles[index + 1 :]:
                if ranks[other] <= ranks[mark]:
                    end = later
                    break
            found.append(Span(start, end))
    return found


def _rst_titles(body: bytes) -> list[tuple[int, str, bytes]]:
    found = []
    offset = 0
    above = b""
    for line, under in pairwise([*body.splitlines(keepends=True), b""]):
        text = line.rstrip()
        mark = _RST_UNDERLINE.match(under.rstrip(b"\r\n"))
        if mark and text and not text[:1].isspace() and len(under.rstrip()) >= len(text):
            # With the same line above it, a title is of another style and begins there.
            over = above if above.rstrip() == under.rstrip() else b""
            style = mark.group(1) * (2 if over else 1)
            found.append((offset - len(over), text.decode(errors="replace"), style))
        offset += len(line)
        above = line
    return found


def lines_of(body: bytes, wanted: str) -> list[Span]:
    """Lines that say that, but for white space."""
    key = wanted.split()
    found = []
    at = 0
    while at < len(body):
        end = line_end(body, at)
        if body[at:end].decode(errors="replace").split() == key:
            found.append(Span(line_start(body, at), end))
        at = end
    return found
