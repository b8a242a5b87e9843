# SPDX-License-Identifier: GPL-2.0-only
"""What the checks of a series found, for people, for machines and for b4."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a commit adds and a check does not like.

    index: the commit's place in the series, from 1; path and line: where in the tree after
    the commit, line 0 where there is none; mail_line: the line of the patch, 0 if it is not
    about one; level: error, warning or check; type: the tool's own name for the kind of
    fault; exempt: why it is not held against the commit, None if it is.
    """

    check: str
    index: int
    subject: str
    path: str
    line: int
    mail_line: int
    level: str
    type: str
    text: str
    exempt: str | None = None

    @property
    def place(self) -> str:
        """path:line as an editor takes it, or the patch's own line."""
        if not self.path:
            return f"patch:{self.mail_line}" if self.mail_line else "patch"
        return f"{self.path}:{self.line}" if self.line else self.path


@dataclass(frozen=True, slots=True)
class Run:
    """One check of one commit. applied: False where the commit holds nothing for the check."""

    check: str
    index: int
    seconds: float
    applied: bool


@dataclass(frozen=True, slots=True)
class Report:
    """The checks of a series. base: the tree it was compared with; commits: subjects."""

    base: str
    commits: tuple[str, ...]
    prepare_seconds: float
    runs: tuple[Run, ...]
    findings: tuple[Finding, ...]

    @property
    def failed(self) -> bool:
        """Whether anything was found that no documented exemption covers."""
        return any(finding.exempt is None for finding in self.findings)

    @property
    def checks(self) -> tuple[str, ...]:
        """Names of the checks, in the order they ran."""
        return tuple(dict.fromkeys(run.check for run in self.runs))

    def as_dict(self) -> dict[str, object]:
        """The report for --json."""
        return {
            "base": self.base,
            "failed": self.failed,
            "prepare_seconds": round(self.prepare_seconds, 2),
            "commits": [
                {
                    "index": index,
                    "subject": subject,
                    "checks": {
                        run.check: {
                            "result": self._result(run),
                            "seconds": round(run.seconds, 2),
                        }
                        for run in self.runs
                        if run.index == index
                    },
                }
                for index, subject in enumerate(self.commits, 1)
            ],
            "findings": [asdict(finding) for finding in self.findings],
        }

    def table(self) -> str:
        """The report as text: a row per commit, a column per check, then the findings."""
        rows = [("", *self.checks)]
        for index, subject in enumerate(self.commits, 1):
            name = f"{index} {subject if len(subject) < 60 else subject[:57] + '...'}"
            runs = (run for run in self.runs if run.index == index)
            rows.append((name, *(self._result(run) for run in runs)))
        took = (sum(run.seconds for run in self.runs if run.check == name) for name in self.checks)
        rows.append(("seconds", *(f"{seconds:.1f}" for seconds in took)))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [f"against {self.base}"]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            lines.append("  ".join(cells).rstrip())
        counted = [found for found in self.findings if found.exempt is None]
        if counted:
            lines.append("")
        lines += [
            f"{found.index}: {found.place}: {found.level}: {found.text} "
            f"[{found.check} {found.type}]"
            for found in counted
        ]
        exempt = {(f.type, f.exempt) for f in self.findings if f.exempt is not None}
        if exempt:
            lines.append("")
        for kind, reason in sorted(exempt):
            of_kind = {f.index for f in self.findings if (f.type, f.exempt) == (kind, reason)}
            lines.append(f"exempt: {kind} of {', '.join(map(str, sorted(of_kind)))}: {reason}")
        return "\n".join(lines)

    def _result(self, run: Run) -> str:
        """A cell of the table: what one check says of one commit."""
        if not run.applied:
            return "-"
        of_run = [f for f in self.findings if (f.check, f.index) == (run.check, run.index)]
        found = sum(finding.exempt is None for finding in of_run)
        if found:
            return f"{found} found"
        return f"ok ({len(of_run)} exempt)" if of_run else "ok"


def b4_lines(report: Report) -> Iterator[str]:
    """The findings as b4 reads them from a prep-perpatch-check-cmd.

    b4 0.16 (run_local_check) takes every line on stdout for a warning, and for a failure
    when it holds `ERROR:`; silence and exit code 0 are success. What is exempt stays out.
    """
    for found in report.findings:
        if found.exempt is None:
            place = found.place if found.path else f"-:{found.mail_line}"
            yield f"{place}: {found.level.upper()}:{found.type}: {found.text}"
