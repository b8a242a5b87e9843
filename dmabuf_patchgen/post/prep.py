# SPDX-License-Identifier: GPL-2.0-only
"""A series made ready for the list: rendered, checked, with its cover, as a branch of b4's."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from dmabuf_patchgen import signals
from dmabuf_patchgen.check import verdict
from dmabuf_patchgen.check.commits import patch_ids
from dmabuf_patchgen.check.report import Report
from dmabuf_patchgen.check.step import Patch
from dmabuf_patchgen.errors import Exit, UserError
from dmabuf_patchgen.post import b4, changelog, settings, tracking
from dmabuf_patchgen.post.cover import Cover, cover
from dmabuf_patchgen.post.recipients import Recipients, recipients
from dmabuf_patchgen.post.tracking import Record, Tracking
from dmabuf_patchgen.prove.evidence import Evidence
from dmabuf_patchgen.render import branch, catalogue
from dmabuf_patchgen.render.branch import Target
from dmabuf_patchgen.render.commit import Commit
from dmabuf_patchgen.render.environment import Environment
from dmabuf_patchgen.render.mails import Mail, mails
from dmabuf_patchgen.render.scratch import Identity, scratch_in
from dmabuf_patchgen.render.series import Rendered, RenderedPatch, render
from dmabuf_patchgen.tree import git
from dmabuf_patchgen.tree.source import GitTree

#: Addresses of lists by version, unless the user's b4.linkmask says otherwise.
_LINKMASK = "https://lore.kernel.org/r/%s"
_TRAILER = re.compile(r"^[A-Z][\w-]*: \S")
_PERSON = re.compile(r"^[A-Z][\w-]*: (.*<\S+@\S+>)$", re.M)


@dataclass(frozen=True, slots=True)
class PrepOptions:
    """What the user asked prep for.

    names, typed: series and parameters as for render; base: as given with --base, None for
    HEAD; to, cc: added to those of the tree's MAINTAINERS.
    """

    names: tuple[str, ...]
    typed: Mapping[str, str]
    base: str | None
    slug: str | None = None
    evidence: Evidence | None = None
    signoff: bool = False
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    allow_findings: bool = False
    strategy: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A series ready to be written, with everything that its user may want to see first.

    replaces: tip of the version before it, None for the first; report: what the checks
    found, None if they were not run; edited: the cover before, if its user had edited it;
    has_key: whether b4 can sign what it sends, or is not to.
    """

    branch: str
    base: str
    rendered: Rendered
    author: Identity
    when: datetime
    recipients: Recipients
    cover: Cover
    letter: str
    tracking: Tracking
    record: Record
    replaces: str | None
    unchanged: bool
    edited: str | None
    has_key: bool
    report: Report | None

    @property
    def configuration(self) -> dict[str, str]:
        """Keys and values that the branch has in the repository's configuration."""
        return tracking.configuration(
            self.branch, self.tracking, self.record, self.letter, self.edited
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
    check: bool = True,
) -> Plan:
    """Work out all of a series, and write nothing but objects that nothing points to.

    check: whether to run the checks where their outcome is not known yet.
    Raises UserError for whatever stands in the way, MissingTool.
    """
    b4.find()
    _must_be_sha1(tree)
    author = branch.must_be_told(tree, branch.identity(tree.repo))
    known = settings.read(tree.repo)
    slug = tracking.default_slug(options.names) if options.slug is None else options.slug
    tracking.check_slug(slug)
    name = f"b4/{slug}"
    before = _before(tree, name, options.strategy)
    strategy = before[1].strategy if before else options.strategy or known.strategy
    rendered = _signed(
        render(environment, tree, options.names, options.typed), author, options.signoff
    )
    if not rendered.commits:
        raise UserError(f"{tree.label}: nothing to send: the tree has all of it")
    when = branch.date(tree, rendered.revised)
    made = mails(tree, rendered.commits, author, when)
    patches = [Patch(c, m.content) for c, m in zip(rendered.commits, made, strict=True)]
    if options.evidence:
        _must_match(tree, options.evidence, made)
    report = verdict.check(tree, patches, progress) if check else verdict.known(tree, patches)
    if report and report.failed and not options.allow_findings:
        raise Findings(report)
    progress("collecting recipients")
    series = [catalogue.load(environment, one) for one in rendered.series]
    to = recipients(
        tree,
        [mail.content for mail in made],
        tuple(dict.fromkeys(address for one in series for address in one.lists)),
        (*known.to, *options.to),
        (*known.cc, *options.cc, *_credited(rendered, author)),
        known.exclude,
    )
    base = _base_name(tree, options.base)
    with scratch_in(tree.repo) as repo:
        tip = repo.import_commits(rendered.commits, tree.commit, tree, author.at(when))
    replaces = branch.tip(tree.repo, name) if before else None
    record = Record(
        series=rendered.series,
        parameters=rendered.parameters,
        revised={one.name: f"{one.revised:%Y-%m-%d}" for one in series},
        signed=options.signoff,
        base=tree.commit,
        tip=tip,
        strategy=strategy,
        replaces=replaces,
    )
    track, record = _version(tree.repo, before, record, Tracking.new(slug, base))
    edited = before and tracking.edited_cover(tree.repo, name, before[1])
    passed = report.checks if report and not report.failed else ()
    text = cover(
        environment,
        rendered,
        version=record.revision,
        evidence=options.evidence,
        checked=passed,
        base=_told_base(tree, base),
    )
    letter = _letter(text, to, author if options.signoff else None, record.changes)
    return Plan(
        branch=name,
        base=base,
        rendered=rendered,
        author=author,
        when=when,
        recipients=to,
        cover=text,
        letter=letter,
        tracking=track,
        record=replace(record, cover=tracking.cover_digest(letter)),
        edited=edited or None,
        has_key=b4.has_key(tree.repo),
        replaces=replaces,
        unchanged=bool(before and before[1].tip == tip),
        report=report,
    )


class Findings(UserError):
    """The checks found something, so the series is not made ready."""

    exit_code = Exit.FINDINGS

    def __init__(self, report: Report) -> None:
        held = [finding for finding in report.findings if finding.exempt is None]
        super().__init__(
            f"the checks found {len(held)} thing{'s' if len(held) > 1 else ''}: "
            f"{held[0].place}: {held[0].text}",
            "see all with check, or take them with --allow-findings",
        )
        self.report = report


def write(tree: GitTree, plan: Plan, progress: Callable[[str], None]) -> tuple[Mail, ...]:
    """Make the branch of a plan, as b4 has its own; the mails that b4 would send of it.

    The branch appears with all that belongs to it, or not at all. Raises UserError.
    """
    tip = _tip_of(tree, plan)
    progress("b4: the series as it would be sent")
    with b4.workbench(tree, plan.branch, tip, plan.base, plan.configuration) as bench:
        bench.preflight()
        sent = tuple(Mail(name, content) for name, content in bench.mails())
    with signals.blocked():
        _point(tree, plan, tip)
    return sent


def _point(tree: GitTree, plan: Plan, tip: str) -> None:
    """Let branch and configuration be, or neither.

    The branch comes last. Killed before that, it is not there or still that of the version
    before, which the next prep can go on from; a branch without tracking would be nobody's.
    """
    before = {key: tracking.value(tree.repo, key) for key in plan.configuration}
    what = f"prep v{plan.record.revision}"
    try:
        _configure(tree.repo, plan.configuration)
        branch.point(Target(tree, plan.branch, plan.author, plan.replaces), tip, what)
    except BaseException:
        _configure(tree.repo, before)
        raise


def _configure(repo: Path, values: Mapping[str, str | None]) -> None:
    """Set keys of the repository's configuration; those without a value are taken out."""
    for key, value in values.items():
        if value is not None:
            git.git(repo, "config", "--local", "--replace-all", key, value)
        elif tracking.value(repo, key) is not None:
            git.git(repo, "config", "--local", "--unset-all", key)


def _tip_of(tree: GitTree, plan: Plan) -> str:
    """The commit that the branch points to: that of the last patch, on b4's own if it has one."""
    if plan.record.strategy == "branch-description":
        return plan.record.tip
    letter = Commit(f"{plan.letter}\n\n{tracking.MAGIC}{plan.tracking.as_json()}\n", {})
    with scratch_in(tree.repo) as repo:
        # b4 looks for its commit among those of the last year.
        now = plan.author.at(datetime.now(UTC))
        first = repo.import_commits([letter], tree.commit, tree, now)
        return repo.import_commits(plan.rendered.commits, first, tree, plan.author.at(plan.when))


def _must_be_sha1(tree: GitTree) -> None:
    if len(tree.commit) != 40:
        raise UserError(
            f"{tree.repo}: a repository with SHA-256 objects, which b4 cannot handle",
            "render --branch and -o work there",
        )


def _before(tree: GitTree, name: str, wanted: str | None) -> tuple[Tracking, Record] | None:
    """What is known of the version before, None if the branch is new. wanted: a strategy."""
    branch.must_be_free(tree.repo, name)
    tip = branch.tip(tree.repo, name)
    if tip is None:
        return None
    track, record = tracking.load(tree.repo, name)
    if wanted not in (None, record.strategy):
        raise UserError(
            f"branch {name} keeps its cover by {record.strategy}, not by {wanted}",
            "leave out --cover-strategy, or choose another --slug",
        )
    # A kill at the last moment leaves the branch at the version before the one on record.
    if tip not in (record.tip, record.replaces) and not _same_patches(tree.repo, tip, record):
        raise UserError(
            f"branch {name} has commits that prep did not make", "choose another --slug"
        )
    return track, record


def _same_patches(repo: Path, tip: str, record: Record) -> bool:
    """Whether a branch has the patches on record, on top of a commit with the cover.

    b4 makes all of them again when it edits that commit: what they say and change counts.
    """

    def told(revision: str) -> list[str]:
        said = git.git(
            repo, "-c", "i18n.logOutputEncoding=utf-8", "log", "-z", "--reverse",
            "--no-show-signature", "--format=%T %an <%ae>%n%B", f"{record.base}..{revision}",
        ).text  # fmt: skip
        return [patch.strip() for patch in said.split("\0")]

    return record.strategy == "commit" and told(tip)[1:] == told(record.tip)


def _version(
    repo: Path, before: tuple[Tracking, Record] | None, record: Record, new: Tracking
) -> tuple[Tracking, Record]:
    """Tracking and record of this version: the first, the same again, or the next."""
    if before is None:
        return new, record
    track, old = before[0].on(new), before[1]
    items = changelog.changes(repo, old, record)
    if not items and track.revision == old.revision:
        return track, replace(record, revision=old.revision, changes=old.changes)
    # b4 has counted on already where it sent the version before.
    revision = max(track.revision, old.revision + 1)
    mask = git.git(repo, "config", "--get", "b4.linkmask", check=False).text.strip() or _LINKMASK
    last = track.sent.get(revision - 1)
    section = changelog.section(
        revision, items or ["- no change of any patch"], last and mask % last
    )
    return track.at(revision), replace(record, revision=revision, changes=(section, *old.changes))


def _base_name(tree: GitTree, given: str | None) -> str:
    """What b4 shall call the base: a tag or branch if the user named one, else the commit."""
    if given:
        for kind in ("tags", "heads"):
            ref = f"refs/{kind}/{given}"
            if not git.git(
                tree.repo, "rev-parse", "--verify", "--quiet", ref, check=False
            ).returncode:
                return given
        return tree.commit
    head = git.git(tree.repo, "symbolic-ref", "--quiet", "--short", "HEAD", check=False)
    return tree.commit if head.returncode else head.text.strip()


def _told_base(tree: GitTree, name: str) -> str:
    """The base for the letter's readers, to whom the name of a branch tells nothing."""
    if not git.git(
        tree.repo, "rev-parse", "--verify", "--quiet", f"refs/tags/{name}", check=False
    ).returncode:
        return name
    return f"Linux {tree.version}, commit {tree.commit[:12]}"


def _signed(rendered: Rendered, author: Identity, signoff: bool) -> Rendered:
    """The series with its author's Signed-off-by below every message, if they want that."""
    if not signoff:
        return rendered
    line = f"Signed-off-by: {author.name} <{author.email}>"

    def sign(patch: RenderedPatch) -> RenderedPatch:
        body = patch.commit.message.rstrip("\n")
        last = body.rsplit("\n\n", 1)[-1].splitlines()
        gap = "\n" if all(_TRAILER.match(trailer) for trailer in last) else "\n\n"
        return replace(patch, commit=replace(patch.commit, message=f"{body}{gap}{line}\n"))

    return replace(rendered, patches=tuple(map(sign, rendered.patches)))


def _credited(rendered: Rendered, author: Identity) -> list[str]:
    """Who else is named below the messages: b4 sends to them, so they are shown with the others."""
    named = [who for commit in rendered.commits for who in _PERSON.findall(commit.message)]
    return [who for who in named if not who.endswith(f"<{author.email}>")]


def _must_match(tree: GitTree, evidence: Evidence, made: Sequence[Mail]) -> None:
    ids = [next(iter(patch_ids(tree.repo, mail.content))) for mail in made]
    if not evidence.matches(ids):
        raise UserError(
            "the evidence is of other patches than these",
            "give the evidence of this series, with these parameters, or none",
        )


def _letter(text: Cover, to: Recipients, signer: Identity | None, changes: Sequence[str]) -> str:
    """The cover as b4 keeps it: subject, body, trailers, and the changelog below the cut."""
    trailers = [f"To: {address}" for address in to.to] + [f"Cc: {address}" for address in to.cc]
    if signer:
        trailers.append(f"Signed-off-by: {signer.name} <{signer.email}>")
    parts = [text.subject, "", text.body.rstrip("\n"), "", *trailers]
    if changes:
        parts += ["---", "\n\n".join(changes)]
    return "\n".join(parts) + "\n"
