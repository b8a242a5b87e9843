# SPDX-License-Identifier: GPL-2.0-only
"""Compiled templates and expressions, kept between runs: compiling takes longer than rendering."""

import hashlib
import marshal
import os
import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from types import CodeType

from jinja2 import BytecodeCache, Environment, Template, TemplateSyntaxError, __version__, nodes
from jinja2.bccache import Bucket
from jinja2.environment import TemplateExpression
from jinja2.parser import Parser

from dmabuf_patchgen import kept

#: So many are kept at most: several times those that there are of one directory of templates.
_MOST = 500
#: So many directories of templates have a file: that of the product, and those of their authors.
_DIRECTORIES = 20
#: Code of another Python is none, and cannot even be read safely.
_MADE_BY = f"{sys.version} {__version__}"


class Compiled(BytecodeCache):
    """Templates and expressions as code, all of them in one file.

    Each is known by a hash of its name and its source. The file is one of the Python and Jinja
    that compiled them, see place(). One that is damaged counts as none.
    most: so many are kept, of which not all are asked for.
    """

    def __init__(self, place: Path, most: int = _MOST) -> None:
        self._place = place
        self._most = most
        self._asked: set[bytes] = set()
        self._grown = False

    @cached_property
    def _codes(self) -> dict[bytes, CodeType]:
        whole = kept.load(self._place)
        held: dict[bytes, CodeType] = marshal.loads(whole) if whole else {}  # noqa: S302 - our own
        return held

    def load_bytecode(self, bucket: Bucket) -> None:
        key = _key(bucket)
        self._asked.add(key)
        bucket.code = self._codes.get(key)

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is not None:
            self._codes[_key(bucket)] = bucket.code
            self._grown = True

    def save(self) -> None:
        """Write what was compiled since. Once there are too many, what nobody asked for goes."""
        if self._grown:
            held = self._codes
            if len(held) > self._most:
                held = {key: code for key, code in held.items() if key in self._asked}
            kept.save(self._place, marshal.dumps(held), siblings=_DIRECTORIES)
            self._grown = False


def place(cache: Path, root: Path) -> Path:
    """The file for a directory of templates."""
    about = os.fsencode(root.absolute()) + b"\0" + _MADE_BY.encode()
    return cache / "templates" / hashlib.sha256(about).hexdigest()


def _key(bucket: Bucket) -> bytes:
    return hashlib.sha256(f"{bucket.key} {bucket.checksum}".encode()).digest()


def expression(environment: Environment, source: str) -> TemplateExpression:
    """What environment.compile_expression() gives, kept as templates are.

    Its undefined value stays undefined.
    """

    def parsed() -> nodes.Template:
        try:
            parser = Parser(environment, source, state="variable")
            value = parser.parse_expression()
            if not parser.stream.eos:
                raise TemplateSyntaxError("chunk after expression", parser.stream.current.lineno)
        except TemplateSyntaxError:
            environment.handle_exception(source)
        value.set_environment(environment)
        result = nodes.Assign(nodes.Name("result", "store"), value, lineno=1)
        return nodes.Template([result], lineno=1)

    return TemplateExpression(_template(environment, "expression", source, parsed), False)


def text(environment: Environment, source: str) -> Template:
    """What environment.from_string() gives, kept as templates are."""
    return _template(environment, "text", source, lambda: environment.parse(source))


def _template(
    environment: Environment, kind: str, source: str, parsed: Callable[[], nodes.Template]
) -> Template:
    keeper = environment.bytecode_cache
    bucket = keeper.get_bucket(environment, f"{kind} {source}", None, source) if keeper else None
    code = bucket.code if bucket else None
    if code is None:
        code = environment.compile(parsed())
        if keeper and bucket:
            bucket.code = code
            keeper.set_bucket(bucket)
    return Template.from_code(environment, code, environment.make_globals(None))
