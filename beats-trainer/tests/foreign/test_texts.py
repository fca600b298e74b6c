from __future__ import annotations

import json
import time

import pytest
import torch
from beats_trainer.errors import PinError
from beats_trainer.foreign import texts
from beats_trainer.foreign.measure import find_excess, shown
from beats_trainer.foreign.texts import Field, Text, parse_json, parse_yaml

ORIGIN = Text("the pin", "somewhere/m.dvc", "Write it anew.", PinError)


def nested(levels: int, value: object = "x") -> object:
    for _ in range(levels):
        value = [value] * 10
    return value


def aliases(levels: int) -> str:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, levels)]
    return "\n".join(rows)


HOSTILE = {
    "shared lists": aliases(6),
    "merges of merges": "\n".join(
        ["a0: &a0 {x: 1}", *(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}" for i in range(1, 6))]
    ),
    "a chain of merges": "\n".join(
        ["a0: &a0 {x: 1}", *(f"a{i}: &a{i} {{<<: *a{i - 1}}}" for i in range(1, 2000))]
    ),
    "a list within itself": "a: &a [*a]",
    "an alias of nothing": "a: *b",
    "depth of lists": "a: " + "[" * 20_000,
    "depth of dashes": "- " * 20_000,
    "depth of tables": "{a: " * 20_000,
    "depth of questions": "? " * 20_000,
    "many values": "[" + "x," * 100_000 + "]",
    "a long text": "a: " + "x" * 400_000,
    "a number of many digits": "a: " + "1" * 100_000,
    "a number to base 60": "a: " + "1:" * 50_000 + "1",
    "a call": "!!python/object/apply:os.system [ls]",
    "a tag that lies": "a: !!int many",
    "a truth that lies": "a: !!bool perhaps",
    "a date that lies": "a: !!timestamp soon",
    "another tag": "a: !!binary aaa=",
    "a name twice": "a: 1\na: 2",
    "a list as a name": "[a]: b",
    "two documents": "a: 1\n---\nb: 2",
    "a zero": "a: \0",
    "no end": "{",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_text_is_refused_at_once_in_a_short_message_that_names_the_file(text: str):
    before = time.process_time()
    with pytest.raises(PinError, match=r"cannot read the pin somewhere/m\.dvc: .*Write it anew") as caught:
        parse_yaml(text.encode(), ORIGIN)
    assert time.process_time() - before < 1
    assert len(str(caught.value)) < 500


def test_a_config_of_400_kilobytes_is_refused_whatever_is_in_it():
    plain = "".join(f"name{i}: [1, 2, 3]\n" for i in range(25_000)).encode()
    before = time.process_time()
    with pytest.raises(PinError, match=r"expected at most 262,144"):
        parse_yaml(plain, ORIGIN)
    assert time.process_time() - before < 0.5


def test_what_people_write_is_read():
    text = "a: &a {x: 1, y: .5}\nb: {<<: *a, y: yes}\nwhen: 2024-02-30\nnone: ~\nis: =\n"
    text += "list: [*a, *a]\nhex: 0x10"
    assert parse_yaml(text.encode(), ORIGIN).value == {
        "a": {"x": 1, "y": 0.5},
        "b": {"x": 1, "y": True},
        "when": "2024-02-30",
        "none": None,
        "is": "=",
        "list": [{"x": 1, "y": 0.5}] * 2,
        "hex": 16,
    }


@pytest.mark.parametrize("pure", [True, False])
def test_it_is_the_same_without_libyaml(monkeypatch, pure: bool):
    import yaml
    from beats_trainer.foreign import plainyaml

    if pure:
        monkeypatch.setattr(plainyaml, "_EVENTS", yaml.SafeLoader)
    assert parse_yaml(b"a: [1, &x b, *x]", ORIGIN).value == {"a": [1, "b", "b"]}
    with pytest.raises(PinError, match="line 1: more than"):
        parse_yaml(HOSTILE["depth of lists"].encode(), ORIGIN)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 100_000, "nested without end"),
        ("[" * 200 + "]" * 200, "more than 50 deep"),
        ('{"a": NaN}', "NaN is no number of JSON"),
        ('{"a": 1, "a": 2}', "'a' is there twice"),
        ("1" * 10_000, "expected JSON"),
        ("<html>", "expected JSON"),
    ],
)
def test_json_has_the_same_limits(text: str, said: str):
    with pytest.raises(PinError, match=said):
        parse_json(text, ORIGIN)


def test_bytes_that_are_no_text_are_told_with_their_place():
    with pytest.raises(PinError, match=r"the byte at 3 is no UTF-8"):
        parse_yaml(b"a: \xff", ORIGIN)


def test_json_that_is_too_long_is_not_read(monkeypatch):
    monkeypatch.setattr(texts, "LARGEST_JSON", 10)
    with pytest.raises(PinError, match="it has 11 bytes; expected at most 10"):
        parse_json(b'"123456789"', ORIGIN)


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("text", 5, "a.b is 5; expected a text"),
        ("text", "\ud800", r"a.b is '\\ud800'; expected a text"),
        ("texts", "abc", "a.b is 'abc'; expected a list"),
        ("texts", ["x", 1], r"a.b\[1\] is 1; expected a text"),
        ("whole", True, "a.b is True; expected a whole number"),
        ("whole", -1, "a.b is -1; expected a whole number"),
        ("whole", 1.0, "a.b is 1.0; expected a whole number"),
        ("whole", 1 << 63, "expected a whole number"),
        ("number", float("inf"), "a.b is inf; expected a number"),
        ("number", float("nan"), "a.b is nan; expected a number"),
        ("number", 10**4000, r"a.b is a number of 13,288 bits; expected a number"),
        ("number", False, "a.b is False; expected a number"),
        ("table", [1], r"a.b is \[1\]; expected a table"),
    ],
)
def test_a_value_of_another_type_is_named_with_its_field(kind: str, value: object, said: str):
    with pytest.raises(PinError, match=rf"somewhere/m\.dvc: {said}" if said.startswith("a.b") else said):
        getattr(Field(ORIGIN, "a.b", value), kind)()


def test_what_is_absent_is_no_fault():
    field = Field(ORIGIN, "a", {})["b"]
    assert (field.text(), field.texts(), field.whole(), field.table()) == ("", (), None, {})


def test_a_name_of_a_field_is_a_text_too():
    with pytest.raises(PinError, match="a name in the whole is 5"):
        list(Field(ORIGIN, "", {5: 1}).fields())


def test_a_message_never_shows_all_of_a_value():
    cycle: list[object] = []
    cycle.append(cycle)
    values = [nested(7), cycle, "x" * 10**6, 1 << 10**6, {i: nested(7) for i in range(99)}, torch.zeros(3)]
    for value in values:
        assert len(shown(value)) < 301
    assert shown(torch.zeros(3)) == "a Tensor"
    assert shown({"a": [1, 2.5, None, "b"]}) == repr({"a": [1, 2.5, None, "b"]})


def test_what_is_shared_counts_as_often_as_it_is_named():
    cycle: dict[str, object] = {}
    cycle["a"] = [cycle]
    assert "counted as often" in find_excess(nested(7))
    assert "counted as often" in find_excess({"a": [[0] * 500_000] * 500_000})
    assert "deep" in find_excess(cycle)
    assert find_excess({"a": nested(4), "b": torch.zeros(3)}) == ""


def test_json_and_yaml_agree_on_what_both_can_say():
    document = {"a": [1, 2.5, "x", None, True], "b": {"c": "ü"}}
    text = json.dumps(document).encode()
    assert parse_json(text, ORIGIN).value == parse_yaml(text, ORIGIN).value == document
