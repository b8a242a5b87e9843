# SPDX-License-Identifier: GPL-2.0-only
"""Why make failed: the line of its output that is the cause, and not where it ended.

make ends with the targets that it gave up, from the inside out. What a failed command said stands
above the first of these, as the output is kept together by target (-Otarget).
"""

import re
from collections.abc import Sequence

from dmabuf_patchgen.kernel.diagnostics import COMMAND, parse

#: make gives a target up because its command failed.
_GAVE_UP = re.compile(r"make(\[\d+\])?: \*\*\* \[.*\] (Error \d+|[A-Z]\w+)")
#: make stops for a reason of its own: no rule, or $(error) of a Makefile.
_STOPS = re.compile(r"\S+: \*\*\* (?!\[|Waiting for unfinished jobs)(?P<said>.*)")
#: What is before that which it says.
_BEFORE = re.compile(r"make(\[\d+\])?: (?!\*)|\*\*\* ")
#: What a compiler says once its linker has said why.
_ECHO = re.compile(r"(collect2|\S*clang\S*): error: (ld returned|linker command failed)")
#: How programs that are no compilers tell of an error: linkers, conf, shells, Python, scripts.
#: A linker also warns and notes, and says in which function it found what it tells of next.
_SAYS = re.compile(
    r"(\S*/)?([\w-]*-)?ld(\.\w+)?: (?!(.*: )?(warning|NOTE|note): )(?!.*: in function )"
    r"|\S*Kconfig\S*:\d+:(?! ?warning)"
    r"|.*: ((command )?not found|Permission denied|No such file or directory)$"
    r"|.*No space left on device"
    r"|(\w+\.)*\w*(Error|Exception)\b(: |$)"
    r"|(ERROR|error|fatal): "
    r"|\*\*\* \S"
    r"|(Killed|Terminated|Segmentation fault|Bus error)\b"
)


def cause(output: str, root: str) -> str:
    """The line of make's output that tells why it failed, empty where it says nothing.

    root: of the source, which is cut off from paths.
    """
    block: list[str] = []
    for line in output.splitlines():
        if COMMAND.match(line):
            block = []
        elif stop := _STOPS.match(line):
            return _shortened(_told(block, root) or stop["said"], root)
        elif _GAVE_UP.match(line):
            return _shortened(_told(block, root) or _last(block) or line, root)
        else:
            block.append(line)
    return _shortened(_told(block, root) or _last(block), root)


def _told(block: Sequence[str], root: str) -> str:
    """The first error that a command tells of."""
    for line in block:
        if _ECHO.match(line):
            continue
        errors = [one for one in parse([line], root) if one.level == "error"]
        if errors:
            place = f"{errors[0].path}:{errors[0].line}" if errors[0].line else errors[0].path
            return f"{place}: {errors[0].text}"
        if _SAYS.match(line.strip()):
            return line
    return ""


def _last(block: Sequence[str]) -> str:
    return next((line for line in reversed(block) if line.strip()), "")


def _shortened(line: str, root: str) -> str:
    text = " ".join(line.replace(f"{root}/", "").split())
    before = _BEFORE.match(text)
    return text[before.end() if before else 0 :].removesuffix(" Stop.").removesuffix(".")
