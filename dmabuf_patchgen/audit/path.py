# SPDX-License-Identifier: GPL-2.0-only
"""Follows a callback from its entry to its returns, and tells what each way does to the mapping.

A path is followed through every branch; states that know the same of the mapping become one
again, so that a condition which changes nothing is forgotten. A loop is taken to run at least
once: a mapping has at least one page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dmabuf_patchgen.audit.calls import Calls
from dmabuf_patchgen.audit.condition import RESULTS, Conditions
from dmabuf_patchgen.audit.definitions import Function, Initialiser
from dmabuf_patchgen.audit.index import Index
from dmabuf_patchgen.audit.lexer import Token, Tokens
from dmabuf_patchgen.audit.state import Decision, State, Step, TooMuch, merged
from dmabuf_patchgen.audit.statement import (
    Block,
    Expression,
    If,
    Jump,
    Label,
    Loop,
    Return,
    Statement,
    Switch,
    Unreadable,
)

#: So many statements are followed on the ways of one callback, each time that they are come to.
#: What someone wrote comes to 300 at most, on the trees of docs/audit.md.
MOST_VISITED = 20_000


@dataclass(frozen=True)
class Bindings:
    """Which instance a pointer to operations means, by the type of the operations.

    One instance of a type in `certain` is the one; of others it is taken to be one of them,
    since they are those of the same driver.
    """

    instances: Mapping[str, tuple[Initialiser, ...]]
    certain: frozenset[str] = frozenset()


@dataclass
class Frame:
    """A function that is being followed, and what has been collected in it."""

    index: Index
    function: Function
    bindings: Bindings
    depth: int
    tracked: frozenset[str]
    returns: list[tuple[State, str]] = field(default_factory=list)
    gotos: dict[str, list[State]] = field(default_factory=dict)
    passed: set[str] = field(default_factory=set)
    again: dict[str, list[State]] = field(default_factory=dict)
    breaks: list[list[State]] = field(default_factory=list)
    continues: list[list[State]] = field(default_factory=list)

    def define(self, name: str) -> str:
        """What a macro of the function's file stands for, empty if it has none of that name."""
        macro = self.index.file(self.function.path).macros.get(name)
        return re.sub(r"[^\w]", " ", macro.body) if macro else ""

    def step(self, token: Token, what: str) -> Step:
        """A step at a token of the function."""
        return Step(self.function.path, self.function.source.line(token), what)

    def decision(self, tokens: Tokens, held: bool) -> Decision:
        """A condition of the function, left one way."""
        said = self.function.source.words(tokens)
        line = self.function.source.line(tokens[0]) if tokens else self.function.line
        return Decision(said, held, self.function.path, line)


class Walker:
    """Follows functions of a tree."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self._visited = 0
        self.calls = Calls(self)
        self.conditions = Conditions(self)

    def enter(
        self,
        function: Function,
        states: Iterable[State],
        bindings: Bindings,
        arguments: Sequence[str] = (),
        depth: int = 0,
    ) -> list[tuple[State, str]]:
        """Follow a function from its head; what is known at each of its returns, and its value.

        arguments: what is known of the values of its parameters. Raises TooMuch.
        """
        if not depth:
            self._visited = 0
        if function.name == "drm_gem_mmap_obj":
            states = [replace(state, through_gem=True) for state in states]
        frame = Frame(self.index, function, bindings, depth, _tracked(function))
        states = list(states)
        begun = []
        for state in states:
            inside = replace(state, values=())
            for name, value in zip(function.parameter_names, arguments, strict=False):
                if name and value:
                    inside = inside.with_value(name, value)
            begun.append(inside)
        outer = _outer(states)
        try:
            body = function.body
        except Unreadable as error:
            step = Step(function.path, function.line, f"{function.name}()")
            why = f"{function.name}() does not read as C: {error}"
            return [(state.puzzled(why, step), "") for state in states]
        if function.source.partial:
            step = Step(function.path, function.line, f"{function.name}()")
            begun = [
                state.puzzled(f"the preprocessor cuts through {function.name}()", step)
                for state in begun
            ]
        left = self._block(body, merged(begun), frame)
        frame.returns += [(state, "") for state in left]
        self._backward(body, frame)
        return [(replace(state, values=outer), value) for state, value in _unique(frame.returns)]

    def _backward(self, body: Block, frame: Frame) -> None:
        """Jumps to a label above are followed once more, which a second try is."""
        again, frame.again = frame.again, {}
        if again:
            for name, states in again.items():
                frame.gotos.setdefault(name, []).extend(states)
            frame.passed.clear()
            left = self._block(body, [], frame)
            frame.returns += [(state, "") for state in left]
            frame.again = {}

    def _block(self, block: Block, states: list[State], frame: Frame) -> list[State]:
        for statement in block.statements:
            states = self._statement(statement, states, frame)
        return states

    def _statement(self, statement: Statement, states: list[State], frame: Frame) -> list[State]:
        self._visited += 1
        if self._visited > MOST_VISITED:
            raise TooMuch("it takes too long to follow")
        if isinstance(statement, Label):
            arrived = frame.gotos.pop(statement.name, [])
            frame.passed.add(statement.name)
            return merged([*states, *arrived])
        if isinstance(statement, Block):
            return self._block(statement, states, frame)
        if not states and not frame.gotos:
            return []
        match statement:
            case Expression(tokens):
                return merged(
                    after for state in states for after, _ in self.calls.run(tokens, state, frame)
                )
            case Return(tokens):
                for state in states:
                    for after, value in self.calls.value(tokens, state, frame):
                        frame.returns.append((after, value))
                return []
            case Jump():
                return self._jump(statement, states, frame)
            case If():
                return self._if(statement, states, frame)
            case Loop():
                return self._loop(statement, states, frame)
            case Switch():
                return self._switch(statement, states, frame)
        raise AssertionError(statement)

    def _jump(self, jump: Jump, states: list[State], frame: Frame) -> list[State]:
        if jump.word == "goto":
            waiting = frame.again if jump.label in frame.passed else frame.gotos
            waiting.setdefault(jump.label, []).extend(states)
        elif jump.word == "break" and frame.breaks:
            frame.breaks[-1].extend(states)
        elif jump.word == "continue" and frame.continues:
            frame.continues[-1].extend(states)
        return []

    def _if(self, statement: If, states: list[State], frame: Frame) -> list[State]:
        held: list[State] = []
        failed: list[State] = []
        for state in states:
            for after, truth in self.conditions.test(statement.condition, state, frame):
                if truth is not False:
                    held.append(
                        after if truth else after.decided(frame.decision(statement.condition, True))
                    )
                if truth is not True:
                    failed.append(
                        after
                        if truth is False
                        else after.decided(frame.decision(statement.condition, False))
                    )
        then = self._block(statement.then, merged(held), frame)
        otherwise = self._block(statement.otherwise, merged(failed), frame)
        return merged([*then, *otherwise])

    def _loop(self, loop: Loop, states: list[State], frame: Frame) -> list[State]:
        frame.breaks.append([])
        frame.continues.append([])
        done: list[State] = []
        for _ in range(2):
            states = merged(
                after for state in states for after, _ in self.calls.run(loop.head, state, frame)
            )
            states = self._block(loop.body, states, frame)
            states = merged([*states, *frame.continues[-1]])
            done += states
        frame.continues.pop()
        return merged([*done, *frame.breaks.pop()])

    def _switch(self, switch: Switch, states: list[State], frame: Frame) -> list[State]:
        frame.breaks.append([])
        subject = frame.function.source.words(switch.subject)
        line = frame.function.source.line(switch.subject[0]) if switch.subject else 0
        falling: list[State] = []
        for label, block in switch.cases:
            words = label.replace("case ", "")
            entered = [
                state.decided(Decision(f"{subject} is {words}", True, frame.function.path, line))
                for state in states
            ]
            falling = self._block(block, merged([*entered, *falling]), frame)
        skipped = [] if any("default" in label for label, _ in switch.cases) else states
        return merged([*falling, *skipped, *frame.breaks.pop()])


def _tracked(function: Function) -> frozenset[str]:
    """Variables whose value matters: those that are returned, and those by custom."""
    returned = re.findall(r"\breturn\s+(?:\w+\()?(\w+)\)?\s*[;?]", function.text)
    operations = re.findall(r"vm_ops\s*=\s*(\w+)\s*;", function.text)
    tested = re.findall(r"IS_ERR(?:_OR_NULL)?\((\w+)\)", function.text)
    return RESULTS | set(returned) | set(operations) | set(tested) | set(function.parameter_names)


def _outer(states: Iterable[State]) -> tuple[tuple[str, str], ...]:
    """The variables of the caller: those of all states, which are called with one."""
    for state in states:
        return state.values
    return ()


def _unique(returns: list[tuple[State, str]]) -> list[tuple[State, str]]:
    by_value: dict[str, list[State]] = {}
    for state, value in returns:
        by_value.setdefault(value, []).append(replace(state, values=()))
    return [(state, value) for value, states in by_value.items() for state in merged(states)]
