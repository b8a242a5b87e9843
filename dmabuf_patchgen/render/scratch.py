# SPDX-License-Identifier: GPL-2.0-only
"""A repository that nobody sees: commits are made in it, with refs and configuration of its own.

It may write its objects into the store of the user's repository. Then a commit made here is a
commit there, and not even a temporary ref has to be: git alone decides when it goes away.
"""

import os
import posixpath
import stat
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dmabuf_patchgen import process, signals
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.render.commit import Commit
from dmabuf_patchgen.tree import git
from dmabuf_patchgen.tree.source import Tree

_SERIES = b"refs/heads/series"
#: How a commit begins in git-fast-import(1); each takes the mark of the one before.
_COMMIT = b"commit " + _SERIES + b"\nmark :1\n"


@dataclass(frozen=True, slots=True)
class Identity:
    """Name and address of the author of commits."""

    name: str
    email: str

    def at(self, when: datetime) -> bytes:
        """As a line of a commit has it, in UTC."""
        clean = "".join(c for c in self.name if c not in "<>\n\0").strip()
        address = "".join(c for c in self.email if c not in "<>\n\0 ")
        return f"{clean} <{address}> {int(when.timestamp())} +0000".encode()


#: Where nobody says who they are, or it does not matter.
ANONYMOUS = Identity("dmabuf-patchgen", "dmabuf-patchgen@localhost.invalid")


class Scratch:
    """A bare repository in a temporary directory. borrowed: variables of git's environment."""

    def __init__(self, path: Path, borrowed: Mapping[str, str]) -> None:
        self.path = path
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("GIT_")},
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "LC_ALL": "C",
            **borrowed,
        }

    def git(self, *args: str, stdin: bytes = b"", check: bool = True) -> process.Finished:
        """Run git here, deaf to any configuration but its own.

        Raises UserError if it fails and check is set.
        """
        argv = ["git", "--git-dir", str(self.path), *args]
        done = process.run(argv, env=self._environment, stdin=stdin, check=False)
        if check and done.returncode:
            raise UserError(f"git {git.verb(args)} failed: {git.words(done)}")
        return done

    def import_tree(self, files: Mapping[str, tuple[str, bytes]], who: bytes) -> str:
        """Make a commit of some files (path -> mode and content); its id."""
        stream = [_COMMIT, b"committer ", who, b"\n", _data(b"base\n")]
        for path, (mode, body) in sorted(files.items()):
            stream += [b"M %b inline %b\n" % (mode.encode(), _quoted(path)), _data(body)]
        return self._fast_import(stream)

    def import_commits(
        self, commits: Sequence[Commit], parent: str, tree: Tree, who: bytes, prefix: str = ""
    ) -> str:
        """Make a series of commits on a parent; the id of the last, or the parent of none.

        tree: that of the parent, for the modes of files that change; prefix: the directory of
        the parent in which it is.
        """
        if not commits:
            return parent
        stream = [b"reset ", _SERIES, b"\nfrom ", parent.encode(), b"\n\n"]
        for commit in commits:
            stream += [_COMMIT, b"author ", who, b"\ncommitter ", who, b"\n"]
            stream.append(_data(commit.message.encode()))
            for path, body in sorted(commit.files.items()):
                place = _quoted(posixpath.join(prefix, path))
                if body is None:
                    stream.append(b"D %b\n" % place)
                else:
                    mode = (tree.mode(path) or "100644").encode()
                    stream += [b"M %b inline %b\n" % (mode, place), _data(body)]
        return self._fast_import(stream)

    def format_patch(self, base: str, tip: str) -> list[tuple[str, bytes]]:
        """The mails of the commits between two: file name and content, in order."""
        with tempfile.TemporaryDirectory(dir=self.path) as directory:
            numbered = ("--numbered", "--suffix=.patch", "-o", directory)
            self.git(*git.FORMAT_PATCH, *numbered, f"{base}..{tip}")
            return [(path.name, path.read_bytes()) for path in sorted(Path(directory).iterdir())]

    def _fast_import(self, stream: list[bytes]) -> str:
        """Make commits; the id of the last."""
        whole = b"".join([*stream, b"get-mark :1\ndone\n"])
        return self.git("fast-import", "--quiet", "--done", stdin=whole).text.strip()


def _quoted(path: str) -> bytes:
    """A path as git fast-import takes any."""
    escaped = os.fsencode(path).replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return b'"%b"' % escaped.replace(b"\n", b"\\n")


def _data(body: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(body), body)


def _migrate(incoming: Path, objects: Path) -> None:
    """Move new objects into a store: a pack is there once its index is.

    Files and directories come with the modes that git gave them.
    """
    found = [*incoming.glob("[0-9a-f][0-9a-f]/*"), *incoming.glob("pack/pack-*")]
    for path in sorted(found, key=lambda path: (path.suffix == ".idx", path)):
        place = objects / path.relative_to(incoming)
        with suppress(FileExistsError):
            place.parent.mkdir()
            place.parent.chmod(stat.S_IMODE(path.parent.stat().st_mode))
        if not place.exists():
            path.rename(place)


@contextmanager
def scratch(object_format: str = "sha1", shared: str = "", **borrowed: str) -> Iterator[Scratch]:
    """A scratch repository for the length of a block.

    object_format: sha1 or sha256; shared: its core.sharedRepository; borrowed: variables that
    lend it something of another repository. Raises UserError if there is no room for it.
    """
    with ExitStack() as stack:
        try:
            directory = stack.enter_context(process.temporary("dmabuf-patchgen-"))
        except OSError as error:
            raise UserError(f"no temporary directory: {error.strerror}", "set TMPDIR") from None
        made = Scratch(directory / "git", borrowed)
        made.git("init", "--quiet", "--bare", "--template=", f"--object-format={object_format}")
        # Hunk headers name the C function, as they do with the kernel's own .gitattributes.
        (made.path / "info").mkdir()
        (made.path / "info" / "attributes").write_text("*.c diff=cpp\n*.h diff=cpp\n")
        if shared:
            made.git("config", "core.sharedRepository", shared)
        yield made


@contextmanager
def scratch_in(repo: Path) -> Iterator[Scratch]:
    """A scratch repository whose commits are in the object store of another after the block.

    As git receives a push: beside the objects that are there, and among them once all is
    done. An exception leaves nothing; a fast-import of git's own would leave half a pack.
    """
    store = _Store.of(repo)
    # Of that name git itself clears it away, should not even this program be able to.
    with process.temporary("tmp_objdir-", store.objects) as incoming:
        (incoming / "info").mkdir()
        (incoming / "info" / "alternates").write_bytes(os.fsencode(store.objects) + b"\n")
        with scratch(
            store.object_format, _shared(repo), GIT_OBJECT_DIRECTORY=str(incoming)
        ) as made:
            yield made
        with signals.blocked():
            _migrate(incoming, store.objects)


@contextmanager
def scratch_on(repo: Path) -> Iterator[Scratch]:
    """A scratch repository to read the objects of another in, with none of its configuration."""
    store = _Store.of(repo)
    lent = {"GIT_OBJECT_DIRECTORY": str(store.objects), "GIT_SHALLOW_FILE": str(store.shallow)}
    with scratch(store.object_format, **lent) as made:
        yield made


@dataclass(frozen=True, slots=True)
class _Store:
    """Where a repository has its objects, where it says at which its history ends, their ids."""

    objects: Path
    shallow: Path
    object_format: str

    @classmethod
    def of(cls, repo: Path) -> "_Store":
        objects, shallow, object_format = git.git(
            repo, "rev-parse", "--path-format=absolute", "--git-path", "objects",
            "--git-path", "shallow", "--show-object-format",
        ).exact.split("\n", 2)  # fmt: skip
        return cls(Path(objects), Path(shallow), object_format.strip())


def _shared(repo: Path) -> str:
    """A repository's core.sharedRepository, empty without.

    git reads it from the repository's own file only; a key without a value is one that is true.
    """
    output = git.git(
        repo, "config", "--local", "-z", "--get-regexp", r"^core\.sharedrepository$", check=False
    ).text
    *_, last = ["", *filter(None, output.split("\0"))]
    _, equals, value = last.partition("\n")
    return value if equals or not last else "true"
