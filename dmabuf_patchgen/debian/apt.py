# SPDX-License-Identifier: GPL-2.0-only
"""Debian's apt with sources and lists of our own: more suites, and the user's state untouched."""

import functools
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dmabuf_patchgen import process
from dmabuf_patchgen.errors import MissingTool, UserError

#: Debian releases that offer a linux-source package, or did, or will.
RELEASES = ("bullseye", "bookworm", "trixie", "forky", "duke")
#: What else a suite of Debian can be called.
_ALIASES = ("oldoldstable", "oldstable", "stable", "testing", "unstable", "sid")
#: Options of a source that say why its content is to be believed.
_TRUST = ("signed-by", "trusted", "check-valid-until")

_CONF = """\
// Written by dmabuf-patchgen. Hooks of the machine's own configuration empty its package cache
// or tell desktop services; none of that is called for here.
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::Etc::sourcelist "{home}/debian.sources";
Dir::Etc::sourceparts "-";
Dir::Etc::preferences "-";
Dir::Etc::preferencesparts "-";
Dir::State::lists "{home}/lists";
Dir::Cache "{home}/cache";
#clear APT::Architectures;
APT::Architecture "{architecture}";
APT::Architectures "{architecture}";
// The user that apt would otherwise download as cannot write below a home directory.
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::PDiffs "false";
"""


@dataclass(frozen=True, slots=True)
class Source:
    """What the machine's apt takes packages from: one mirror, and options such as Signed-By.

    options: fields of a deb822 stanza, their values as they stand there.
    """

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    options: tuple[tuple[str, str], ...] = ()


class Apt:
    """apt on a private configuration.

    home: a directory for its sources, lists and caches; made if it is not there.
    foreign: another architecture, as Debian calls it, whose packages are wanted; they are
    taken from the suites that the machine itself has.
    Raises MissingTool where there is no apt, UserError where no Debian mirror is configured.
    """

    def __init__(self, home: Path, foreign: str = "") -> None:
        for tool in ("apt-get", "apt-cache", "apt-config", "dpkg"):
            if shutil.which(tool) is None:
                missing = MissingTool(tool, "apt")
                missing.hint = "where there is no apt, name a tree: make series KDIR=/path/to/linux"
                raise missing
        self._conf = home / "apt.conf"
        mirrors = debian_mirrors(machine_sources(), widened=not foreign)
        if not mirrors:
            raise UserError(
                "apt is configured with no Debian mirror",
                "name a tree of your own: make series KDIR=/path/to/linux",
            )
        (home / "lists" / "partial").mkdir(parents=True, exist_ok=True)
        (home / "cache").mkdir(exist_ok=True)
        architecture = foreign or _run("dpkg", "--print-architecture").text.strip()
        (home / "debian.sources").write_text(render_sources(mirrors, architecture))
        self._conf.write_text(_CONF.format(home=home, architecture=architecture))

    def update(self) -> None:
        """Read the lists of all suites. Raises UserError if no mirror answers.

        A suite that is not there is no failure: releases come and go.
        """
        done = self._apt("apt-get", "update", check=False)
        steps = re.findall(r"^(Get|Hit|Ign|Err):(\d+) ", done.text, re.M)
        failed = {number for word, number in steps if word in {"Ign", "Err"}}
        # A step that fails may have begun with a Get.
        if failed.issuperset(number for _, number in steps):
            raise UserError(
                f"apt reaches no Debian mirror: {first_words(done)}",
                "is the network up? apt-get update shows more",
            )

    def offers(self) -> dict[str, str]:
        """The newest version offered of each series of linux-source packages, by series."""
        names = self._apt("apt-cache", "pkgnames", "linux-source-").text.split()
        wanted = [name for name in names if re.fullmatch(r"linux-source-\d+\.\d+", name)]
        if not wanted:
            return {}
        return {
            name.removeprefix("linux-source-"): newest(versions)
            for name, versions in parse_madison(
                self._apt("apt-cache", "madison", *wanted).text
            ).items()
        }

    def versions(self, package: str) -> list[str]:
        """All versions offered of a package; none where apt knows no such package."""
        said = self._apt("apt-cache", "madison", package)
        return parse_madison(said.text).get(package, [])

    def size(self, package: str, version: str) -> int:
        """Bytes to download for a version of a package. Raises UserError if it is not offered."""
        shown = deb822(self._apt("apt-cache", "show", f"{package}={version}").text)
        if not shown:
            raise UserError(f"{package} {version} is not offered any more")
        return int(shown[0]["size"])

    def download(self, package: str, into: Path) -> Path:
        """Download a package, its checksum verified; the .deb in a directory.

        package: its name, the newest is meant, or name=version.
        Raises UserError if it cannot be had.
        """
        self._apt("apt-get", "download", package, cwd=into)
        return next(into.glob("*.deb"))

    def _apt(self, *argv: str, cwd: Path | None = None, check: bool = True) -> process.Finished:
        return _run(argv[0], "-c", str(self._conf), *argv[1:], cwd=cwd, check=check)


def machine_sources() -> list[Source]:
    """Every source of binary packages that the machine's apt is configured with."""
    output = _run(
        "apt-config", "shell", "LIST", "Dir::Etc::sourcelist/f", "PARTS", "Dir::Etc::sourceparts/d"
    ).text
    place = {name: Path(path) for name, path in re.findall(r"^(\w+)='(.*)'$", output, re.M)}
    files = [place["LIST"]] if "LIST" in place else []
    if "PARTS" in place and place["PARTS"].is_dir():
        files += sorted(place["PARTS"].iterdir())
    found: list[Source] = []
    for file in files:
        try:
            if file.suffix == ".sources":
                found += parse_sources(file.read_text(errors="replace"))
            elif file.suffix == ".list":
                found += parse_list(file.read_text(errors="replace"))
        except (FileNotFoundError, PermissionError):
            # A list that is absent is an empty one to apt as well; one with passwords in it may
            # be root's alone.
            continue
    return found


def deb822(text: str) -> list[dict[str, str]]:
    """Stanzas of a control file: values by field name in lower case, continuations kept."""
    stanzas: list[dict[str, str]] = []
    fields: dict[str, str] = {}
    last = ""
    for line in [*text.splitlines(), ""]:
        if line.startswith("#"):
            continue
        if not line.strip():
            if fields:
                stanzas.append(fields)
            fields = {}
        elif line[0] in " \t":
            if last in fields:
                fields[last] += f"\n{line}"
        else:
            name, _, value = line.partition(":")
            last = name.strip().lower()
            fields[last] = value.strip()
    return stanzas


def parse_sources(text: str) -> Iterator[Source]:
    """The sources of binary packages in a deb822 file (sources.list.d/*.sources)."""
    for stanza in deb822(text):
        off = stanza.get("enabled", "yes").lower() in {"no", "false", "0", "off", "without"}
        if off or "deb" not in stanza.get("types", "").split():
            continue
        options = tuple((name.title(), stanza[name]) for name in _TRUST if name in stanza)
        for uri in stanza.get("uris", "").split():
            yield Source(
                uri,
                tuple(stanza.get("suites", "").split()),
                tuple(stanza.get("components", "").split()),
                options,
            )


def parse_list(text: str) -> Iterator[Source]:
    """The sources of binary packages in a file of one line each (sources.list)."""
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[([^]]*)\]\s*)?(\S+)\s+(\S+)([^#]*)", line)
        if match is None:
            continue
        options, uri, suite, components = match.groups()
        given = dict(option.split("=", 1) for option in (options or "").split() if "=" in option)
        kept = tuple((name.title(), given[name]) for name in _TRUST if name in given)
        yield Source(uri, (suite,), tuple(components.split()), kept)


def debian_mirrors(sources: Iterable[Source], widened: bool = True) -> list[Source]:
    """The Debian mirrors among the machine's sources, each with every suite worth asking for.

    widened: for kernel sources, or else no more suites than the machine itself has.
    A mirror is told by its suites, since a mirror of one's own may have any address; asking
    one that is none after all costs an answer of 404.
    """
    mirrors: dict[str, Source] = {}
    for source in sources:
        own = tuple(suite for suite in source.suites if _release(suite))
        if not own or "main" not in source.components or source.uri.startswith("cdrom:"):
            continue
        more: list[str] = []
        if widened and any(_is_security(suite) for suite in own):
            more = [f"{release}-security" for release in RELEASES]
        elif widened:
            more = [name for release in RELEASES for name in (release, f"{release}-backports")]
            more.append("sid")
        key = source.uri.rstrip("/")
        before = mirrors.get(key, source)
        suites = dict.fromkeys([*before.suites, *own, *more])
        mirrors[key] = Source(
            before.uri, tuple(filter(_release, suites)), ("main",), before.options
        )
    return list(mirrors.values())


def render_sources(mirrors: Iterable[Source], architecture: str) -> str:
    """A deb822 file of mirrors, for one architecture: linux-source is the same in all."""
    stanzas = []
    for mirror in mirrors:
        fields = {
            "Types": "deb",
            "URIs": mirror.uri,
            "Suites": " ".join(mirror.suites),
            "Components": " ".join(mirror.components),
            "Architectures": architecture,
            **dict(mirror.options),
        }
        stanzas.append("".join(f"{name}: {value}\n" for name, value in fields.items()))
    return "\n".join(stanzas)


def parse_madison(text: str) -> dict[str, list[str]]:
    """Versions of each package in the output of `apt-cache madison`."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        columns = [column.strip() for column in line.split("|")]
        if len(columns) == 3 and not columns[2].endswith("Sources"):
            found.setdefault(columns[0], []).append(columns[1])
    return found


def newest(versions: Iterable[str]) -> str:
    """The newest of some package versions, by Debian's rules."""
    return functools.reduce(lambda one, two: two if newer(two, one) else one, versions)


def oldest(versions: Iterable[str]) -> str:
    """The oldest of some package versions, by Debian's rules."""
    return functools.reduce(lambda one, two: two if newer(one, two) else one, versions)


def newer(one: str, other: str) -> bool:
    """Whether a package version is newer than another, by Debian's rules."""
    done = _run("dpkg", "--compare-versions", one, "gt", other, check=False)
    return done.returncode == 0


def first_words(done: process.Finished) -> str:
    """The first error that a program told on stderr: the cause, where the rest only follows."""
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    # apt warns of much else before.
    errors = [line for line in lines if line.startswith("E: ")]
    said = next(iter(errors or lines), "")
    return re.sub(r"^[EW]: ", "", said) or done.last_words


def _release(suite: str) -> str:
    """The Debian release or alias that a suite belongs to; empty if to none."""
    release = re.split(r"[-/]", suite)[0]
    return release if release in (*RELEASES, *_ALIASES) else ""


def _is_security(suite: str) -> bool:
    return suite.endswith(("-security", "/updates"))


def _run(*argv: str, cwd: Path | None = None, check: bool = True) -> process.Finished:
    done = process.run(argv, cwd=cwd, env={**os.environ, "LC_ALL": "C"}, check=False)
    if check and done.returncode:
        raise UserError(f"{argv[0]} failed: {first_words(done)}")
    return done
