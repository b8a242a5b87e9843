# SPDX-License-Identifier: GPL-2.0-only
"""An audit as JSON, for machines and for the cache; docs/audit.md describes the form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dmabuf_patchgen.audit.state import Step
from dmabuf_patchgen.audit.verdict import (
    Audit,
    Branch,
    CopyOnWrite,
    Entry,
    Failure,
    Kind,
    Taken,
)

#: Of the form: a member more does not change it, any other change does.
VERSION = 1


def dumped(audit: Audit) -> dict[str, Any]:
    """An audit as plain values."""
    return {
        "format": VERSION,
        "linux": audit.version,
        "files": audit.files,
        "unread": [{"path": path, "why": why} for path, why in audit.unread],
        "counted": {kind.value: count for kind, count in audit.counted().items()},
        "entries": [entry(one) for one in audit.entries],
        "taken": [
            {
                "what": one.what, "call": one.call, "function": one.function,
                "path": one.path, "line": one.line,
            }
            for one in audit.taken
        ],
    }  # fmt: skip


def entry(one: Entry) -> dict[str, Any]:
    """An entry as plain values."""
    cow = one.copy_on_write
    return {
        "name": one.name,
        "what": one.what,
        "path": one.path,
        "line": one.line,
        "callback": one.callback,
        "verdict": one.kind.value,
        "violates": one.violates,
        "branches": [
            {
                "verdict": branch.kind.value,
                "when": list(branch.when),
                "why": branch.why,
                "to": branch.to,
                "resolved": branch.resolved,
                "guessed": branch.guessed,
                "steps": _steps(branch.steps),
            }
            for branch in one.branches
        ],
        "copy_on_write": {
            "refused": cow.refused,
            "at": _steps(cow.at),
            "bug": cow.bug,
            "bug_at": _steps(cow.bug_at),
        },
        "swaps_file": _steps(one.swaps_file),
        "failures": [
            {"errno": failure.errno, "changed": list(failure.changed), "at": _step(failure.at)}
            for failure in one.failures
        ],
        "caching": list(one.caching),
    }


def loaded(said: Mapping[str, Any]) -> Audit:
    """The audit that plain values are."""
    return Audit(
        version=said["linux"],
        entries=tuple(_entry(one) for one in said["entries"]),
        taken=tuple(Taken(**one) for one in said["taken"]),
        files=said["files"],
        unread=tuple((one["path"], one["why"]) for one in said["unread"]),
    )


def _entry(said: Mapping[str, Any]) -> Entry:
    cow = said["copy_on_write"]
    return Entry(
        name=said["name"],
        what=said["what"],
        path=said["path"],
        line=said["line"],
        callback=said["callback"],
        kind=Kind(said["verdict"]),
        branches=tuple(
            Branch(
                Kind(one["verdict"]), tuple(one["when"]), one["why"], _loaded(one["steps"]),
                one["to"], one["resolved"], one["guessed"],
            )
            for one in said["branches"]
        ),
        copy_on_write=CopyOnWrite(
            cow["refused"], _loaded(cow["at"]), cow["bug"], _loaded(cow["bug_at"])
        ),
        swaps_file=_loaded(said["swaps_file"]),
        failures=tuple(
            Failure(one["errno"], tuple(one["changed"]), Step(**one["at"]))
            for one in said["failures"]
        ),
        caching=tuple(said["caching"]),
    )  # fmt: skip


def _step(step: Step) -> dict[str, Any]:
    return {"path": step.path, "line": step.line, "what": step.what}


def _steps(steps: tuple[Step, ...]) -> list[dict[str, Any]]:
    return [_step(step) for step in steps]


def _loaded(steps: list[dict[str, Any]]) -> tuple[Step, ...]:
    return tuple(Step(**step) for step in steps)
