# SPDX-License-Identifier: GPL-2.0-only
"""The Kconfig of a tree, read by kconfiglib: what a kernel configuration comes to there."""

import contextlib
import io
import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

# It has no types.
import kconfiglib  # type: ignore[import-untyped]

from dmabuf_patchgen import process
from dmabuf_patchgen.errors import UserError
from dmabuf_patchgen.kernel import paths, programs, reason
from dmabuf_patchgen.kernel.architecture import Architecture
from dmabuf_patchgen.tree import git
from dmabuf_patchgen.tree.source import GitTree, KernelTree

#: What Kconfig reads and runs; nothing else of a revision is exported.
_READ = re.compile(
    r"(.*/)?Kconfig[^/]*|scripts/.*\.sh|arch/[^/]+/tools/[^/]*\.sh|"
    r"(kernel|arch/[^/]+)/configs/tiny[^/]*\.config"
)
#: Variables that kconfiglib obeys, or that a calling make has set for a kernel of its own.
_DROPPED = re.compile(
    r"(KCONFIG_|KBUILD_|LC_|RUSTC|MAKE)\w*|CONFIG_|MFLAGS|USER\w*FLAGS|CLANG_FLAGS|LANGUAGE"
)
#: What is no part of Kconfig's language where it stands by itself; a mark at the beginning, too.
_STRANGE = re.compile(r"[^\x00-\x7f]|[;*?@^~`\[\]{}%\\]")
_QUOTED = re.compile(r"""("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')""")
#: make's name of a program -> what it is called with GNU's tools and with LLVM's.
_TOOLS = {
    "CC": ("gcc", "clang"),
    "LD": ("ld", "ld.lld"),
    "AR": ("ar", "llvm-ar"),
    "NM": ("nm", "llvm-nm"),
    "OBJCOPY": ("objcopy", "llvm-objcopy"),
}
#: As scripts/Makefile.clang sets them, after the target.
_CLANG_FLAGS = (
    "-fintegrated-as -Werror=unknown-warning-option -Werror=ignored-optimization-argument"
)


class _Reader(kconfiglib.Kconfig):  # type: ignore[misc]
    """kconfiglib 14.1.0 with what Kconfig has learned since, and with what conf lets pass.

    All methods are private to kconfiglib: hence its version is pinned, and the tests load
    every tree.
    """

    def _open(self, filename: str, mode: str) -> Any:
        # A comment or a help text in another encoding is nothing to conf.
        return Path(filename).open(mode, encoding="utf-8", errors="surrogateescape")

    def _tokenize(self, s: str) -> Any:
        s = _as_conf_takes(s)
        word = s.partition("#")[0].strip()
        if word == "modules":
            # 6.1: a property by itself, once `option modules`.
            s = "\toption modules\n"
        elif word == "transitional":
            # 7.2: the symbol is for reading older configurations only.
            s = "\n"
        return super()._tokenize(s)

    def _expect_expr_and_eol(self) -> Any:
        # 7.2: `depends on X if Y`, which holds where Y is n.
        expression = self._parse_expr(True)
        if self._tokens[0] is kconfiglib._T_DEPENDS and self._check_token(kconfiglib._T_IF):
            condition = self._parse_expr(True)
            expression = self._make_or(expression, self._is(condition, "n"))
        if self._tokens[self._tokens_i] is not None:
            self._trailing_tokens_error()
        return expression

    def _is(self, expression: Any, value: str) -> Any:
        """The expression that another one has the value n or y; Kconfig compares symbols only."""
        if expression.__class__ is not tuple:
            return (kconfiglib.EQUAL, expression, self.n if value == "n" else self.y)
        operator, *parts = expression
        if operator is kconfiglib.NOT:
            return self._is(parts[0], "y" if value == "n" else "n")
        if operator in (kconfiglib.AND, kconfiglib.OR):
            left, right = (self._is(part, value) for part in parts)
            # One n makes an AND n, and one y makes an OR y.
            either = (operator is kconfiglib.AND) == (value == "n")
            return self._make_or(left, right) if either else self._make_and(left, right)
        return (kconfiglib.NOT, expression) if value == "n" else expression


def _as_conf_takes(line: str) -> str:
    """A line without the signs that conf warns of and passes over, and with its quotes closed.

    Rule: scripts/kconfig/lexer.l, "ignoring unsupported character" and "multi-line strings not
    supported". What a macro of the preprocessor has in its brackets is its own.
    """
    if "$(" in line or (line.count('"') % 2 == 0 and not _STRANGE.search(line)):
        return line
    kept = []
    for number, part in enumerate(_QUOTED.split(line)):
        code, sign, comment = (part, "", "") if number % 2 else part.partition("#")
        kept.append(code if number % 2 else _STRANGE.sub("", code))
        if sign:
            return "".join(kept) + f"#{comment.rstrip()}\n"
    taken = "".join(kept)
    opened = '"' in _QUOTED.sub("", taken)
    return taken.rstrip() + '"\n' if opened else taken


class Kconfig:
    """The symbols of a tree, and the configuration that they have at the moment."""

    def __init__(self, reader: _Reader, root: Path, scratch: Path, srcarch: str) -> None:
        self._reader = reader
        self._root = root
        self._scratch = scratch
        self._srcarch = srcarch

    @property
    def title(self) -> str:
        """What the configuration is of, as the tree says it."""
        return str(self._reader.mainmenu_text)

    def has(self, name: str) -> bool:
        """Whether the tree has a symbol for this architecture."""
        symbol = self._reader.syms.get(name)
        return symbol is not None and bool(symbol.nodes)

    def value(self, name: str) -> str:
        """Value of a symbol as .config has it, a string without its quotes; n if it has none."""
        symbol = self._reader.syms.get(name)
        return symbol.str_value or "n" if symbol and symbol.config_string else "n"

    def why(self, name: str, wanted: str) -> str:
        """Why a symbol that was asked for is not what was wanted."""
        if not self.has(name):
            return f"this tree has no {name}"
        return reason.why(self._reader.syms[name], wanted)

    def tiny(self) -> None:
        """Set the configuration to that of `make tinyconfig`."""
        reader = self._reader
        reader.unset_values()
        for symbol in reader.unique_defined_syms:
            if symbol.orig_type in (kconfiglib.BOOL, kconfiglib.TRISTATE):
                symbol.set_value(2 if symbol.is_allnoconfig_y else 0)
        base = self._root / "kernel/configs/tiny-base.config"
        if base.exists():
            reader.load_config(str(base), replace=False)
        places = ("kernel", f"arch/{self._srcarch}")
        others = [self._root / place / "configs/tiny.config" for place in places]
        self._settle(other for other in others if other.exists())

    def merge(self, lines: Iterable[str]) -> None:
        """Add lines of a .config and settle, as merge_config.sh and olddefconfig do."""
        fragment = self._scratch / "fragment"
        fragment.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        self._settle([fragment])

    def text(self, header: str) -> str:
        """The .config; header: comment lines for its top."""
        place = self._scratch / "written"
        self._reader.write_config(str(place), header=header, save_old=False)
        return place.read_text(encoding="utf-8")

    def _settle(self, fragments: Iterable[Path]) -> None:
        # By way of a file, as make does: a symbol that could not be set until now is not in
        # it, so that it gets its default.
        before = self._scratch / "before"
        self._reader.write_config(str(before), save_old=False)
        self._reader.load_config(str(before))
        for fragment in fragments:
            self._reader.load_config(str(fragment), replace=False)


@contextlib.contextmanager
def loaded(tree: KernelTree, architecture: Architecture) -> Iterator[Kconfig]:
    """The Kconfig of a tree for an architecture and the compiler that the environment chooses.

    Raises UserError if it cannot be read, MissingTool without a compiler.
    """
    tools = _tools()
    with process.temporary("dmabuf-patchgen-kconfig-") as scratch:
        elsewhere = "set TMPDIR to another directory"
        paths.must_be_plain(scratch, elsewhere)
        # A link where nothing needs to be exported: Kconfig's shell commands quote no paths.
        root = scratch / "tree"
        if tree.root is not None:
            root.symlink_to(tree.root)
            paths.must_execute(tree.root, "have the tree elsewhere: Kconfig runs its scripts")
        else:
            paths.must_execute(scratch, elsewhere)
            _export(tree.as_revision("", ""), root)
        work = scratch / "work"
        work.mkdir()
        with _surroundings(work, _variables(tree, root, architecture, tools)):
            try:
                # What $(info) and $(warning-if) say is no result.
                with contextlib.redirect_stdout(io.StringIO()):
                    reader = _Reader("Kconfig", warn=False, suppress_traceback=False)
            except (kconfiglib.KconfigError, OSError, RecursionError) as error:
                cause = str(error).replace(f"{root}/", "").replace(f"{os.path.realpath(root)}/", "")
                raise UserError(
                    f"{tree.label}: Kconfig cannot be read: {' '.join(cause.split())}",
                    "see that `make olddefconfig` reads it",
                ) from None
        yield Kconfig(reader, root, scratch, architecture.srcarch)


def _tools() -> dict[str, str]:
    """The compiler and its kin, chosen as the top Makefile chooses them."""
    llvm = programs.named("LLVM")
    before = llvm if llvm.endswith("/") else ""
    after = llvm if llvm.startswith("-") else ""
    cross = programs.named("CROSS_COMPILE")
    found = {}
    for name, (gnu, clang) in _TOOLS.items():
        default = f"{before}{clang}{after}" if llvm else f"{cross}{gnu}"
        found[name] = programs.named(name) or default
    for name in ("CC", "LD"):
        process.require(shlex.split(found[name])[0])
    return found


def _variables(
    tree: KernelTree,
    root: Path,
    architecture: Architecture,
    tools: Mapping[str, str],
) -> dict[str, str]:
    """The environment that make gives Kconfig."""
    kept = {name: value for name, value in os.environ.items() if not _DROPPED.fullmatch(name)}
    kept |= {"LANG": "C", "LC_ALL": "C", "PYTHONDONTWRITEBYTECODE": "1"}
    compiler = shlex.split(tools["CC"])
    version = process.run([*compiler, "--version"], env=kept).text.partition("\n")[0]
    script = root / "scripts/pahole-version.sh"
    pahole = "0"
    if script.exists():
        pahole = process.run(["sh", str(script), "pahole"], env=kept, check=False).text.strip()
    flags = f"--target={architecture.triple} {_CLANG_FLAGS}"
    # ARCH decides more than where to look: x86 leaves 64BIT open, which x86_64 does not.
    arch = os.environ.get("ARCH", "")
    return {
        **kept,
        **tools,
        "ARCH": arch if arch in architecture.names else architecture.srcarch,
        "SRCARCH": architecture.srcarch,
        "srctree": str(root),
        "KERNELVERSION": tree.version,
        "CC_VERSION_TEXT": version.replace("#", ""),
        "CLANG_FLAGS": flags if "clang" in version else "",
        "RUSTC": "rustc",
        "BINDGEN": "bindgen",
        "PAHOLE": "pahole",
        "PAHOLE_VERSION": pahole or "0",
    }


@contextlib.contextmanager
def _surroundings(work: Path, variables: Mapping[str, str]) -> Iterator[None]:
    """Another current directory and environment: kconfiglib takes both from the process.

    Tests of the compiler leave files in the directory.
    """
    before = dict(os.environ)
    with contextlib.chdir(work):
        try:
            os.environ.clear()
            os.environ.update(variables)
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def _export(tree: GitTree, root: Path) -> None:
    """Write the files of a revision that Kconfig reads."""
    listing = git.git(tree.repo, "ls-tree", "-r", "-z", "--full-tree", tree.id).stdout
    wanted = {}
    for entry in filter(None, listing.split(b"\0")):
        about, _, name = entry.partition(b"\t")
        path = os.fsdecode(name)
        if _READ.fullmatch(path):
            wanted[path] = about.decode().split()[2]
    _refuse_partial(tree, {*wanted.values()})
    for path in wanted:
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(tree.read(path))
        if path.endswith(".sh"):
            place.chmod(0o755)


def _refuse_partial(tree: GitTree, wanted: set[str]) -> None:
    """Refuse a partial clone that would fetch a thousand files one by one."""
    promisor = git.git(tree.repo, "config", "--get-regexp", r"^remote\..*\.promisor$", check=False)
    if promisor.returncode:
        return
    listing = git.git(tree.repo, "rev-list", "--objects", "--missing=print", tree.id)
    absent = {line[1:] for line in listing.text.splitlines() if line.startswith("?")}
    if missing := len(wanted & absent):
        raise UserError(
            f"{tree.label}: a partial clone, {missing} files of its Kconfig are not here",
            f"check it out once, git then fetches them together: git checkout {tree.revision}",
        )
