"""A repository's card: the YAML at the top of its README.md."""

import re
from typing import Any

import yaml

_FRONT_MATTER = re.compile(r"\A\s*---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)


def front_matter(text: str) -> dict[str, Any]:
    """The facts at the top of a card; none when they cannot be read."""
    try:
        facts = _load(text)
    except yaml.YAMLError:
        return {}
    return facts if isinstance(facts, dict) else {}


def body(text: str) -> str:
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
    if facts and not isinstance(facts.get("model-index", []), list):
        return [{"message": '"model-index" must be an array'}]
    return []


def front_matter_warnings(text: str) -> list[dict[str, str]]:
    """What is missing from the facts at the top of a card."""
    return [] if _FRONT_MATTER.match(text) else [{"message": "empty or missing yaml metadata in repo card"}]


def _load(text: str) -> Any:
    match = _FRONT_MATTER.match(text)
    return yaml.load(match[1], Loader=_Loader) if match else None  # noqa: S506 - a SafeLoader


class _Loader(yaml.SafeLoader):
    """Plain data only, and no aliases: a few of them can stand for gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            problem = "aliases are not read here"
            raise yaml.composer.ComposerError(None, None, problem, event.start_mark)
        return super().compose_node(parent, index)
