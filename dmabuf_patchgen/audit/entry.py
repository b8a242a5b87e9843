# SPDX-License-Identifier: GPL-2.0-only
"""The entries of a tree: all the ways by which userspace maps a dma-buf or a GEM object."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from dmabuf_patchgen.audit.definitions import Function, Initialiser
from dmabuf_patchgen.audit.fault import Faults
from dmabuf_patchgen.audit.index import Index, driver
from dmabuf_patchgen.audit.judge import Judge, failures, overall, swaps
from dmabuf_patchgen.audit.path import Bindings, Walker
from dmabuf_patchgen.audit.state import State, Step, TooMuch
from dmabuf_patchgen.audit.verdict import Branch, CopyOnWrite, Entry, Kind

_GEM = "drivers/gpu/drm/drm_gem.c"
_DMA_BUF = "drivers/dma-buf/dma-buf.c"
_VB2 = "drivers/media/common/videobuf2/videobuf2-core.c"
#: Functions that map a buffer; a file whose mmap gets to one of them is an entry.
_MAPS_BUFFERS = frozenset(
    {
        "dma_buf_mmap", "drm_gem_mmap", "drm_gem_mmap_obj", "drm_gem_prime_mmap",
        "drm_gem_cma_mmap", "drm_gem_shmem_mmap", "ttm_bo_mmap", "ttm_bo_mmap_obj", "vb2_mmap",
    }
)  # fmt: skip
_FUNCS = re.compile(r"funcs\s*=\s*&(\w+)\s*;")
#: Members of struct drm_driver whose functions make GEM objects, with the functions they have.
_MAKERS = ("dumb_create", "gem_prime_import_sg_table", "gem_prime_import", "gem_create_object")


@dataclass(frozen=True, slots=True)
class Found:
    """Operations that are an entry, and the function of the core that calls them."""

    one: Initialiser
    what: str
    callback: str


@dataclass(frozen=True, slots=True)
class Job:
    """An entry that is to be judged.

    function: where it is followed from, None with the reason in `missing` where that was not
    found; through_gem: only what goes through drm_gem_mmap_obj() is the object's.
    """

    found: Found
    function: Function | None
    bindings: Bindings
    missing: str = ""
    through_gem: bool = False


class Entries:
    """Finds and judges the entries of an index."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self.walker = Walker(index)
        self.judge = Judge(Faults(index))

    def jobs(self) -> list[Job]:
        """Every entry, and where it is followed from."""
        return [
            *(self._from(found, "dma_buf_mmap_internal", _DMA_BUF, "dma_buf_ops")
              for found in self._dma_buf()),
            *(self._from(found, "drm_gem_mmap_obj", _GEM, "drm_gem_object_funcs")
              for found in self._instances("drm_gem_object_funcs", "GEM")),
            *(self._from(found, "vb2_mmap", _VB2, "vb2_mem_ops")
              for found in self._instances("vb2_mem_ops", "videobuf2")),
            *self._drivers(),
            *self._files(),
        ]  # fmt: skip

    def judged(self, job: Job) -> Entry:
        """The verdict on an entry."""
        if job.function is None:
            return self._unknown(job.found, job.missing)
        try:
            return self._entry(job.found, job.function, job.bindings, job.through_gem)
        except TooMuch as error:
            return self._unknown(job.found, str(error))
        except RecursionError:
            return self._unknown(job.found, "what it calls is nested too deeply to be read")

    def _instances(self, kind: str, what: str) -> list[Found]:
        return [
            Found(one, what, one.value("mmap")) for one in self.index.initialisers.get(kind, [])
        ]

    def _dma_buf(self) -> list[Found]:
        """Instances of dma_buf_ops, those within another struct included."""
        found = []
        for kind, instances in self.index.initialisers.items():
            for one in instances:
                what = "heap" if "/heaps/" in one.path else "dma-buf"
                if kind == "dma_buf_ops":
                    found.append(Found(one, what, one.value("mmap")))
                elif kind.endswith("_dma_buf_ops"):
                    inner = {
                        member.removeprefix("ops."): value
                        for member, value in one.fields.items()
                        if member.startswith("ops.")
                    }
                    if inner:
                        ops = Initialiser("dma_buf_ops", one.name, one.path, one.line, inner)
                        found.append(Found(ops, what, ops.value("mmap")))
        return found

    def _from(self, found: Found, core: str, core_path: str, kind: str) -> Job:
        """An entry that a function of the core calls: followed from there."""
        one = found.one
        bindings = Bindings(
            {kind: (one,), **self._of_driver(one.path, but=kind)}, frozenset({kind})
        )
        if kind == "drm_gem_object_funcs":
            own = self._own_file(one.path)
            if own is not None:
                return Job(found, own, bindings, through_gem=True)
        functions = self.index.function(core, core_path)
        if not functions:
            return Job(found, None, bindings, f"{core}() was not found in {core_path}")
        return Job(found, functions[0], bindings)

    def _own_file(self, path: str) -> Function | None:
        """The mmap of a driver's file, where that is not drm_gem_mmap() alone."""
        for one in self._driver_files:
            name = one.value("mmap")
            if _same_driver(one.path, path) and name not in ("", "drm_gem_mmap"):
                for function in self.index.function(name, one.path):
                    return function
        return self._helper_file(path)

    def _helper_file(self, path: str) -> Function | None:
        """The mmap that a helper of DRM's core gives to its drivers' files, if it has one."""
        for one in self._all_files:
            name = one.value("mmap")
            if name.startswith("drm_gem_") and name != "drm_gem_mmap":
                for function in self.index.function(name, one.path):
                    if function.path == path:
                        return function
        return None

    def _of_driver(self, path: str, but: str = "") -> dict[str, tuple[Initialiser, ...]]:
        """The GEM functions and files of the driver that a file belongs to."""
        found: dict[str, tuple[Initialiser, ...]] = {}
        if but != "drm_gem_object_funcs":
            funcs = self._funcs(path)
            drivers = tuple(
                one
                for one in self.index.initialisers.get("drm_driver", [])
                if _same_driver(one.path, path)
            )
            older = tuple(one for one in drivers if one.value("gem_vm_ops"))
            if funcs:
                found["drm_gem_object_funcs"] = funcs
            elif older:
                # Up to 5.10 objects may have no functions: those of the driver stand in.
                found["drm_gem_object_funcs"] = ()
            if drivers:
                found["drm_driver"] = older or drivers
        files = [one for one in self._driver_files if _same_driver(one.path, path)]
        if files:
            found["file_operations"] = tuple(files)
        return found

    def _funcs(self, path: str) -> tuple[Initialiser, ...]:
        """The GEM functions that a driver's objects may have.

        Its own, and those of the helpers that its struct drm_driver names: the functions
        of a helper are those that the file which makes the objects sets.
        """
        known = self.index.initialisers.get("drm_gem_object_funcs", [])
        own = [one for one in known if _same_driver(one.path, path)]
        found = {one.name: one for one in own}
        if not path.startswith(("drivers/gpu/drm/", "drivers/accel/")) or "/" not in path[16:]:
            return tuple(found.values())
        for one in self.index.initialisers.get("drm_driver", []):
            if not _same_driver(one.path, path):
                continue
            for member in _MAKERS:
                for name in re.findall(r"\bdrm_gem_\w+", one.value(member)):
                    for made in self._made_by(name):
                        found.setdefault(made.name, made)
        return tuple(found.values())

    def _made_by(self, name: str) -> list[Initialiser]:
        """The GEM functions of objects that a helper of DRM's core makes."""
        found = []
        for one, text in self._helpers:
            if f"{name}(" in text and one.name in _FUNCS.findall(text):
                found.append(one)
        return found

    @cached_property
    def _helpers(self) -> list[tuple[Initialiser, str]]:
        """GEM functions of DRM's own helpers, each with the text of its file."""
        return [
            (one, self.index.file(one.path).plain)
            for one in self.index.initialisers.get("drm_gem_object_funcs", [])
            if one.path.startswith("drivers/gpu/drm/") and one.path.count("/") == 3
        ]

    @cached_property
    def _driver_files(self) -> list[Initialiser]:
        """file_operations that a struct drm_driver names, in the driver's directory."""
        named = {
            (driver(one.path), one.value("fops"))
            for one in self.index.initialisers.get("drm_driver", [])
            if one.value("fops")
        }
        return [one for one in self._all_files if (driver(one.path), one.name) in named]

    @cached_property
    def _all_files(self) -> list[Initialiser]:
        """Every file_operations of the tree, those that a macro makes included."""
        return [
            *self.index.initialisers.get("file_operations", []),
            *self.index.made_operations,
        ]

    def _drivers(self) -> Iterator[Job]:
        """mmap of a PRIME buffer where struct drm_driver has it, up to Linux 5.10."""
        for one in self.index.initialisers.get("drm_driver", []):
            name = one.value("gem_prime_mmap")
            if name and not name.startswith("drm_gem_prime_mmap"):
                found = Found(one, "drm_driver", name)
                functions = self.index.function(name, one.path)
                bindings = Bindings(self._of_driver(one.path))
                if functions:
                    yield Job(found, functions[0], bindings)
                else:
                    yield Job(found, None, bindings, f"{name}() was not found")

    def _files(self) -> Iterator[Job]:
        """file_operations whose mmap gets to a function that maps buffers, or is a DRM driver's."""
        ours = {(one.path, one.name) for one in self._driver_files if self._funcs(one.path)}
        for one in self._all_files:
            name = one.value("mmap")
            if not name:
                continue
            functions = self.index.function(name, one.path)
            found = Found(one, "file", name)
            if not functions:
                if (one.path, one.name) in ours:
                    yield Job(found, None, Bindings({}), f"{name}() was not found")
                continue
            if (one.path, one.name) not in ours and not self._leads(functions[0]):
                continue
            yield Job(found, functions[0], Bindings(self._of_driver(one.path)))

    def _leads(self, function: Function) -> bool:
        """Whether a function gets to one that maps buffers, by the names it calls."""
        pending = [function]
        seen: set[str] = set()
        while pending:
            one = pending.pop()
            if one.name in _MAPS_BUFFERS:
                return True
            if one.name in seen or len(seen) > 60:
                continue
            seen.add(one.name)
            for name in set(re.findall(r"\b(\w+mmap\w*)\s*\(", one.text)):
                if name in _MAPS_BUFFERS:
                    return True
                pending += self.index.function(name, one.path)
        return False

    def _entry(
        self, found: Found, function: Function, bindings: Bindings, through_gem: bool
    ) -> Entry:
        one = found.one
        begun = State(steps=(Step(one.path, one.line_of("mmap"), _says(found)),))
        ends = self.walker.enter(function, [begun], bindings)
        if through_gem:
            # What else the driver's file maps, registers say, is no object.
            objects = [(state, value) for state, value in ends if state.through_gem]
            ends = objects or ends
        branches = self.judge.branches(ends)
        return Entry(
            name=one.name,
            what=found.what,
            path=one.path,
            line=one.line,
            callback=found.callback,
            kind=overall(branches) if branches or not _has_success(ends) else Kind.UNKNOWN,
            branches=branches or _nothing(ends),
            copy_on_write=self.judge.copy_on_write(ends),
            swaps_file=swaps(ends),
            failures=failures(ends),
            caching=self.judge.caching(ends),
        )

    def _unknown(self, found: Found, why: str) -> Entry:
        one = found.one
        step = Step(one.path, one.line_of("mmap"), _says(found))
        branch = Branch(Kind.UNKNOWN, (), why, (step,))
        return Entry(
            one.name, found.what, one.path, one.line, found.callback, Kind.UNKNOWN, (branch,),
            CopyOnWrite("unknown", ()), (), (), (),
        )  # fmt: skip


def _says(found: Found) -> str:
    if found.one.value("mmap"):
        return f"{found.one.name}.mmap = {found.one.value('mmap')}"
    return f"{found.one.name} has no .mmap"


def _has_success(ends: Sequence[tuple[State, str]]) -> bool:
    return any(not value.startswith("error") for _, value in ends)


def _nothing(ends: Sequence[tuple[State, str]]) -> tuple[Branch, ...]:
    """Why there is no mapping: all ways are errors, or nothing that maps was seen."""
    for state, value in ends:
        if not value.startswith("error"):
            why = "nothing that maps was found on its way"
            return (Branch(Kind.UNKNOWN, (), why, state.steps),)
    return ()


def _same_driver(a: str, b: str) -> bool:
    return driver(a) == driver(b)
