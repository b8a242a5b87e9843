# SPDX-License-Identifier: GPL-2.0-only
"""Calls that take PFNs of others, however a file is laid out."""

import pytest

from dmabuf_patchgen.audit.definitions import Definitions
from dmabuf_patchgen.audit.takers import taken


@pytest.mark.parametrize("before", ["\t", "\treturn\n", "\telse\n", "\t(void)", "\tx = "])
def test_a_call_is_found_wherever_it_stands_on_its_line(before: str) -> None:
    body = f"int f(int a)\n{{\n{before}follow_pfn(a);\n}}\n".encode()
    (one,) = taken(Definitions("drivers/x.c", body), body)
    assert (one.call, one.function) == ("follow_pfn", "f")


def test_a_system_call_is_called_by_its_name() -> None:
    body = (
        b"SYSCALL_DEFINE2(s390_write, unsigned long, a,\n\t\tsize_t, n)\n{\n\tfollow_pfn(a);\n}\n"
    )
    (one,) = taken(Definitions("arch/x.c", body), body)
    assert one.function == "s390_write"


def test_another_word_is_no_call_of_it() -> None:
    body = b"int f(int a)\n{\n\tmy_follow_pfn(a);\n}\n"
    assert not taken(Definitions("drivers/x.c", body), body)
