# SPDX-License-Identifier: GPL-2.0-only
"""Reports of kernels: found, told apart, and known again in another boot."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmabuf_patchgen.kernel import console, reports
from dmabuf_patchgen.kernel.initramfs import SCRIPTS
from dmabuf_patchgen.kernel.reports import Kind, Report
from tests.growth import is_linear

CONSOLES = Path(__file__).parent / "consoles"
REPORTS = Path(__file__).parent / "reports"
PLANTED = Path(__file__).parent / "planted"

TRACE = """\
CPU: 0 UID: 0 PID: 87 Comm: toy Not tainted 6.12.118 #1
Call Trace:
 <TASK>
 dump_stack_lvl+0x4d/0x70
 toy_write+0x24/0x60
 vfs_write+0xb8/0x3a0
 ? stale+0x1/0x2
 ksys_write+0x5e/0xc0
 do_syscall_64+0x4b/0x110
 </TASK>
"""
#: The first lines of each kind as the trees' sources print them, and where it came up.
FIRST = [
    (Kind.WARNING, "WARNING: CPU: 0 PID: 87 at drivers/toy.c:12 toy_open+0x1f/0x30", "toy_open"),
    (Kind.WARNING, "WARNING: drivers/toy.c:12 at toy_open+0x1f/0x30, CPU#0: toy/87", "toy_open"),
    (Kind.BUG, "kernel BUG at drivers/toy.c:12!", "toy_write"),
    (Kind.BUG, "BUG: kernel NULL pointer dereference, address: 0000000000000010", "toy_write"),
    (Kind.BUG, "BUG: unable to handle page fault for address: ffffc90000144000", "toy_write"),
    (Kind.OOPS, "general protection fault, probably for non-canonical address 0xdead: 0000 [#1]",
     "toy_write"),
    (Kind.OOPS, "Oops: general protection fault, probably for non-canonical address 0xdead",
     "toy_write"),
    (Kind.OOPS, "divide error: 0000 [#1] SMP", "toy_write"),
    (Kind.OOPS, "Unable to handle kernel NULL pointer dereference at virtual address 0000000000",
     "toy_write"),
    (Kind.LOCKDEP, "WARNING: possible circular locking dependency detected", "toy_write"),
    (Kind.LOCKDEP, "WARNING: possible recursive locking detected", "toy_write"),
    (Kind.LOCKDEP, "WARNING: bad unlock balance detected!", "toy_write"),
    (Kind.LOCKDEP, "WARNING: inconsistent lock state", "toy_write"),
    (Kind.LOCKDEP, "WARNING: HARDIRQ-safe -> HARDIRQ-unsafe lock order detected", "toy_write"),
    (Kind.LOCKDEP, "WARNING: held lock freed!", "toy_write"),
    (Kind.LOCKDEP, "WARNING: lock held when returning to user space!", "toy_write"),
    (Kind.LOCKDEP, "WARNING: toy/87 still has locks held!", "toy_write"),
    (Kind.LOCKDEP, "[ BUG: Invalid wait context ]", "toy_write"),
    (Kind.LOCKDEP, "INFO: trying to register non-static key.", "toy_write"),
    (Kind.RCU, "WARNING: suspicious RCU usage", "toy_write"),
    (Kind.RCU, "rcu: INFO: rcu_sched self-detected stall on CPU", "toy_write"),
    (Kind.RCU, "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:", "toy_write"),
    (Kind.UBSAN, "UBSAN: array-index-out-of-bounds in drivers/toy.c:12:3", "toy_write"),
    (Kind.KASAN, "BUG: KASAN: slab-use-after-free in toy_read+0x40/0x90", "toy_read"),
    (Kind.KFENCE, "BUG: KFENCE: use-after-free read in toy_read+0x40/0x90", "toy_read"),
    (Kind.KCSAN, "BUG: KCSAN: data-race in toy_read+0x40/0x90", "toy_read"),
    (Kind.KMEMLEAK, "unreferenced object 0xffff888003b5a000 (size 64):", "toy_write"),
    (Kind.KMEMLEAK, "unreferenced object (percpu) 0x607f0b0c (size 64):", "toy_write"),
    (Kind.DMA_API, "DMA-API: toy 0000:00:01.0: device driver frees DMA memory with wrong function",
     "toy_write"),
    (Kind.REFCOUNT, "refcount_t: underflow; use-after-free.", "toy_write"),
    (Kind.LIST, "list_del corruption, ffff888003b5a000->next is LIST_POISON1 (dead000000000100)",
     "toy_write"),
    (Kind.LIST, "list_add corruption. prev->next should be next (ffff8880), but was 00000000.",
     "toy_write"),
    (Kind.OBJECTS, "ODEBUG: free active (active state 0) object: ffff8880 object type: work_struct",
     "toy_write"),
    (Kind.ATOMIC, "BUG: scheduling while atomic: toy/87/0x00000002", "toy_write"),
    (Kind.ATOMIC, "BUG: sleeping function called from invalid context at mm/slab.h:1", "toy_write"),
    (Kind.HUNG_TASK, "INFO: task toy:87 blocked for more than 120 seconds.", "toy_write"),
    (Kind.LOCKUP, "watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [toy:87]", "toy_write"),
    (Kind.LOCKUP, "watchdog: Watchdog detected hard LOCKUP on cpu 0", "toy_write"),
    (Kind.LOCKUP, "CPU0: Watchdog detected hard LOCKUP on cpu 0", "toy_write"),
    (Kind.PAGES, "BUG: Bad page state in process toy  pfn:03b5a", "toy_write"),
    (Kind.PAGES, "BUG: Bad rss-counter state mm:00000000 type:MM_FILEPAGES val:1", "toy_write"),
    (Kind.PAGES, "toy: page allocation failure: order:0, mode:0xcc0(GFP_KERNEL)", "toy_write"),
    (Kind.SLAB, "BUG kmalloc-64 (Not tainted): Poison overwritten", "toy_write"),
    (Kind.SLAB, "BUG toy (Tainted: G    B   W         ): Object already free", "toy_write"),
    (Kind.WORKQUEUE, "BUG: workqueue leaked atomic, lock or RCU: kworker/0:1[9]", "toy_write"),
    (Kind.PANIC, "Kernel panic - not syncing: VFS: Unable to mount root fs", "toy_write"),
]  # fmt: skip


def stamped(said: str, second: float = 1.5) -> str:
    return "".join(f"[{second:12.6f}] {line}\n" for line in said.splitlines())


def one(said: str) -> Report:
    (found,) = reports.read(stamped(said))
    return found


@pytest.mark.parametrize(("kind", "line", "function"), FIRST, ids=[line for _, line, _ in FIRST])
def test_each_kind_by_its_first_line(kind: Kind, line: str, function: str) -> None:
    found = one(f"{line}\n{TRACE}")
    assert (found.kind, found.line, found.function) == (kind, line, function)
    # Nothing of it is there by the rest alone.
    assert not reports.read(stamped(TRACE))


def test_every_kind_is_tested() -> None:
    assert {kind for kind, _, _ in FIRST} == {*Kind}


@pytest.mark.parametrize(
    "line",
    [
        "DMA-API: preallocated 65536 debug entries",
        "DMA-API: debugging enabled by kernel config",
        "DMA-API: dma_debug_entry pool grown to 131072 (200%)",
        "DMA-API: debugging out of memory - disabling",
        "DMA-API: cacheline tracking ENOMEM, dma-debug disabled",
        "ODEBUG: 4 of 4 active objects replaced",
        "ODEBUG: Out of memory. ODEBUG disabled",
        "toy: INFO: task toy started",
        "kmemleak: Kernel memory leak detector initialized (mem pool available: 15679)",
        "rcu: Hierarchical RCU implementation.",
        "Lock dependency validator: Copyright (c) 2006 Red Hat, Inc., Ingo Molnar",
        "x86/mm: Checked W+X mappings: passed, no W+X pages found.",
        "debug: unmapping init [mem 0xffffffff81e00000-0xffffffff81ffffff]",
        "WARNING: Flushing system-wide workqueues will be prohibited in near future.",
    ],
)
def test_what_is_no_report(line: str) -> None:
    assert not reports.read(stamped(line))


@pytest.mark.parametrize("name", ["good-5.10", "good-7.3", "good-arm64", "hang", "garbage"])
def test_a_kernel_without_fault_reports_nothing(name: str) -> None:
    assert not reports.read(console.clean((CONSOLES / f"{name}.log").read_bytes()))


def test_a_recorded_bug_is_one_report_with_its_oops_and_panic() -> None:
    said = console.clean((CONSOLES / "kernel-bug.log").read_bytes())
    assert "Oops: invalid opcode" in said and "Kernel panic - not syncing" in said
    (found,) = reports.read(said)
    assert found == Report(
        Kind.BUG,
        "kernel BUG at mm/memory.c:2411!",
        "vmf_insert_pfn_prot",
        ("vmf_insert_pfn_prot",),
        "dma-buf-pfnmap",
    )


#: Log of LKDTM (drivers/misc/lkdtm), which provokes one fault after the other, without oops=panic:
#: the fault, and the report's kind and function.
PROVOKED = {
    "lkdtm-6.12": [
        ("WARNING", Kind.WARNING, "lkdtm_WARNING"),
        ("WARNING_MESSAGE", Kind.WARNING, "lkdtm_WARNING_MESSAGE"),
        ("REFCOUNT_INC_OVERFLOW", Kind.REFCOUNT, "lkdtm_REFCOUNT_INC_OVERFLOW"),
        ("REFCOUNT_DEC_NEGATIVE", Kind.REFCOUNT, "lkdtm_REFCOUNT_DEC_NEGATIVE"),
        ("REFCOUNT_INC_ZERO", Kind.REFCOUNT, "lkdtm_REFCOUNT_INC_ZERO"),
        ("BUG", Kind.BUG, "lkdtm_BUG"),
        ("EXCEPTION", Kind.BUG, "lkdtm_EXCEPTION"),
        ("ACCESS_NULL", Kind.BUG, "lkdtm_ACCESS_NULL"),
        # A slab without checks: what is freed twice goes wrong where it is next touched.
        ("SLAB_FREE_DOUBLE", Kind.WARNING, "free_to_partial_list"),
        ("SLAB_FREE_DOUBLE", Kind.BUG, "free_to_partial_list"),
    ],
}


@pytest.mark.parametrize("name", PROVOKED)
def test_recorded_reports(name: str) -> None:
    found = reports.read((REPORTS / f"{name}.log").read_text())
    told = [(one.test.removeprefix("lkdtm-"), one.kind, one.function) for one in found]
    assert told == PROVOKED[name]
    # Each of them is another one.
    assert len({one.fingerprint for one in found}) == len(found)


#: Logs of a 6.12 with checkers, from where tests/prove/test_planted.py has a driver do something
#: wrong: the first reports' kinds and functions. The fault is in their first functions.
FAULTS = {
    "use_after_free": [(Kind.KASAN, "use_after_free")],
    "unbalanced_lock": [(Kind.LOCKDEP, "unbalanced_lock")],
    "sleep_under_spinlock": [(Kind.ATOMIC, "sleep_under_spinlock")],
    "leak_of_pages": [(Kind.KMEMLEAK, "leak_of_pages")] * 3,
    # What a file holds is lost with it: whose it was, here.
    "leak_of_a_file": [
        (Kind.KMEMLEAK, "prepare_creds"),
        *[(Kind.KMEMLEAK, "alloc_empty_file")] * 2,
    ],
    "double_put": [(Kind.REFCOUNT, "double_put")],
    "unmap_with_another_direction": [(Kind.DMA_API, "dma_unmap_page_attrs")],
}


def test_each_fault_has_a_record() -> None:
    assert {path.stem for path in PLANTED.iterdir()} == {*FAULTS}


@pytest.mark.parametrize("name", FAULTS)
def test_recorded_reports_of_checkers(name: str) -> None:
    found = reports.read((PLANTED / f"{name}.log").read_text())
    assert [(one.kind, one.function) for one in found] == FAULTS[name]
    leaks = {one.kind for one in found} == {Kind.KMEMLEAK}
    assert {one.test for one in found} == {"" if leaks else "planted"}
    # Allocators are none of them, or all leaks of one would be the same.
    if "file" not in name:
        assert all(name in one.frames for one in found)


#: What both series have the kernel report in proofs, base and tip, of the oldest tree, the newest
#: and that of reference. Of a function and a program, the logs have the first report alone.
PROVED = [
    (Kind.WARNING, "__dma_buf_mmap", "dma-buf-pfnmap-warn"),
    (Kind.WARNING, "__dma_buf_mmap", "dma-buf-pfnmap-kinds"),
    (Kind.WARNING, "__dma_buf_mmap", "dma-buf-map-info-claims"),
    (Kind.WARNING, "dma_buf_export", "dma-buf-map-info-claims"),
    (Kind.BUG, "vmf_insert_pfn_prot", "dma-buf-pfnmap-fault"),
]


def test_reports_of_recorded_proofs() -> None:
    prints = set()
    for series in ("5.10", "6.12", "7.3"):
        found = reports.read((REPORTS / f"proof-{series}.log").read_text())
        assert [(one.kind, one.function, one.test) for one in found] == PROVED
        prints.add(tuple(one.fingerprint for one in found))
    # The same reports, whatever the tree.
    assert len(prints) == 1


CUT = "------------[ cut here ]------------\n"
END = "---[ end trace 0000000000000000 ]---\n"
WARN = "WARNING: CPU: 0 PID: 87 at lib/toy.c:28 refcount_warn_saturate+0xba/0x110\n"


@pytest.mark.parametrize(
    "said",
    [
        # As up to 7.0, where the text comes first, and as on 7.3.
        f"{CUT}refcount_t: underflow; use-after-free.\n{WARN}{TRACE}{END}",
        f"{CUT}{WARN}refcount_t: underflow; use-after-free.\n{TRACE}{END}",
    ],
)
def test_a_warning_is_of_the_kind_that_its_text_tells(said: str) -> None:
    found = one(said)
    assert (found.kind, found.function) == (Kind.REFCOUNT, "toy_write")


def test_where_a_mapping_is_from_is_no_other_report() -> None:
    text = "DMA-API: toy toy.0: device driver frees DMA memory with different direction\n"
    said = f"{CUT}{text}{WARN}{TRACE}{END}DMA-API: Mapped at:\n toy_map+0x1/0x2\n"
    assert (one(said).kind, one(said).function) == (Kind.DMA_API, "toy_write")


def test_a_bug_of_a_corrupt_list_is_of_the_list() -> None:
    said = f"list_del corruption. next is bad\n{CUT}kernel BUG at lib/list_debug.c:56!\n"
    found = one(f"{said}Oops: invalid opcode: 0000 [#1]\n{TRACE}{END}")
    assert (found.kind, found.function) == (Kind.LIST, "toy_write")


def test_reports_one_after_the_other() -> None:
    warning = "WARNING: CPU: 0 PID: 87 at drivers/toy.c:12 toy_open+0x1f/0x30\n"
    said = stamped(f"{CUT}{warning}{TRACE}{END}{CUT}kernel BUG at drivers/toy.c:13!\n{TRACE}{END}")
    assert [found.kind for found in reports.read(said)] == [Kind.WARNING, Kind.BUG]
    # Without their ends as well.
    said = stamped(f"{warning}{TRACE}BUG: sleeping function called from invalid context\n{TRACE}")
    assert [found.kind for found in reports.read(said)] == [Kind.WARNING, Kind.ATOMIC]
    # The panic that an oops ends in is not another one; one by itself is.
    oops = f"kernel BUG at drivers/toy.c:13!\n{TRACE}{END}"
    panic = "Kernel panic - not syncing: Fatal exception\n"
    assert [found.kind for found in reports.read(stamped(oops + panic))] == [Kind.BUG]
    assert [found.kind for found in reports.read(stamped(panic))] == [Kind.PANIC]


def test_arm64() -> None:
    found = one(
        "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000000\n"
        "Mem abort info:\n"
        "Internal error: Oops: 0000000096000045 [#1] PREEMPT SMP\n"
        "pc : toy_write+0x24/0x60 [toy]\n"
        "lr : vfs_write+0xb8/0x3a0\n"
        "Call trace:\n toy_write+0x24/0x60 [toy] (P)\n vfs_write+0xb8/0x3a0\n"
        " ksys_write+0x5e/0xc0\n"
        f"{END}Kernel panic - not syncing: Oops: Fatal exception\n"
    )
    assert found.frames == ("toy_write", "vfs_write", "ksys_write")


def test_the_test_that_ran_is_told() -> None:
    log = (
        stamped("dmabuf-patchgen: running dma-buf-pfnmap-warn")
        + stamped("WARNING: drivers/dma-buf/dma-buf.c:12 at dma_buf_mmap+0x1/0x2, CPU#0: a/8")
        + "# selftests: drivers/dma-buf: dma-buf-map-info\n"
        + stamped("kernel BUG at drivers/toy.c:12!")
    )
    early = stamped("WARNING: init/main.c:12 at start_kernel+0x1/0x2, CPU#0: swapper/0")
    found = reports.read(early + log)
    assert [one.test for one in found] == ["", "dma-buf-pfnmap-warn", "dma-buf-map-info"]
    suites = "".join(
        stamped(line)
        for line in (
            "    # Subtest: toy-core",
            "        # Subtest: a case with parameters",
            "WARNING: drivers/toy.c:12 at toy_open+0x1f/0x30, CPU#0: kunit/8",
            "    ok 1 a case with parameters",
            "not ok 1 toy-core",
            "WARNING: drivers/toy.c:12 at toy_probe+0x1f/0x30, CPU#0: swapper/1",
        )
    )
    assert [one.test for one in reports.read(suites)] == ["toy-core", ""]
    # guest-timeout runs every program, and says so.
    assert (
        f'"<6>{console.MARK}running ${{1##*/}}" >/dev/kmsg'
        in SCRIPTS["usr/bin/timeout"].read_text()
    )


@given(
    line=st.sampled_from([line for _, line, _ in FIRST]),
    second=st.floats(0, 9000),
    number=st.integers(0, 99999),
)
def test_a_report_is_known_again_in_another_boot(line: str, second: float, number: int) -> None:
    other = re.sub(r"\b87\b", str(number), line).replace("ffff8880", "ffff8881")
    here = one(f"{line}\n{TRACE}")
    (there,) = reports.read(stamped(f"{other}\n{TRACE.replace('87', str(number))}", second))
    assert here.fingerprint == there.fingerprint


def test_a_copy_that_the_compiler_made_is_the_same_function() -> None:
    line = "BUG: KASAN: use-after-free in toy_read{}+0x40/0x90"
    assert one(line.format(".isra.0")).fingerprint == one(line.format("")).fingerprint


def test_another_function_or_kind_is_another_report() -> None:
    line = "BUG: KASAN: use-after-free in {}+0x40/0x90"
    prints = {one(line.format(name)).fingerprint for name in ("toy_read", "toy_write")}
    prints.add(one("BUG: KFENCE: use-after-free in toy_read+0x40/0x90").fingerprint)
    prints.add(one(line.format("toy_read") + f"\n{TRACE}").fingerprint)
    assert len(prints) == 4


def test_what_a_test_says_of_a_report_is_none() -> None:
    assert not reports.read("# kernel BUG at drivers/toy.c:12!\n")
    torn = "# ok 1 so[    1.000000] kernel BUG at drivers/toy.c:12!\n"
    assert [found.kind for found in reports.read(torn)] == [Kind.BUG]


@pytest.mark.parametrize(
    "line",
    [
        "BUG a (Tainted: (", "in a:1 ", "at 0:0 a", "# selftests: a", "[    1.000000] ", "x" * 70,
        "WARNING: CPU: 0 PID: 87 at drivers/toy.c:12 toy_open+0x1f/0x30\n toy_write+0x24/0x60\n",
    ],
)  # fmt: skip
def test_reading_takes_time_in_proportion(line: str) -> None:
    assert is_linear(lambda size: line * size, reports.read, 2000)


@given(st.text())
def test_anything_can_be_read(said: str) -> None:
    assert isinstance(reports.read(said), tuple)
