# SPDX-License-Identifier: GPL-2.0-only
"""Whom a series goes to: what the tree's own get_maintainer.pl says, and a little more.

To are people and Cc are lists, as b4's `prep --auto-to-cc` has it.
"""

import os
import posixpath
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import getaddresses, quote
from itertools import chain
from pathlib import Path

from dmabuf_patchgen import process, signals
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.tree.source import Tree

_SCRIPT = "scripts/get_maintainer.pl"
#: Without these nothing can be said.
_NEEDED = (_SCRIPT, "MAINTAINERS")
#: Read by the script if it is there. It reads .get_maintainer.ignore too, but heeds it only for
#: people found in git's log.
_MAILMAP = ".mailmap"
#: Those that b4 gives (get_auto_to_cc_cmds), and those that make a checkout unnecessary.
_OPTIONS = ("--nogit", "--nogit-fallback", "--nogit-chief-penguins", "--norolestats")
_PEOPLE = ("--nol",)
_LISTS = ("--nom", "--nor")
#: Characters for which RFC 5322 wants a display name in quotes.
_SPECIALS = re.compile(r'[()<>\[\]:;@\\,."]')


@dataclass(frozen=True, slots=True)
class Recipients:
    """Addresses for b4's To: and Cc:, each `Name <address>` or an address alone."""

    to: tuple[str, ...]
    cc: tuple[str, ...]


def recipients(
    tree: Tree,
    mails: Sequence[bytes],
    lists: Iterable[str],
    extra_to: Iterable[str],
    extra_cc: Iterable[str],
    excluded: Iterable[str],
) -> Recipients:
    """Whom the patches of a series go to.

    mails: the patches, as git format-patch writes them; lists: those that MAINTAINERS cannot
    know; extra_to and extra_cc: what the user adds; excluded: addresses that get nothing.
    An address is in the result once, whatever its case, and rather in To than in Cc.

    Raises MissingTool without perl, UserError if the tree lacks the script or MAINTAINERS, if
    the script fails, or if something is no address or a name is not UTF-8.
    """
    people, known_lists = _asked(tree, mails)
    unreadable = _unreadable(tree)
    seen = {address.lower() for one in excluded for _, address in _parsed(one)}

    def fresh(addresses: Iterable[str]) -> tuple[str, ...]:
        kept = []
        for name, address in chain.from_iterable(map(_parsed, addresses)):
            if address.lower() not in seen:
                seen.add(address.lower())
                if address.lower() in unreadable:
                    raise _not_utf8(address, unreadable[address.lower()])
                kept.append(_written(name, address))
        return tuple(kept)

    return Recipients(to=fresh([*people, *extra_to]), cc=fresh([*known_lists, *lists, *extra_cc]))


def _asked(tree: Tree, mails: Sequence[bytes]) -> tuple[list[str], list[str]]:
    """People and lists that the tree's script names for patches."""
    process.require("perl")
    for path in _NEEDED:
        if not tree.exists(path):
            raise UserError(
                f"{tree.label}: no {path}, which tells whom to send patches to",
                "prepare the series on a whole kernel tree",
            )
    try:
        with process.temporary("dmabuf-patchgen-") as root:
            patches = _written_to(root, tree, mails)
            # All patches in one call, which reads MAINTAINERS once; both calls at the same time.
            with ThreadPoolExecutor(2) as pool:
                # Threads inherit it that signals are held back: one that took them would let
                # them through while this one, which is to clear away, holds them back.
                with signals.blocked():
                    people = pool.submit(_run, tree, root, _PEOPLE, patches)
                    lists = pool.submit(_run, tree, root, _LISTS, patches)
                return people.result(), lists.result()
    except OSError as error:
        raise UserError(f"{error.filename}: {error.strerror}", "set TMPDIR") from None


def _written_to(root: Path, tree: Tree, mails: Sequence[bytes]) -> list[str]:
    """Put into a directory what the script reads; names of the patches there."""
    for path in (*_NEEDED, *([_MAILMAP] if tree.exists(_MAILMAP) else [])):
        place = root / path
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(tree.read(path))
    # An F: line without a slash at its end stands for all below it if it is a directory.
    for directory in _directories(mails):
        (root / directory).mkdir(parents=True, exist_ok=True)
    patches = [f"{number:04}.patch" for number in range(1, len(mails) + 1)]
    for patch, mail in zip(patches, mails, strict=True):
        (root / patch).write_bytes(mail)
    return patches


def _run(tree: Tree, root: Path, kind: Sequence[str], patches: Sequence[str]) -> list[str]:
    if not patches:
        return []
    done = process.run(
        ["perl", _SCRIPT, "--no-tree", f"--mpath={root}/MAINTAINERS", *_OPTIONS, *kind, *patches],
        cwd=root,
        # No .get_maintainer.conf of the user's can change the form of the output, and the
        # order of those who are equally near is the same in every run.
        env={
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(root),
            "LC_ALL": "C",
            "PERL_HASH_SEED": "0",
            "PERL_PERTURB_KEYS": "0",
        },
        timeout=300,
        check=False,
    )
    if done.returncode:
        raise UserError(f"{tree.label}: {_SCRIPT} failed: {done.last_words}")
    return [line for line in done.exact.splitlines() if "@" in line]


def _directories(mails: Iterable[bytes]) -> set[str]:
    """Directories of the files that patches change."""
    found = set()
    for mail in mails:
        for path in re.findall(rb"^(?:---|\+\+\+) [ab]/(\S+)$", mail, re.M):
            directory = posixpath.normpath(posixpath.dirname(os.fsdecode(path)))
            if not directory.startswith(("/", "..")):
                found.add(directory)
    return found


def _unreadable(tree: Tree) -> dict[str, str]:
    """Addresses in small letters -> the line that gives a name to them in bytes that are not UTF-8.

    get_maintainer.pl itself writes such a byte as a backslash and a number, or as it is,
    and goes on.
    """
    found = {}
    for path in ("MAINTAINERS", _MAILMAP):
        body = tree.read(path) if tree.exists(path) else b""
        for number, line in enumerate(body.split(b"\n"), 1):
            text = line.decode(errors="backslashreplace")
            if text.encode() != line:
                for address in re.findall(r"<(\S+@\S+)>", text):
                    found[address.lower()] = f"{path}:{number}: {' '.join(text.split())}"
    return found


def _not_utf8(address: str, text: str) -> UserError:
    return UserError(
        f"the name of {address} is not UTF-8: {text}",
        "write it so, or leave the address out: git config dmabuf-patchgen.exclude",
    )


def _parsed(text: str) -> list[tuple[str, str]]:
    """Names and addresses, of which there may be several with commas. Raises UserError."""
    found = getaddresses([text])
    # What is no text is refused below, if anybody writes to it.
    readable = text.encode(errors="replace").decode().isprintable()
    for _, address in found or [("", "")]:
        local, _, domain = address.rpartition("@")
        if not local or not domain or not readable or " " in address:
            raise UserError(f"{text!r} is no mail address", "it is Name <address>, or the address")
    return found


def _written(name: str, address: str) -> str:
    """As b4 writes it (format_addrs): a name stays readable, whatever its letters.

    Raises UserError for bytes that are not UTF-8, which are no letters of a mail.
    """
    if not process.is_utf8(name):
        raise _not_utf8(address, os.fsencode(name).decode(errors="backslashreplace"))
    if not name:
        return address
    return f'"{quote(name)}" <{address}>' if _SPECIALS.search(name) else f"{name} <{address}>"
