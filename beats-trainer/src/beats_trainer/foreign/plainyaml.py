"""YAML as people write it by hand: plain values, few aliases; all else is refused before it is built."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar

import yaml
from yaml.composer import Composer, ComposerError
from yaml.constructor import ConstructorError, SafeConstructor
from yaml.nodes import MappingNode, ScalarNode
from yaml.resolver import Resolver

from beats_trainer.foreign.measure import DEEPEST, shown

MOST = 20_000  # values, with those behind an alias counted as often as it is named
LONGEST_NUMBER = 40  # letters
_TAG = "tag:yaml.org,2002:"
# libyaml, where it is, is ten times faster.
_EVENTS: Callable[[str], Any] = getattr(yaml, "CParser", yaml.SafeLoader)


class _Loader(Composer, SafeConstructor, Resolver):
    """Composes a document from a parser's events, and counts while it does."""

    # A date stays the text that it is: nobody asks for one, and 30 February must not be an error.
    yaml_implicit_resolvers = {  # noqa: RUF012 - as the parent has it
        letter: [pair for pair in pairs if pair[0] != f"{_TAG}timestamp"]
        for letter, pairs in Resolver.yaml_implicit_resolvers.items()
    }
    yaml_constructors: ClassVar[dict[str | None, Any]] = {}  # of the parent's only those added below

    def __init__(self, text: str) -> None:
        for parent in (Composer, SafeConstructor, Resolver):
            parent.__init__(self)
        events = _EVENTS(text)
        self.check_event, self.peek_event = events.check_event, events.peek_event
        self.get_event = events.get_event
        self._count = self._depth = 0
        self._sizes: dict[str, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        """One node and what is in it, as long as there is not too much."""
        event = self.peek_event()
        before = self._count
        self._count += self._size_of_alias(event) if isinstance(event, yaml.AliasEvent) else 1
        self._depth += 1
        _refuse_excess(self._count, self._depth, event)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if not isinstance(event, yaml.AliasEvent) and event.anchor is not None:
            self._sizes[event.anchor] = self._count - before
        return node

    def _size_of_alias(self, event: Any) -> int:
        if event.anchor not in self._sizes:
            problem = f"the alias {shown(event.anchor)} names nothing that ends before it"
            raise ComposerError(None, None, problem, event.start_mark)
        return self._sizes[event.anchor]

    def construct_mapping(self, node: MappingNode, deep: bool = False) -> dict[object, object]:
        """A table, in which each name stands once."""
        names = Counter(key.value for key, _ in node.value if isinstance(key, ScalarNode))
        name, times = next(iter(names.most_common(1)), ("", 0))
        if times > 1:
            raise ConstructorError(None, None, f"{shown(name)} is there twice", node.start_mark)
        return super().construct_mapping(node, deep=deep)


def _numeric(kind: str) -> Callable[[Any, ScalarNode], object]:
    convert = SafeConstructor.yaml_constructors[_TAG + kind]

    def construct(loader: _Loader, node: ScalarNode) -> object:
        try:
            if len(node.value) <= LONGEST_NUMBER:
                return convert(loader, node)
        except (ValueError, LookupError, OverflowError):
            pass
        problem = f"{shown(node.value)} is no {kind}"
        raise ConstructorError(None, None, problem, node.start_mark)

    return construct


_Loader.yaml_constructors |= {_TAG + kind: _numeric(kind) for kind in ("bool", "int", "float")}
_Loader.yaml_constructors |= {
    _TAG + kind: SafeConstructor.yaml_constructors[_TAG + kind] for kind in ("null", "str", "seq", "map")
}
_Loader.yaml_constructors |= {
    _TAG + "value": SafeConstructor.construct_yaml_str,  # a bare =
    None: SafeConstructor.construct_undefined,
}


def load_yaml(text: str) -> object:
    """The value of the one document in a text.

    Raises:
        ValueError: It is none, or not a plain one; the message names the line.
    """
    try:
        _count_values(text)
        return _Loader(text).get_single_data()
    except yaml.YAMLError as error:
        raise ValueError(_problem(error)) from error


def _count_values(text: str) -> None:
    """Refuse too much before any of it is composed, which takes ten times as long as this."""
    events, count, depth = _EVENTS(text), 0, 0
    while events.check_event():
        event = events.get_event()
        count += isinstance(event, yaml.NodeEvent)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        _refuse_excess(count, depth, event)


def _refuse_excess(count: int, depth: int, event: Any) -> None:
    if count > MOST or depth > DEEPEST:
        problem = f"more than {MOST:,} values, or lists within lists more than {DEEPEST} deep"
        raise ComposerError(None, None, problem, event.start_mark)


def _problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    said = " ".join(str(getattr(error, "problem", None) or error).split())[:200]
    return f"line {mark.line + 1}: {said}" if mark else said
