# SPDX-License-Identifier: GPL-2.0-only
"""What the tests share: isolation from the user, kernel trees, repositories, the command."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

from dmabuf_patchgen import xdg
from dmabuf_patchgen.debian import sources
from dmabuf_patchgen.errors import UserError
from tests import network, repos
from tests.mirror import Mirror
from tests.repos import Kind

pytest_plugins = ["tests.buildable"]

CHECKOUT = Path(__file__).resolve().parent.parent
#: Kernel sources are gigabytes: the one thing of the user's that tests share.
CACHE = xdg.cache()

#: The tests that `make test` selects.
WITHOUT_TREES = "not trees and not all"

_MATRIX = pytest.StashKey[sources.Matrix]()
#: Fixtures that need a kernel tree; tests without one run first and fail first.
_SLOW = {
    "linux_612", "small_repo",
    "row", "edge_row", "newest_row", "debug_row", "arm64_row", "kunit_row",
}  # fmt: skip
#: Fixtures that are the oldest tree of a series: it and the newest are fetched for their tests.
_OLDEST = {"oldest_510": "5.10", "oldest_61": "6.1"}
#: The longest file, which begins as soon as there is a processor for it.
_LONGEST = "test_proof.py"
#: Fixtures that are a tree of the matrix, and for its series of trees the marker of their tests
#: where it is not `trees`, or None where there is no such test. edge_row is for what the oldest and
#: the newest tree show of all: those between are left to `make test-all`, and of newest_row the
#: oldest as well. debug_row is for kernels that check themselves, which take long; kunit_row for
#: trees whose own tests are KUnit's.
_ROWS: Mapping[str, Mapping[str, str | None]] = {
    "row": {},
    "edge_row": {"6.1": "all", "6.12": "all", "7.2": "all"},
    "newest_row": {"5.10": "all", "6.1": "all", "6.12": "all", "7.2": "all"},
    "debug_row": {"5.10": "all", "6.1": None, "6.12": "all", "7.2": None, "7.3": "all"},
    "arm64_row": {"5.10": None, "6.1": None, "6.12": "all", "7.2": None},
    "kunit_row": {"5.10": None, "6.1": None, "6.12": None, "7.2": "all", "7.3": "all"},
}


class SmallRepo(Protocol):
    """Makes a git repository for one test from the part of a tree that rendering reads.

    root: an unpacked tree, None for the reference tree; kind: its layout.
    The tip of `master` is the tree, tagged v6.12 or what its series is. It is the test's own.
    """

    def __call__(self, root: Path | None = None, kind: Kind = Kind.ORDINARY) -> Path: ...


class Cli(Protocol):
    """Runs the command as its user does; exit code and output are in the result.

    env: variables to add to the environment.
    """

    def __call__(
        self,
        *args: str | Path,
        cwd: Path | None = None,
        stdin: str = "",
        env: Mapping[str, str] | None = None,
    ) -> "subprocess.CompletedProcess[str]": ...


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty HOME with no git identity, and none to be guessed from the machine's name."""
    home = tmp_path_factory.mktemp("home")
    for name in [*os.environ]:
        if name.startswith(("GIT_", "XDG_")) or name in {"EMAIL", "NO_COLOR", "FORCE_COLOR"}:
            monkeypatch.delenv(name)
    (home / "gitconfig").write_text("[user]\n\tuseConfigOnly = true\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    # b4 and git lend their cache and configuration from these; the sources' place is real.
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(CACHE.parent))
    return home


@pytest.fixture
def identity(home: Path) -> str:
    """Gives the user a git identity, and tells it: `Name <address>`."""
    with (home / "gitconfig").open("a") as config:
        config.write("\tname = A. Developer\n\temail = developer@example.org\n")
    return "A. Developer <developer@example.org>"


@pytest.fixture(scope="session")
def linux_612() -> Path:
    """Root of the reference tree, Debian's linux-source-6.12 unpacked; not to be written to."""
    return sources.fetch("6.12")


@pytest.fixture(scope="session")
def oldest_510() -> Path:
    """Root of the oldest tree of Linux 5.10 that Debian offers; not to be written to."""
    return sources.oldest("5.10")


@pytest.fixture(scope="session")
def oldest_61() -> Path:
    """The same of Linux 6.1."""
    return sources.oldest("6.1")


@pytest.fixture
def small_repo(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> SmallRepo:
    def make(root: Path | None = None, kind: Kind = Kind.ORDINARY) -> Path:
        tree: Path = root or request.getfixturevalue("linux_612")
        object_format = "sha256" if kind is Kind.SHA256 else "sha1"
        origin = repos.source(tree, CACHE / "tests", object_format)
        return repos.clone(origin, tmp_path_factory.mktemp("repo") / "linux", kind)

    return make


@pytest.fixture
def mirror(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Mirror:
    """A mirror that the machine's apt has instead of its own, and an empty cache."""
    made = Mirror(tmp_path / "mirror")
    listed = tmp_path / "machine" / "debian.list"
    listed.parent.mkdir()
    # Not file:, whose lists are links to the mirror's own and change under apt.
    listed.write_text(f"deb [trusted=yes] copy:{made.root} bookworm main\n")
    conf = tmp_path / "machine" / "apt.conf"
    conf.write_text(f'Dir::Etc::sourcelist "{listed}";\nDir::Etc::sourceparts "-";\n')
    monkeypatch.setenv("APT_CONFIG", str(conf))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    return made


@pytest.fixture
def cli() -> Cli:
    def run(
        *args: str | Path,
        cwd: Path | None = None,
        stdin: str = "",
        env: Mapping[str, str] | None = None,
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "dmabuf_patchgen", *map(str, args)],
            cwd=cwd,
            # A checkout that was never installed can be tested as well.
            env={**os.environ, "PYTHONPATH": str(CHECKOUT), **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=3600,
            check=False,
        )

    return run


def pytest_configure() -> None:
    """Tests pass on a busy machine, and however they are started; none by luck."""
    shown = hypothesis.settings.get_current_profile_name()
    hypothesis.settings.register_profile(
        "patient", hypothesis.settings.get_profile(shown), deadline=None, derandomize=True
    )
    hypothesis.settings.load_profile("patient")
    # What runs these in the background may have them heed no signals, which children inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.SIG_DFL)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `row` runs once per tree of the matrix, and is marked `trees` or `all`."""
    name = next((one for one in _ROWS if one in metafunc.fixturenames), None)
    if name is None:
        return
    if metafunc.config.option.markexpr == WITHOUT_TREES:
        # Gone before anything runs: no reason to fetch five trees.
        rows = [pytest.param(None, id="trees", marks=pytest.mark.trees)]
    else:
        markers = [
            (row, _ROWS[name].get(row.series, "trees")) for row in _matrix(metafunc.config).rows
        ]
        rows = [
            pytest.param(row, id=row.series, marks=getattr(pytest.mark, marker))
            for row, marker in markers
            if marker
        ]
    metafunc.parametrize(name, rows, scope="session")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """With several workers, which tests are one worker's."""
    return _ByTree(config, log)


class _ByTree(LoadFileScheduling):  # type: ignore[misc]
    """A tree's tests in one worker, as they wait for each other's builds; else those of a file.

    Groups by pytest-xdist's own marker are none with pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        row = re.search(r"(arm64)?\[\d+\.\d+(?=[-\]])", nodeid)
        return row[0] if row else super()._split_scope(nodeid)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: (_is_slow(item), item.path.name != _LONGEST))


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Before the first test: fetch what they need, then leave the network for good.

    First of all, for a worker of pytest-xdist runs its tests in a hook of this name.
    """
    if session.config.option.collectonly:
        return
    if any(map(_is_slow, session.items)):
        # Without it those tests fail by themselves; the others do not need it.
        with suppress(UserError):
            sources.fetch("6.12")
    for fixture, series in _OLDEST.items():
        if any(fixture in getattr(item, "fixturenames", ()) for item in session.items):
            with suppress(UserError):
                sources.fetch(series)
                sources.oldest(series)
    network.leave()


def _is_slow(item: pytest.Item) -> bool:
    return bool(_SLOW & {*getattr(item, "fixturenames", ())})


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    found = config.stash.get(_MATRIX, None)
    if found:
        terminalreporter.section("kernel trees")
        for row in found.rows:
            terminalreporter.line(f"{row.series}: {row.path.name}")
        for remark in found.remarks:
            terminalreporter.line(remark)


def _matrix(config: pytest.Config) -> sources.Matrix:
    if _MATRIX not in config.stash:
        try:
            config.stash[_MATRIX] = sources.matrix()
        except UserError as error:
            raise pytest.UsageError(f"{error.message}; {error.hint}") from None
    return config.stash[_MATRIX]
