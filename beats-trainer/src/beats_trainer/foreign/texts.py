"""Texts that others wrote, read once: bounded in size, depth and number of values, typed field by field."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from beats_trainer.errors import BeatsError
from beats_trainer.foreign.measure import MOST, as_plain, find_excess, shown
from beats_trainer.foreign.plainyaml import load_yaml

LARGEST_YAML = 1 << 18  # bytes: pins and configs have some kB
LARGEST_JSON = 1 << 24  # a listing has some 100 bytes a file, a label map 40 a label
LARGEST_WHOLE = 1 << 63


@dataclass(frozen=True)
class Text:
    """Whose text it is that is read, for the messages: "the pin", its file, and what to do about a fault."""

    what: str
    file: str
    remedy: str
    error: type[BeatsError]

    def refuse(self, found: str, expected: str, cause: Exception | None = None) -> NoReturn:
        """Raises the error for what was found in place of what was expected."""
        message = f"cannot read {self.what} {self.file}: {found}; expected {expected}. {self.remedy}"
        raise self.error(message) from cause


@dataclass(frozen=True)
class Field:
    """One value of a foreign text and where it stands; each method gives it as a type, or refuses it."""

    origin: Text
    name: str
    value: object

    def refuse(self, expected: str, cause: Exception | None = None) -> NoReturn:
        """Raises the error for a value of another type."""
        self.origin.refuse(f"{self.name or 'the whole'} is {shown(self.value)}", expected, cause)

    def __getitem__(self, key: str) -> Field:
        """The field of a table; one that is absent holds None."""
        return Field(self.origin, f"{self.name}.{key}".lstrip("."), self.table().get(key))

    def is_table(self) -> bool:
        """Whether the value is a table."""
        return isinstance(self.value, dict)

    def table(self) -> dict[object, object]:
        """The value as a table; an absent one is empty."""
        if self.value is None:
            return {}
        if not isinstance(self.value, dict):
            self.refuse("a table of names and values")
        return as_plain(self.value)

    def named(self) -> Iterator[tuple[str, object]]:
        """The values of a table whose names are texts; those of other names mean nothing here."""
        for key, value in self.table().items():
            if isinstance(key, str):
                yield key, value

    def fields(self) -> Iterator[tuple[str, Field]]:
        """The fields of a table whose names are texts."""
        for key, value in self.table().items():
            name = Field(self.origin, f"a name in {self.name or 'the whole'}", key).text()
            yield name, Field(self.origin, f"{self.name}.{name[:60]}".lstrip("."), value)

    def items(self) -> list[Field]:
        """The values of a list; of an absent one, none."""
        if self.value is None:
            return []
        if not isinstance(self.value, list | tuple):
            self.refuse("a list")
        return [Field(self.origin, f"{self.name}[{i}]", value) for i, value in enumerate(self.value)]

    def text(self) -> str:
        """The value as a text; an absent one is empty."""
        if self.value is None:
            return ""
        if not isinstance(self.value, str) or not _is_unicode(self.value):
            self.refuse("a text")
        return self.value

    def texts(self) -> tuple[str, ...]:
        """The value as a list of texts."""
        return tuple(item.text() for item in self.items())

    def whole(self) -> int | None:
        """The value as a whole number that is not negative, if there is one."""
        value = self.value
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < LARGEST_WHOLE:
            self.refuse("a whole number, 0 or more")
        return value

    def real(self) -> bool | int | float:
        """The value as it is, if it is a finite number, or yes or no."""
        value = self.value
        if not isinstance(value, int | float) or not abs(value) < LARGEST_WHOLE:
            self.refuse("a number of a sane size")
        return value

    def number(self) -> float:
        """The value as a finite number."""
        if isinstance(self.value, bool):
            self.refuse("a number")
        return float(self.real())


def read_bytes(path: Path, origin: Text, largest: int = LARGEST_YAML) -> bytes:
    """The bytes of a file, of which no more are read than it may have."""
    try:
        with path.open("rb") as file:
            data = file.read(largest + 1)
    except OSError as error:
        origin.refuse(f"{type(error).__name__}: {error.strerror}", "a file that can be read", error)
    if len(data) > largest:
        origin.refuse(f"it has more than {largest:,} bytes", "a text of the usual size")
    return data


def decode_text(data: bytes, origin: Text) -> str:
    """The text that some bytes are."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        origin.refuse(f"the byte at {error.start:,} is no UTF-8", "a text", error)


def parse_yaml(data: bytes, origin: Text) -> Field:
    """The one document of a YAML text."""
    if len(data) > LARGEST_YAML:
        origin.refuse(f"it has {len(data):,} bytes", f"at most {LARGEST_YAML:,}")
    try:
        value = load_yaml(decode_text(data, origin))
    except ValueError as error:
        origin.refuse(str(error), "plain YAML", error)
    return bounded_field(value, origin)


def parse_json(data: bytes | str, origin: Text) -> Field:
    """The value of a JSON text."""
    if len(data) > LARGEST_JSON:
        origin.refuse(f"it has {len(data):,} bytes", f"at most {LARGEST_JSON:,}")
    text = decode_text(data, origin) if isinstance(data, bytes) else data
    try:
        value = json.loads(text, object_pairs_hook=_once_each, parse_constant=_refuse_constant)
    except RecursionError as error:
        origin.refuse("it is nested without end", "JSON", error)
    except ValueError as error:
        origin.refuse(str(error)[:200], "JSON", error)
    return bounded_field(value, origin)


def bounded_field(value: object, origin: Text, name: str = "", most: int = MOST) -> Field:
    """A value that is neither deeper nor, with all that it shares counted, larger than anything of use."""
    found = find_excess(value, most)
    if found:
        origin.refuse(f"{name or 'it'} holds {found}", "a few plain values")
    return Field(origin, name, value)


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) < len(pairs):
        (name, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        message = f"{shown(name)} is there twice"
        raise ValueError(message)
    return table


def _refuse_constant(text: str) -> object:
    message = f"{text} is no number of JSON"
    raise ValueError(message)


def _is_unicode(text: str) -> bool:
    """Whether a text can be written at all: half a pair of surrogates can not."""
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)
