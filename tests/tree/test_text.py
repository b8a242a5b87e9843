# SPDX-License-Identifier: GPL-2.0-only
"""Places in Kconfig files, Makefiles and .rst files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmabuf_patchgen.tree import text
from dmabuf_patchgen.tree.tokens import Span

KCONFIG = b"""\
# SPDX-License-Identifier: GPL-2.0-only
menu "DMABUF options"

config SYNC_FILE
	bool "Explicit Synchronization Framework"
	help
\t  Words such as config or
\t  endmenu mean nothing here.

\t  Nor does a second paragraph end it.

config SW_SYNC
	bool "Sync File Validation Framework"
	depends on SYNC_FILE

menuconfig DMABUF_HEAPS
	bool "DMA-BUF Userland Memory Heaps"

if DMABUF_HEAPS
config DMABUF_SYSFS_STATS
	bool "stats"
endif

endmenu
"""

RST = b"""\
=====
Title
=====

Intro
=====

One
---

Text of one.

Deeper
~~~~~~

Deep.

Two
---

not a title
but text --- with dashes

End
===
"""


def cut(body: bytes, spans: list[Span]) -> list[str]:
    return [body[span.start : span.end].decode() for span in spans]


def test_kconfig_entry() -> None:
    (entry,) = cut(KCONFIG, text.kconfig_entries(KCONFIG, "SYNC_FILE"))
    assert entry.startswith("config SYNC_FILE\n")
    assert entry.endswith("Nor does a second paragraph end it.\n")


def test_kconfig_entry_before_an_endif() -> None:
    (entry,) = cut(KCONFIG, text.kconfig_entries(KCONFIG, "DMABUF_SYSFS_STATS"))
    assert entry == 'config DMABUF_SYSFS_STATS\n\tbool "stats"\n'


def test_menuconfig_is_an_entry() -> None:
    (entry,) = cut(KCONFIG, text.kconfig_entries(KCONFIG, "DMABUF_HEAPS"))
    assert entry == 'menuconfig DMABUF_HEAPS\n\tbool "DMA-BUF Userland Memory Heaps"\n'


@pytest.mark.parametrize("symbol", ["SYNC", "FILE", "SYNC_FILE_X", "or", "sync_file"])
def test_no_kconfig_entry(symbol: str) -> None:
    assert text.kconfig_entries(KCONFIG, symbol) == []


def test_two_kconfig_entries() -> None:
    assert len(text.kconfig_entries(KCONFIG + KCONFIG, "SW_SYNC")) == 2


def test_kconfig_entry_in_a_last_line_without_newline() -> None:
    body = b"config A\n\tbool"
    (span,) = text.kconfig_entries(body, "A")
    assert span == Span(0, len(body))


def test_rst_section_ends_at_its_own_level() -> None:
    (section,) = cut(RST, text.rst_sections(RST, "One"))
    assert section.startswith("One\n---\n") and section.endswith("Deep.\n\n")


def test_rst_section_ends_at_a_higher_level() -> None:
    (section,) = cut(RST, text.rst_sections(RST, "Two"))
    assert section.endswith("with dashes\n\n")


def test_rst_last_section_reaches_to_the_end() -> None:
    assert cut(RST, text.rst_sections(RST, "End")) == ["End\n===\n"]


@pytest.mark.parametrize("title", ["on", "one", "not a title", "Text of one."])
def test_no_rst_section(title: str) -> None:
    assert text.rst_sections(RST, title) == []


def test_an_overlined_title_is_of_another_level() -> None:
    """`=` above and below is another style than `=` below."""
    body = b"Text.\n\n=====\nTitle\n=====\n\nOne\n===\nText\n\nTwo\n===\n"
    assert cut(body, text.rst_sections(body, "One")) == ["One\n===\nText\n\n"]
    assert cut(body, text.rst_sections(body, "Title")) == [body.decode().partition("\n\n")[2]]


def test_lines_but_for_white_space() -> None:
    body = b"struct  device;\n\tstruct device;\nstruct device; /* no */\n"
    assert cut(body, text.lines_of(body, "struct device;")) == [
        "struct  device;\n",
        "\tstruct device;\n",
    ]


@given(st.lists(st.sampled_from([b"", b"a", b" a ", b"a b", b"\xff", b"b"]), max_size=8))
def test_lines_are_whole_lines(lines: list[bytes]) -> None:
    body = b"\n".join(lines)
    found = text.lines_of(body, "a")
    assert len(found) == sum(line.split() == [b"a"] for line in lines)
    for span in found:
        assert body[span.start : span.end].split() == [b"a"]
        assert span.start == 0 or body[span.start - 1 : span.start] == b"\n"
