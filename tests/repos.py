# SPDX-License-Identifier: GPL-2.0-only
"""Git repositories with the part of a kernel tree that rendering reads, made once and cloned."""

import hashlib
import os
import re
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

#: What rendering and checkpatch read of a tree; a directory stands for all below it.
PARTS = (
    ".get_maintainer.ignore", ".mailmap", "COPYING", "CREDITS", "Kbuild", "Kconfig", "MAINTAINERS",
    "Makefile", "README",
    "Documentation/driver-api", "Documentation/userspace-api",
    "drivers/dma-buf",
    "include/linux", "include/uapi/linux",
    "scripts",
    "tools/testing/selftests/Makefile", "tools/testing/selftests/lib.mk",
    "tools/testing/selftests/kselftest", "tools/testing/selftests/kselftest.h",
    "tools/testing/selftests/kselftest_deps.sh",
    "tools/testing/selftests/kselftest_harness.h",
    "tools/testing/selftests/kselftest_install.sh",
    "tools/testing/selftests/run_kselftest.sh",
    "tools/testing/selftests/dmabuf-heaps", "tools/testing/selftests/drivers",
)  # fmt: skip

#: A name and a date of their own, so that the repository has the same ids on every machine.
_WHO = "Tester <tester@example.org> 1700000000 +0000"


class Kind(Enum):
    """How a repository is laid out."""

    ORDINARY = "ordinary"
    #: An ordinary one whose files are not checked out, quicker to make.
    UNCHECKED = "unchecked"
    BARE = "bare"
    SHALLOW = "shallow"
    #: A linked worktree, on a branch of its own.
    WORKTREE = "worktree"
    #: A clone without blobs, that fetches them from its origin when asked.
    PARTIAL = "partial"
    SHA256 = "sha256"


def git(repo: Path, *args: str, stdin: bytes = b"") -> str:
    """Run git in a repository of the tests, whatever this machine's configuration says."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    env |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
    done = subprocess.run(
        ["git", "-C", str(repo), *args], env=env, input=stdin, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout.decode(errors="replace")


def source(root: Path, store: Path, object_format: str = "sha1") -> Path:
    """The repository that those of the tests are cloned from, made on its first use.

    root: an unpacked tree in a directory that has the package's version for a name;
    store: where to keep the repository, outside of the checkout.
    """
    what = hashlib.sha256(object_format.encode() + Path(__file__).read_bytes())
    place = store / f"{root.name}-{what.hexdigest()[:12]}.git"
    if not place.exists():
        store.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=store) as scratch:
            repo = Path(scratch) / "repo.git"
            git(store, "init", "-q", "--bare", f"--object-format={object_format}",
                "--initial-branch=master", str(repo))  # fmt: skip
            git(repo, "config", "uploadpack.allowFilter", "true")
            git(repo, "fast-import", "--quiet", "--done", stdin=b"".join(_import(root)))
            try:
                repo.rename(place)
            except OSError:
                # Another run was quicker, and the same input gives the same bytes.
                assert place.exists()
    return place


def clone(origin: Path, place: Path, kind: Kind) -> Path:
    """A repository of some kind at a place; the path returned is what -C takes."""
    url = f"file://{origin}"
    if kind is Kind.BARE:
        git(origin, "clone", "-q", "--bare", "--shared", str(origin), str(place))
    elif kind is Kind.SHALLOW:
        git(origin, "clone", "-q", "--no-checkout", "--depth=1", url, str(place))
    elif kind is Kind.PARTIAL:
        git(origin, "clone", "-q", "--no-checkout", "--filter=blob:none", url, str(place))
    elif kind is Kind.WORKTREE:
        main = place.with_name(f"{place.name}-main")
        git(origin, "clone", "-q", "--no-checkout", "--shared", str(origin), str(main))
        git(main, "worktree", "add", "-q", "-b", "side", str(place))
    else:
        checkout = ["--no-checkout"] if kind is Kind.UNCHECKED else []
        git(origin, "clone", "-q", "--shared", *checkout, str(origin), str(place))
    return place


def below(origin: Path, place: Path, prefix: str) -> Path:
    """A repository that has another one's `master` in a subdirectory, checked out; that directory.

    `master` has it, the tag `begin` is the commit before it.
    """
    who = ("-c", "user.name=Tester", "-c", "user.email=tester@example.org")
    place.mkdir()
    git(place, "init", "-q", "--initial-branch=master")
    (place / "README").write_text("A project.\n", encoding="utf-8")
    git(place, "add", "README")
    git(place, *who, "commit", "-q", "-m", "begin")
    git(place, "tag", "begin")
    objects = git(origin, "rev-parse", "--path-format=absolute", "--git-path", "objects")
    (place / ".git/objects/info/alternates").write_text(objects, encoding="utf-8")
    commit = git(origin, "rev-parse", "HEAD").strip()
    git(place, "read-tree", f"--prefix={prefix}/", "-u", commit)
    git(place, *who, "commit", "-q", "-m", "add a kernel")
    return place / prefix


def _import(root: Path) -> Iterator[bytes]:
    """Stream for git fast-import: two commits, so that a shallow clone has something to lack."""
    makefile = (root / "Makefile").read_bytes()
    found = dict(re.findall(rb"^(VERSION|PATCHLEVEL) = (\d+)", makefile, re.M))
    series = found[b"VERSION"] + b"." + found[b"PATCHLEVEL"]
    yield b"commit refs/heads/master\ncommitter %s\n" % _WHO.encode()
    yield b"data 6\nBegin\n" + _file(b"100644", b"Makefile", makefile)
    yield b"commit refs/heads/master\ncommitter %s\n" % _WHO.encode()
    yield b"data %d\nLinux %s\n" % (len(series) + 7, series)
    for path in _paths(root):
        name = path.relative_to(root).as_posix().encode()
        if path.is_symlink():
            yield _file(b"120000", name, bytes(path.readlink()))
        else:
            executable = path.stat().st_mode & stat.S_IXUSR
            yield _file(b"100755" if executable else b"100644", name, path.read_bytes())
    yield b"reset refs/tags/v%s\nfrom refs/heads/master\n\ndone\n" % series


def _paths(root: Path) -> Iterator[Path]:
    """Files of the parts, in a fixed order; no tree has all of them."""
    for part in PARTS:
        top = root / part
        if top.is_dir():
            for where, directories, files in os.walk(top):
                directories.sort()
                links = [name for name in directories if (Path(where) / name).is_symlink()]
                yield from (Path(where) / name for name in sorted([*files, *links]))
        elif top.exists():
            yield top


def _file(mode: bytes, name: bytes, body: bytes) -> bytes:
    return b"M %s inline %s\ndata %d\n%s\n" % (mode, name, len(body), body)
