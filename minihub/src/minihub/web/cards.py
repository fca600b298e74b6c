"""A repository's card: the YAML at the top of its README.md."""

import re
from collections.abc import Iterator
from typing import Any

import yaml

MAX_YAML_SIZE = 256 << 10  # characters; PyYAML needs seconds for more
MAX_YAML_DEPTH = 64  # lists and mappings inside one another

_PLAIN_TAGS = {None, "!", *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "map", "seq"))}
_LICENCE = re.compile(r"[a-z0-9][a-z0-9.+-]*")
_REPO_ID = re.compile(r"[A-Za-z0-9_][\w.-]*(?:/[A-Za-z0-9_][\w.-]*)?", re.ASCII)
_FRONT_MATTER = re.compile(r"\A\s*---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)


def front_matter(text: str) -> dict[str, Any]:
    """The facts at the top of a card; none when they cannot be read."""
    try:
        facts = _load(text)
    except yaml.YAMLError:
        return {}
    return facts if isinstance(facts, dict) else {}


def card_body(text: str) -> str:
    """The card without the facts at its top."""
    return _FRONT_MATTER.sub("", text, count=1)


def front_matter_errors(text: str) -> list[dict[str, str]]:
    """What is wrong with the facts at the top of a card."""
    try:
        facts = _load(text)
    except yaml.YAMLError as error:
        return [{"message": f"The YAML at the top of the card cannot be read: {error}"}]
    if facts is not None and not isinstance(facts, dict):
        return [{"message": "The YAML at the top of the card is not a mapping of names to values."}]
    return [{"message": message} for message in refused_values(facts or {})]


def refused_values(facts: dict[str, Any]) -> Iterator[str]:
    """Values that the Hub refuses, by their form; it also knows which licences there are."""
    if not isinstance(facts.get("model-index", []), list):
        yield '"model-index" must be an array'
    for licence in _listed(facts.get("license")):
        if not _LICENCE.fullmatch(licence):
            yield f'"license" must be one of the identifiers that the Hub lists, not {licence[:80]!r}'
    for key in ("datasets", "base_model"):
        for name in _listed(facts.get(key)):
            if not _REPO_ID.fullmatch(name):
                yield f'"{key}" must be the name of a repository, NAME or OWNER/NAME, not {name[:80]!r}'


def _listed(value: Any) -> list[str]:
    return [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]


def front_matter_warnings(text: str) -> list[dict[str, str]]:
    """What is missing from the facts at the top of a card."""
    return [] if _FRONT_MATTER.match(text) else [{"message": "empty or missing yaml metadata in repo card"}]


def _load(text: str) -> Any:
    match = _FRONT_MATTER.match(text)
    if match is None:
        return None
    if len(match[1]) > MAX_YAML_SIZE:
        message = f"it has {len(match[1])} characters, and at most {MAX_YAML_SIZE} are read"
        raise yaml.YAMLError(message)
    return yaml.load(match[1], Loader=_Loader)  # noqa: S506 - a SafeLoader


class _Loader(yaml.SafeLoader):
    """Mappings, lists, texts, yes and no; a number or a date is the text that stands there.

    Nobody reckons with them here, and PyYAML's own conversions fail in a dozen ways: no such day, `0x_`, too
    many digits. Aliases are refused because a few of them can stand for gigabytes.
    """

    _depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        problem = self._problem(event)
        if problem:
            raise yaml.composer.ComposerError(None, None, problem, event.start_mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def _problem(self, event: Any) -> str:
        if isinstance(event, yaml.AliasEvent):
            return "aliases are not read here"
        if event.tag not in _PLAIN_TAGS:
            return f"the tag {event.tag[:80]!r} is not read here"
        return f"more than {MAX_YAML_DEPTH} levels are not read here" if self._depth >= MAX_YAML_DEPTH else ""


def _as_written(loader: _Loader, node: Any) -> Any:
    return loader.construct_scalar(node)


for _kind in ("int", "float", "timestamp", "value"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _as_written)
