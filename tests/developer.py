# SPDX-License-Identifier: GPL-2.0-only
"""Somebody who prepares a series and sends it: their repository, their prep, their b4."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

from tests.conftest import CHECKOUT
from tests.repos import git

SERIES = "dma-buf-pfnmap"
BRANCH = f"b4/{SERIES}"
REF = f"refs/heads/{BRANCH}"
SUBJECTS = (
    "dma-buf: factor out the call of the exporter's mmap callback",
    "dma-buf: refuse copy-on-write mappings",
    "dma-buf: warn about CPU mappings that are not VM_PFNMAP",
    "selftests: dma-buf: test what CPU mappings allow",
    "selftests: dma-buf: test mappings that break the rules",
)
#: Directories by which b4 and checkpatch.pl know a kernel tree; git keeps no empty ones.
_TOP = ("Documentation", "arch", "include", "drivers", "fs", "init", "ipc", "kernel", "lib")
B4 = Path(sys.executable).with_name("b4")


@dataclass(frozen=True, slots=True)
class Developer:
    """A user at a repository. home: their HOME, with the cache of both tools."""

    repo: Path
    home: Path

    def run(
        self,
        *args: str | Path,
        env: Mapping[str, str] | None = None,
        series: str = SERIES,
        python: str = sys.executable,
    ) -> "subprocess.CompletedProcess[str]":
        """Their prep. args: --base and its value come first; python: another interpreter."""
        first = [*args[:2]] if args[:1] == ("--base",) else []
        return subprocess.run(
            [python, "-m", "tests.unbuilt", "-C", str(self.repo),
             *map(str, first), "prep", *series.split(), *map(str, args[len(first):])],
            env=self.environment(env), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=300, check=False,
        )  # fmt: skip

    def prep(self, *args: str | Path, series: str = SERIES) -> str:
        """What prep says of a series that it made ready."""
        done = self.run(*args, series=series)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return done.stdout

    def refused(self, *args: str | Path, code: int = 1, **more: Any) -> str:
        """The one line with which prep refuses."""
        done = self.run(*args, **more)
        assert (done.returncode, done.stdout) == (code, ""), done.stderr
        (line,) = done.stderr.splitlines()
        assert not re.search("Traceback|KeyError|EOFError", line)
        return line.removeprefix("dmabuf-patchgen: ")

    def b4(self, *args: str | Path, stdin: str = "") -> str:
        """What their b4 says, both ways."""
        done = subprocess.run(
            [str(B4), *map(str, args)], cwd=self.repo, env=self.environment(), input=stdin,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        return re.sub(r"\x1b\[\d*m", "", done.stdout)

    def checkout(self, branch: str = BRANCH) -> None:
        git(self.repo, "checkout", "-q", branch)
        for name in _TOP:
            (self.repo / name).mkdir(exist_ok=True)

    def settings(self, **values: str) -> None:
        """Set what they have in their own configuration; _ stands for a dot, __ for a dash."""
        for name, value in values.items():
            key = name.replace("__", "-").replace("_", ".")
            git(self.repo, "config", "--file", str(self.home / "gitconfig"), "--add", key, value)

    def git(self, *args: str, stdin: bytes = b"") -> str:
        """git with their configuration and identity."""
        return subprocess.run(
            ["git", "-C", str(self.repo), *args], env=self.environment(), input=stdin,
            capture_output=True, check=True,
        ).stdout.decode()  # fmt: skip

    def config(self, branch: str = BRANCH) -> dict[str, str]:
        """What the branch has in the repository's configuration."""
        said = git(self.repo, "config", "--local", "--list", "-z")
        pairs = (entry.partition("\n") for entry in said.split("\0") if entry)
        start = f"branch.{branch}."
        return {key.removeprefix(start): value for key, _, value in pairs if key.startswith(start)}

    def tag_as_sent(self, revision: int = 1) -> None:
        """The tag that b4 gives what it sends; with it a version is over."""
        said = self.config().get("b4-tracking") or git(
            self.repo, "log", "--format=%B", "--fixed-strings", "--grep=b4-submit-tracking", REF
        )
        change = re.findall(r'"change-id": "([^"]+)"', said)[0]
        # By the means that heeds no configuration, which may have every tag signed.
        name = f"refs/tags/sent/{change}-v{revision}"
        git(self.repo, "-c", f"core.hooksPath={os.devnull}", "update-ref", name, REF)

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        cache = {"XDG_CACHE_HOME": str(self.home / ".cache"), "PYTHONPATH": str(CHECKOUT)}
        return {**os.environ, **cache, **(more or {})}


def begin(developer: Developer, store: Path, strategy: str = "branch-description") -> None:
    """Give them v1 of the series, made once: prep takes seconds, and a repository is small."""
    made, own = store / f"v1-{strategy}", developer.repo / ".git"
    if made.exists():
        shutil.rmtree(own)
        shutil.copytree(made, own)
    else:
        developer.prep("--cover-strategy", strategy)
        shutil.copytree(own, made)


@dataclass(frozen=True, slots=True)
class Post:
    """A mail server that keeps what it takes. mails: in order of arrival, lines as in files."""

    port: int
    mails: list[bytes] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)

    @property
    def messages(self) -> list[EmailMessage]:
        return [message_from_bytes(mail, policy=policy.default) for mail in self.mails]

    def mbox(self, path: Path) -> Path:
        """The mails in a file as a mail reader keeps them."""
        path.write_bytes(b"".join(
            b"From mboxrd@z Thu Jan  1 00:00:00 1970\n" + mail + b"\n" for mail in self.mails
        ))  # fmt: skip
        return path


@contextmanager
def post_office() -> Iterator[Post]:
    """An SMTP server on a free port of loopback."""

    class Handler:
        async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
            post.mails.append(envelope.content.replace(b"\r\n", b"\n"))
            post.recipients.append(envelope.rcpt_tos)
            return "250 OK"

    class AnyPort(Controller):
        def _trigger_server(self) -> None:
            assert isinstance(self.server, asyncio.Server)
            self.port = self.server.sockets[0].getsockname()[1]
            super()._trigger_server()  # type: ignore[no-untyped-call]

    controller = AnyPort(Handler(), hostname="127.0.0.1", port=0)
    controller.start()
    post = Post(controller.port)
    try:
        yield post
    finally:
        controller.stop()
