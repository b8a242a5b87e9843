# SPDX-License-Identifier: GPL-2.0-only
"""A series made ready for the list: rendered, checked, with its cover, as a branch of b4's."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dmabuf_patchgen.check import verdict
from dmabuf_patchgen.check.commits import patch_ids
from dmabuf_patchgen.check.report import Report
from dmabuf_patchgen.check.verdict import Checks
from dmabuf_patchgen.errors import Exit, UserError
from dmabuf_patchgen.post import b4, publication, rendering, rework, settings, stack, tracking
from dmabuf_patchgen.post import draft as drafts
from dmabuf_patchgen.post import letter as letters
from dmabuf_patchgen.post import version as versions
from dmabuf_patchgen.post.cover import Cover, cover
from dmabuf_patchgen.post.draft import Draft
from dmabuf_patchgen.post.letter import Letter
from dmabuf_patchgen.post.publication import Change
from dmabuf_patchgen.post.recipients import Recipients, recipients
from dmabuf_patchgen.post.rework import Reworked
from dmabuf_patchgen.post.settings import Settings
from dmabuf_patchgen.post.tracking import Record
from dmabuf_patchgen.post.version import Before, Version
from dmabuf_patchgen.process import is_utf8
from dmabuf_patchgen.prove.evidence import Evidence
from dmabuf_patchgen.render import branch, catalogue
from dmabuf_patchgen.render.branch import Target
from dmabuf_patchgen.render.catalogue import Series
from dmabuf_patchgen.render.commit import Commit
from dmabuf_patchgen.render.directory import written
from dmabuf_patchgen.render.environment import Environment
from dmabuf_patchgen.render.scratch import Identity, scratch_in
from dmabuf_patchgen.tree import git
from dmabuf_patchgen.tree.source import GitTree


@dataclass(frozen=True, slots=True)
class PrepOptions:
    """What the user asked prep for.

    names, typed: series and parameters as for render; base: as given with --base, None for
    HEAD; allow_other_base: whether evidence may be of another tree; to, cc: added to those of
    the tree's MAINTAINERS; reset_cover: whether what was edited in the cover goes.
    """

    names: tuple[str, ...]
    typed: Mapping[str, str]
    base: str | None
    slug: str | None = None
    evidence: Evidence | None = None
    allow_other_base: bool = False
    signoff: bool = False
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    allow_findings: bool = False
    strategy: str | None = None
    reset_cover: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """A series ready to be written, with everything that its user may want to see first.

    found: what the configuration had for the branch before anything was worked out; base: what
    b4 is to call what it applies to; report: what the checks found, None if they were not run;
    notes: what became of that which its user made of the branch; has_key: whether b4 can sign
    what it sends, or is not to.
    """

    draft: Draft
    version: Version
    found: Mapping[str, str | None]
    base: str
    recipients: Recipients
    letter: str
    report: Report | None
    notes: tuple[str, ...]
    has_key: bool

    @property
    def branch(self) -> str:
        """The branch that it becomes."""
        return self.version.branch

    @property
    def configuration(self) -> dict[str, str]:
        """Keys and values that the branch has in the repository's configuration."""
        version = self.version
        return tracking.configuration(
            version.branch, version.tracking, version.record, self.letter, version.edited
        )

    @property
    def commands(self) -> tuple[str, ...]:
        """What the user runs next."""
        return (
            f"git checkout {self.branch}",
            "b4 prep --show-info",
            "b4 send --dry-run",
            "b4 send",
        )


def plan(
    environment: Environment,
    tree: GitTree,
    options: PrepOptions,
    progress: Callable[[str], None],
    *,
    checks: Checks,
    dry_run: bool = False,
) -> Plan:
    """Work out all of a series, and write nothing but objects that nothing points to.

    checks: what checks the patches; dry_run: they are not run where their outcome is not known
    yet, and what a run that was killed has left stays there. Raises UserError for whatever stands
    in the way, MissingTool.
    """
    b4.find()
    if not dry_run:
        publication.settle(tree.repo, progress)
    _must_be_sha1(tree)
    author = branch.must_be_known(tree, branch.identity(tree.repo))
    known = settings.read(tree.repo)
    name = _branch(options)
    found = tracking.found(tree.repo, name)
    before = versions.before(tree, name, options.strategy)
    draft = drafts.draft(
        environment, tree, options.names, options.typed, author, signoff=options.signoff
    )
    rendered = _rendered(tree, draft)
    taken = _taken_up(tree, before, rendered, progress)
    if taken.tip != rendered:
        draft = drafts.reworked(draft, tree, taken)
    if options.evidence:
        _must_match(tree, options.evidence, draft.mails, options.allow_other_base)
    report = _checked(tree, draft, options, progress, None if dry_run else checks)
    progress("collecting recipients")
    series = [catalogue.load(environment, one) for one in draft.rendered.series]
    to = _recipients(tree, draft, series, known, options)
    base = _base_name(tree, options.base)
    strategy = before.record.strategy if before else options.strategy or known.strategy
    record = Record(
        series=draft.rendered.series,
        parameters=draft.rendered.parameters,
        revised={one.name: f"{one.revised:%Y-%m-%d}" for one in series},
        signed=options.signoff,
        base=tree.commit,
        tip=taken.tip,
        rendering=rendered,
        strategy=strategy,
    )
    version = versions.version(tree.repo, name, before, record, base)
    text = cover(
        environment,
        draft.rendered,
        version=version.record.revision,
        evidence=options.evidence,
        elsewhere=options.evidence is not None and options.evidence.tree.id != tree.id,
        checked=report.checks if report and not report.failed else (),
        base=_base_in_letter(tree, base),
        by_hand=taken.by_hand,
    )
    body = _body(text, to, author if options.signoff else None)
    letter = Letter(body, version.record.changes)
    if before and version.edited is not None and not options.reset_cover:
        old = Letter(before.record.cover, before.record.changes)
        letter = letters.merged(tree.repo, old, Letter.read(version.edited), letter)
    return Plan(
        draft=draft,
        version=replace(version, record=replace(version.record, cover=body)),
        found=found,
        base=base,
        recipients=to,
        letter=letter.text,
        report=report,
        notes=taken.notes,
        has_key=b4.has_key(tree.repo),
    )


def _branch(options: PrepOptions) -> str:
    slug = tracking.default_slug(options.names) if options.slug is None else options.slug
    tracking.check_slug(slug)
    return f"b4/{slug}"


def _checked(
    tree: GitTree,
    draft: Draft,
    options: PrepOptions,
    progress: Callable[[str], None],
    checks: Checks | None,
) -> Report | None:
    """What the checks find, None where they are not to be run. Raises Findings."""
    if checks:
        report: Report | None = verdict.check(tree, draft.patches, progress, checks)
    else:
        report = verdict.known(tree, draft.patches)
    if report and report.failed and not options.allow_findings:
        raise Findings(report)
    return report


def _recipients(
    tree: GitTree,
    draft: Draft,
    series: Sequence[Series],
    known: Settings,
    options: PrepOptions,
) -> Recipients:
    return recipients(
        tree,
        draft.mails,
        tuple(dict.fromkeys(address for one in series for address in one.lists)),
        (*known.to, *options.to),
        (*known.cc, *options.cc, *draft.credited),
        known.exclude,
    )


def _rendered(tree: GitTree, draft: Draft) -> str:
    """The commit of the last patch as it is rendered, to which nothing points."""
    with scratch_in(tree.repo) as repo:
        who = draft.author.at(draft.when)
        return repo.import_commits(draft.rendered.commits, tree.commit, tree, who, tree.prefix)


def _taken_up(
    tree: GitTree, before: Before | None, rendered: str, progress: Callable[[str], None]
) -> Reworked:
    """The rendering with what was made of the branch before. Raises UserError."""
    if before is None or before.patches == before.old:
        return Reworked(rendered, ())
    progress("taking up what was made of the branch")
    new = stack.read(tree.repo, rendered, tree.commit)
    return rework.take_up(tree.repo, tree.commit, before.old, before.patches, new)


class Findings(UserError):
    """The checks found something, so the series is not made ready."""

    exit_code = Exit.FINDINGS

    def __init__(self, report: Report) -> None:
        found = [finding for finding in report.findings if finding.exempt is None]
        super().__init__(
            f"the checks found {len(found)} thing{'s' if len(found) > 1 else ''}: "
            f"{found[0].place}: {found[0].text}",
            "see all with check, or take them with --allow-findings",
        )
        self.report = report


def write(
    tree: GitTree,
    plan: Plan,
    progress: Callable[[str], None],
    directory: Path | None = None,
    about: Mapping[str, Any] | None = None,
) -> None:
    """Make the branch of a plan, as b4 has its own, and write the mails that b4 would send of it.

    The branch appears with all that belongs to it, or nothing does. directory: for the mails,
    None if they are not wanted; about: what its manifest tells of them. Raises UserError.
    """
    tip = _tip_of(tree, plan)
    progress("b4: the series as it would be sent")
    with b4.workbench(tree, plan.branch, tip, plan.base, plan.configuration) as bench:
        bench.preflight()
        sent = bench.mails()
    files = written(directory, dict(sent), about or {}) if directory else nullcontext()
    _publish(tree, plan, tip, files, progress)


def _publish(
    tree: GitTree,
    plan: Plan,
    tip: str,
    files: AbstractContextManager[None],
    progress: Callable[[str], None],
) -> None:
    """Let branch, keys and files be, or none of them."""
    version = plan.version
    target = Target(tree, plan.branch, plan.draft.author, version.replaces)

    def point() -> None:
        with files:
            also = rendering.kept(tree.repo, plan.branch, version.record.rendering)
            branch.point(target, tip, f"prep v{version.record.revision}", also)

    change = Change(plan.branch, tip, version.replaces, plan.found, plan.configuration)
    publication.publish(tree.repo, change, point, progress)


def _tip_of(tree: GitTree, plan: Plan) -> str:
    """The commit that the branch points to: that of the last patch, on b4's own if it has one."""
    record, draft = plan.version.record, plan.draft
    if record.strategy == "branch-description":
        return record.tip
    letter = Commit(f"{plan.letter}\n\n{tracking.MAGIC}{plan.version.tracking.as_json()}\n", {})
    picks = stack.read(tree.repo, record.tip, tree.commit)
    with scratch_in(tree.repo) as repo:
        # b4 looks for its commit among those of the last year.
        now = draft.author.at(datetime.now(UTC))
        return stack.moved(repo, picks, repo.import_commits([letter], tree.commit, tree, now))


def _must_be_sha1(tree: GitTree) -> None:
    if len(tree.commit) != 40:
        raise UserError(
            f"{tree.repo}: a repository with SHA-256 objects, which b4 cannot handle",
            "render --branch and -o work there",
        )


def _base_name(tree: GitTree, given: str | None) -> str:
    """What b4 shall call the base: a tag or branch if the user named one, else the commit.

    The commit as well for a name that is not UTF-8, as the letter tells it.
    """
    if given and is_utf8(given):
        for kind in ("tags", "heads"):
            ref = f"refs/{kind}/{given}"
            if not git.git(
                tree.repo, "rev-parse", "--verify", "--quiet", ref, check=False
            ).returncode:
                return given
    if given:
        return tree.commit
    head = git.git(tree.repo, "symbolic-ref", "--quiet", "--short", "HEAD", check=False)
    return tree.commit if head.returncode or not is_utf8(head.exact) else head.exact.strip()


def _base_in_letter(tree: GitTree, name: str) -> str:
    """The base for the letter's readers, to whom the name of a branch tells nothing."""
    if not git.git(
        tree.repo, "rev-parse", "--verify", "--quiet", f"refs/tags/{name}", check=False
    ).returncode:
        return name
    return f"Linux {tree.version}, commit {tree.commit[:12]}"


def _must_match(
    tree: GitTree, evidence: Evidence, made: Sequence[bytes], allow_other_base: bool
) -> None:
    ids = [next(iter(patch_ids(tree.repo, mail))) for mail in made]
    if not evidence.matches(ids):
        raise UserError(
            "the evidence is of other patches than these",
            "give the evidence of this series, with these parameters, or none",
        )
    if evidence.tree.id != tree.id and not allow_other_base:
        raise UserError(
            f"the evidence is of another tree than {tree.label}: of Linux "
            f"{evidence.tree.version}, tree {evidence.tree.id[:12]}, and not {tree.id[:12]}",
            "prove the series on this one, or let the letter say so: --allow-other-base",
        )


def _body(text: Cover, to: Recipients, signer: Identity | None) -> str:
    """What b4 keeps of the cover above the cut: subject, body, trailers."""
    trailers = [f"To: {address}" for address in to.to] + [f"Cc: {address}" for address in to.cc]
    if signer:
        trailers.append(f"Signed-off-by: {signer.name} <{signer.email}>")
    return "\n".join([text.subject, "", text.body.rstrip("\n"), "", *trailers])
