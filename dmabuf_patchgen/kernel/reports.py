# SPDX-License-Identifier: GPL-2.0-only
"""What a kernel reports of itself: warnings, oopses, and all that its checkers find.

A report begins with a line that is known, ends with its trace or where another begins, and may
have others in it: the oops of a BUG(), the WARN() by which a checker tells what it found. Forms
are those of 5.10 to 7.3 on x86 and arm64.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum

from dmabuf_patchgen.kernel import console


class Kind(Enum):
    """What made a report."""

    WARNING = "WARNING"
    BUG = "BUG"
    OOPS = "Oops"
    PANIC = "panic"
    LOCKDEP = "lockdep"
    RCU = "RCU"
    UBSAN = "UBSAN"
    KASAN = "KASAN"
    KFENCE = "KFENCE"
    KCSAN = "KCSAN"
    KMEMLEAK = "kmemleak"
    DMA_API = "DMA-API"
    REFCOUNT = "refcount_t"
    LIST = "list corruption"
    OBJECTS = "debug objects"
    ATOMIC = "atomic context"
    HUNG_TASK = "hung task"
    LOCKUP = "lockup"
    PAGES = "page allocator"
    SLAB = "slab"
    WORKQUEUE = "workqueue"


#: How the first line of a report begins, the first that fits. What is told by a WARN() comes
#: before the WARN() itself.
_FIRST = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        (Kind.KASAN, r"BUG: KASAN: "),
        (Kind.KFENCE, r"BUG: KFENCE: "),
        (Kind.KCSAN, r"BUG: KCSAN: "),
        (Kind.UBSAN, r"UBSAN: "),
        (Kind.KMEMLEAK, r"unreferenced object (?:\(\w+\) )?0x"),
        (
            # "Mapped at:" follows the end of a report, and tells where the mapping is from.
            Kind.DMA_API,
            r"(?:\S+ \S+: )?DMA-API: (?!preallocated|debugging|disabled|Memory usage|Mapped at:|"
            r"dma_debug_entry pool|enable driver|switching off|cacheline tracking ENOMEM)",
        ),
        (Kind.REFCOUNT, r"refcount_t: "),
        (Kind.LIST, r"list_(?:add|del)(?: double add| corruption)|slist corruption"),
        (Kind.OBJECTS, r"ODEBUG: (?!\d+ of \d+|selftest|Out of memory)"),
        (Kind.RCU, r"WARNING: suspicious RCU usage"),
        (Kind.RCU, r"(?:rcu: )?INFO: rcu_\w+ (?:self-)?detected "),
        (
            Kind.LOCKDEP,
            r"WARNING: (?:possible (?:circular|recursive|irq lock)|inconsistent lock state|"
            r"bad (?:unlock balance|contention)|held lock freed|lock held when|Nested lock|"
            r"chain_key collision|\S+-safe -> \S+-unsafe|\S+/\d+ still has locks held)",
        ),
        (Kind.LOCKDEP, r"\[ BUG: |BUG: (?:MAX_LOCK|MAX_STACK_TRACE|key |looking up invalid)"),
        (Kind.LOCKDEP, r"INFO: trying to register non-static key|DEBUG_LOCKS_WARN_ON\("),
        (
            Kind.ATOMIC,
            r"BUG: (?:scheduling while atomic|scheduling in a non-blocking|"
            r"sleeping function called|assuming (?:atomic|non migratable))",
        ),
        (Kind.HUNG_TASK, r"INFO: task \S+ blocked "),
        (
            Kind.LOCKUP,
            r"watchdog: BUG: soft lockup|(?:NMI |CPU\d+: )?(?:watchdog: )?"
            r"Watchdog detected hard LOCKUP",
        ),
        (Kind.WORKQUEUE, r"BUG: workqueue "),
        (
            Kind.PAGES,
            r"BUG: (?:Bad page (?:state|map|cache)|Bad rss-counter|non-zero pgtables_bytes|"
            r"Bad pagetable)|\S+: page allocation failure",
        ),
        (Kind.SLAB, r"BUG \S.* \((?:Not tainted|Tainted: .*)\): "),
        (Kind.WARNING, r"WARNING: (?:CPU: \d|\S+:\d+ at |at )"),
        (Kind.BUG, r"kernel BUG at |BUG: "),
        (Kind.OOPS, r"Oops|Internal error: |Unable to handle kernel |PANIC: (?:early|double)"),
        (
            Kind.OOPS,
            r"(?:general protection fault|stack segment|divide error|invalid opcode|int3|"
            r"alignment check|segment not present|invalid TSS|bounds)\b.*: [0-9a-f]{4} \[#\d+\]",
        ),
        (Kind.PANIC, r"Kernel panic - not syncing"),
    )
)
#: What is a part of a report that has begun, as it has the same cause.
_PARTS = {
    Kind.WARNING: {
        Kind.DMA_API, Kind.REFCOUNT, Kind.LIST, Kind.OBJECTS, Kind.LOCKDEP, Kind.RCU,
        Kind.WORKQUEUE, Kind.PAGES,
    },
    Kind.BUG: {Kind.LIST, Kind.SLAB, Kind.LOCKDEP},
    Kind.OOPS: {Kind.BUG, Kind.LIST, Kind.SLAB, Kind.OOPS, Kind.KASAN},
    Kind.PANIC: {*Kind},
}  # fmt: skip
#: What a WARN() says, which may stand behind its first line: the report is of that kind then.
_SAID = {Kind.DMA_API, Kind.REFCOUNT, Kind.LIST, Kind.OBJECTS, Kind.LOCKDEP}

_CUT = re.compile(r"-+\[ cut here \]-+")
_TRACE_END = re.compile(r"---\[ end (?:trace|Kernel panic)")
_RULE = re.compile(r"={20,}$")
#: The program of tests that begins: as the runner says on the console, or guest-timeout in the
#: kernel's log. Leaks are told after all of them, whoever lost something.
_TEST = re.compile(rf"# selftests: [^:]+: (\S+)|{re.escape(console.MARK)}(?:running (\S+)|leaks)$")
#: The same of the tests that the kernel runs by itself: a suite of KUnit's begins and ends.
_SUITE = re.compile(r" {4}# Subtest: (\S+)$|(?:not )?ok \d+ (?P<ended>\S+)")
#: A place in code: name+0x12/0x34; one behind a question mark is only left on the stack.
_PLACE = r"([A-Za-z_][\w.]*)\+0x[0-9a-f]+/0x[0-9a-f]+"
_FRAME = re.compile(rf"^\s*(?:\[<[0-9a-f]+>\] )?{_PLACE}(?: \[\w+\])?(?: \(P\))?\s*$")
_GUESS = re.compile(rf"^\s*\? {_PLACE}(?: \[\w+\])?\s*$")
_AT = re.compile(rf"^(?:RIP: 0010:|pc : |.*\b(?:at|in) (?:\S+:\d+ )?){_PLACE}")
#: What is behind the first line's place where there is one: it would be told for all alike.
_MACHINERY = re.compile(
    r"""
    _*dump_(?:stack|backtrace)\w* | show_(?:stack|regs)\w* | _*warn(?:_\w+)? | report_bug\w*
    | \w*bug_handler\w* | handle_bug\w* | (?:asm_)?exc_\w+ | die\w* | _*die_\w+ | panic\w*
    | page_fault_oops | bad_area\w* | _*do_(?:kernel_fault|page_fault|user_addr_fault|trap|
    error_trap|mem_abort|debug_exception|translation_fault|el0_\w+) | el[01]\w* | brk_handler
    | call_(?:break_hook|el1_break_hook) | _*ubsan_\w+ | _*kasan_\w+ | _*asan_\w+ | kfence_\w+
    | print_\w+ | check_(?:noncircular|deadlock|prev\w*|memory_region)\w* | validate_chain\w*
    | _*lock_acquire\w* | lock_release\w* | lockdep_rcu_suspicious | mark_(?:lock|usage)\w*
    | _*might_(?:sleep|resched|fault|alloc)\w* | _*schedule(?:_bug|_\w+)? | object_err | slab_\w+
    | check_object\w* | alloc_debug_\w+ | free_debug_\w+ | _*free_slab\w* | kmemleak_\w+
    | _*kmem_cache_\w+ | _*k?v?[mz]alloc\w* | kfree | _*slab_\w+ | debug_print_object
    | kref_\w+ | refcount_(?:warn_saturate|dec_\w+|inc_\w+|sub_\w+|add_\w+) | bad_page\w*
    | _*list_(?:add|del)_\w+ | watchdog_\w+ | sched_show_task | rcu_\w+ | err_printk | check_unmap
    | debug_dma_\w+
    """,
    re.VERBOSE,
)
#: Suffixes by which a compiler tells its copies of a function apart.
_COPY = re.compile(r"\.(?:isra|constprop|part|cold|llvm)\b.*")
#: What differs from boot to boot in a line: addresses, numbers, names with a number.
_VARYING = re.compile(r"0x[0-9a-f]+|\b[0-9a-f]{8,}\b|\d+")
_FRAMES = 3
#: A kernel's own lines have less than a thousand characters; of others no more is looked at.
_LINE = 1000


@dataclass(frozen=True, slots=True)
class Report:
    """A report of a kernel.

    line: its first; function: where it came up, empty where it does not say; frames: that and
    its callers, a few, without those that the kernel is not sure of; test: the program of tests
    that ran, empty before the first.
    """

    kind: Kind
    line: str
    function: str
    frames: tuple[str, ...]
    test: str

    @property
    def fingerprint(self) -> str:
        """The same for the same report of another boot, or of another build."""
        return ": ".join((self.kind.value, " < ".join(self.frames) or _VARYING.sub("N", self.line)))


@dataclass(slots=True)
class _Open:
    """A report whose lines still come."""

    kind: Kind
    line: str
    test: str
    lines: list[str] = field(default_factory=list)

    def closed(self) -> Report:
        said = [self.line, *self.lines]
        frames = tuple(_frames(said, _FRAME))
        # A kernel that has nothing to unwind its stack by is sure of none.
        sure = frames or tuple(_frames(said, _GUESS))
        return Report(self.kind, self.line, sure[0] if sure else "", frames, self.test)


def read(log: str) -> tuple[Report, ...]:
    """The reports in a kernel's log or on a console, in order."""
    return tuple(_read(log.splitlines()))


def _read(lines: Iterable[str]) -> Iterator[Report]:
    opened: _Open | None = None
    test = ""
    #: Whether a report may only be followed by one with the same cause.
    ended = False
    for line in lines:
        if begun := _TEST.search(line[:_LINE]):
            test = begun[1] or begun[2] or ""
        text = console.message(line)[:_LINE]
        if suite := _SUITE.match(text):
            test = "" if suite["ended"] == test else suite[1] or test
        kind = _kind(text)
        if kind is None:
            if opened and _closes(text, opened):
                ended = True
            elif opened and not ended:
                opened.lines.append(text)
        elif opened and _is_part(kind, opened, ended=ended):
            opened.lines.append(text)
        elif opened and opened.kind is Kind.WARNING and kind in _SAID and len(opened.lines) < 2:
            # The WARN() came first, and then what it has to say.
            opened.kind = kind
            opened.lines.append(text)
        else:
            if opened:
                yield opened.closed()
            opened, ended = _Open(kind, text, test), False
    if opened:
        yield opened.closed()


def _kind(text: str) -> Kind | None:
    """The kind of the report that a line begins, None if it begins none."""
    return next((kind for kind, pattern in _FIRST if pattern.match(text)), None)


def _is_part(kind: Kind, opened: _Open, *, ended: bool) -> bool:
    if ended:
        # What made the kernel panic has been told.
        return kind is Kind.PANIC
    return opened.kind in _PARTS.get(kind, ())


def _closes(text: str, opened: _Open) -> bool:
    """Whether a line is the end of a report."""
    return bool(_TRACE_END.search(text) or (_RULE.match(text) and opened.lines))


def _frames(lines: Iterable[str], frame: re.Pattern[str]) -> Iterator[str]:
    """The first functions of a report, without what made the report itself."""
    found: dict[str, None] = {}
    for line in lines:
        if place := _AT.match(line) or frame.match(line):
            name = _COPY.sub("", place[1])
            if not _MACHINERY.fullmatch(name):
                found[name] = None
        if len(found) == _FRAMES:
            break
    yield from found
