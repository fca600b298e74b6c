"""What checkpoints say of themselves, and what lies beside them: never believed, never repeated."""

from __future__ import annotations

import json
import pickle
import time
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from beats_trainer.checkpoint.read import read_checkpoint
from beats_trainer.errors import CheckpointError
from golden_data import TINY
from safetensors.torch import load_file, save_file

MICROSOFT = "BEATs_iter3_plus_AS2M.pt"
ESPNET = "espnet_finetuned_valid.mAP.best.pth"
AVES = "esp-aves2-sl-beats-all.safetensors"


def content() -> dict:
    return torch.load(TINY / MICROSOFT, weights_only=True)


def nested(levels: int) -> object:
    value: object = "x"
    for _ in range(levels):
        value = [value] * 10
    return value


def cycle() -> list:
    value: list = []
    value.append(value)
    return value


def refused(path: Path, named: str) -> str:
    """The message of a file that is refused at once, shortly."""
    before = time.process_time()
    with pytest.raises(CheckpointError, match=named) as caught:
        read_checkpoint(path)
    assert time.process_time() - before < 5
    assert len(str(caught.value)) < 1500
    assert str(path.parent) in str(caught.value)
    return str(caught.value)


def saved(tmp_path: Path, whole: object) -> Path:
    torch.save(whole, tmp_path / "changed.pt")
    return tmp_path / "changed.pt"


@pytest.mark.parametrize("value", [nested(8), cycle()], ids=["shared", "cycle"])
@pytest.mark.parametrize("name", ["encoder_layers", "max_distance", "nobody_knows"])
def test_a_config_of_shared_lists_is_refused_with_the_name_of_its_field(
    tmp_path: Path, name: str, value: object
):
    whole = content()
    whole["cfg"] |= {name: value}
    refused(saved(tmp_path, whole), rf"changed\.pt: 'cfg', '{name}' holds (more than|lists within)")


@pytest.mark.parametrize("value", [nested(8), cycle()], ids=["shared", "cycle"])
@pytest.mark.parametrize("name", ["label_dict", "beats_heads", "optimizer"])
def test_so_is_anything_else_that_a_pickle_holds(tmp_path: Path, name: str, value: object):
    refused(saved(tmp_path, content() | {name: {0: value}}), f"'{name}', 0 holds ")


def test_a_value_of_no_use_is_shown_in_short(tmp_path: Path):
    whole = content()
    for name, value in (("encoder_layers", nested(4)), ("max_distance", "far" * 10**5), ("dropout", [1])):
        changed = whole | {"cfg": whole["cfg"] | {name: value}}
        assert len(refused(saved(tmp_path, changed), f"{name}: the config says ")) < 500


@pytest.mark.parametrize(
    ("labels", "named"),
    [
        ({0: ["a"]}, r"label_dict\[0\] is \['a'\]; expected a text"),
        ({"first": "a"}, r"an index in label_dict is 'first'; expected a whole number"),
        ({-1: "a"}, r"an index in label_dict is -1"),
        ({"1" * 5000: "a"}, r"an index in label_dict is '111"),
    ],
)
def test_labels_have_an_index_and_a_text(tmp_path: Path, labels: dict, named: str):
    refused(saved(tmp_path, content() | {"label_dict": labels}), named)


@pytest.mark.parametrize(
    ("heads", "named"),
    [
        (5, "heads is 5; expected a list"),
        ([5], r"beats_heads\[0\] is 5; expected a table"),
        ([{"name": []}], r"beats_heads\[0\]\.name is \[\]; expected a text"),
        ([{"name": "a", "labels": "abc"}], r"beats_heads\[0\]\.labels is 'abc'; expected a list"),
        ([{"name": "a", "activation": "none"}], r"activation is 'none'; expected sigmoid or softmax"),
    ],
)
def test_words_on_heads_have_their_types(tmp_path: Path, heads: object, named: str):
    refused(saved(tmp_path, content() | {"beats_heads": heads}), named)


def test_tensors_have_names(tmp_path: Path):
    whole = content()
    whole["model"] = dict(enumerate(whole["model"].values()))
    refused(saved(tmp_path, whole), "a tensor's name is 0; expected a text")


def test_names_as_long_as_a_file_are_cut_in_messages(tmp_path: Path):
    whole = content()
    whole["model"]["x" * 10**5] = torch.zeros(1)
    refused(saved(tmp_path, whole), "unknown: xxx")


class Shadowed:
    """Unpickled, it is a table whose methods are numbers."""

    def __init__(self, table: dict) -> None:
        self.table = table

    def __reduce__(self) -> tuple:
        methods = dict.fromkeys(("items", "keys", "values", "get", "copy", "__iter__"), 5)
        return OrderedDict, (), methods, None, iter(self.table.items())


def test_attributes_in_the_place_of_methods_change_nothing(tmp_path: Path):
    path = saved(tmp_path, {name: Shadowed(content()[name]) for name in ("cfg", "model")})
    assert read_checkpoint(path).config == read_checkpoint(TINY / MICROSOFT).config


def test_a_name_of_tuples_that_are_shared_is_refused_before_it_is_hashed(tmp_path: Path):
    value: tuple = ("x",)
    for _ in range(28):
        value = (value,) * 10
    data = b"\x80\x02}" + pickle.dumps(value, 2)[2:-1] + b"K\x01s."
    path = tmp_path / "tuples.pt"
    with zipfile.ZipFile(path, "w") as file:
        for name, held in {"data.pkl": data, "version": b"3\n", "byteorder": b"little"}.items():
            file.writestr(f"archive/{name}", held)
    refused(path, "more than 100,000,000 values in tuples of tuples")


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("patch_embedding.weight", (3,)),
        ("encoder.pos_conv.0.weight_v", (64, 0, 16)),
        ("encoder.pos_conv.0.weight_v", (64, 16)),
        ("encoder.layers.0.self_attn.relative_attention_bias.weight", (320, 0)),
        ("post_extract_proj.weight", ()),
    ],
)
def test_a_tensor_that_sizes_are_read_from_has_its_dimensions(
    tmp_path: Path, name: str, shape: tuple[int, ...]
):
    whole = content()
    whole["model"][name] = torch.zeros(shape)
    refused(saved(tmp_path, whole), f"contradicts itself: {name} has the shape ")


@pytest.mark.parametrize("layer", ["9" * 50, "x", "-1", "1000"])
def test_a_layer_has_a_number(tmp_path: Path, layer: str):
    whole = content()
    whole["model"][f"encoder.layers.{layer}.fc1.bias"] = torch.zeros(1)
    refused(saved(tmp_path, whole), "it names a layer")


@pytest.mark.parametrize("distance", [-1, 0, 80, 80.0, float("nan"), 1e300, True])
def test_a_distance_that_cannot_be_computed_with_is_refused(tmp_path: Path, distance: float):
    whole = content()
    whole["cfg"]["max_distance"] = distance
    refused(saved(tmp_path, whole), "contradicts itself")


@pytest.mark.parametrize("shape", [(), (3,), (3, 64, 1)])
def test_a_head_has_its_shape(tmp_path: Path, shape: tuple[int, ...]):
    whole = torch.load(TINY / "naturebeats.pt", weights_only=True)
    whole["predictor.weight"] = torch.zeros(shape)
    refused(saved(tmp_path, whole), "the head 'predictor' has ")


@pytest.mark.parametrize(
    ("beats", "named"),
    [
        ("[]", r"the header of .*the whole is \[\]; expected a table"),
        ("[" * 100_000, "nested without end"),
        ('{"config": {"max_distance": NaN}}', "NaN is no number of JSON"),
        ('{"heads": {"a": 1}}', "heads is"),
        ("sixteen", "expected JSON"),
    ],
)
def test_a_header_is_read_as_any_other_text(tmp_path: Path, beats: str, named: str):
    path = tmp_path / "headed.safetensors"
    tensors = {name: value.clone() for name, value in content()["model"].items()}
    save_file(tensors, path, metadata={"beats": beats})
    refused(path, named)


def described(tmp_path: Path, file: str, name: str, text: str) -> Path:
    path = tmp_path / file
    path.write_bytes((TINY / file).read_bytes())
    (tmp_path / name).write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[1]", r"config\.yaml: the whole is \[1\]; expected a table"),
        ("model_conf: 5", r"config\.yaml: model_conf is 5; expected a table"),
        ("model_conf: {classification_type: [a]}", r"model_conf\.classification_type is \['a'\]"),
        ("token_list: 5", "token_list is 5; expected a list"),
        ("token_list: [a, 5]", r"token_list\[1\] is 5; expected a text"),
        ("token_list: data/token_list.txt", "token_list is 'data/token_list.txt'; expected a list"),
        ("a: &a [*a]", "names nothing that ends before it"),
        ("{", "expected plain YAML"),
        ("a: " + "x" * 400_000, "more than 262,144 bytes"),
    ],
)
def test_a_config_yaml_that_is_none_is_named_with_its_field(tmp_path: Path, text: str, named: str):
    refused(described(tmp_path, ESPNET, "config.yaml", text), f"cannot read the description .*{named}")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[1]", r"label_map\.json: the whole is \[1\]; expected a table"),
        ('{"a": 1.5}', r"label_map\.json: a is 1\.5; expected a whole number"),
        ('{"a": true, "b": 1}', "a is True"),
        ('{"a": "b"}', "an index in the whole is 'a'"),
        ('{"0": "b", "1": 7}', r"\[1\] is 7; expected a text"),
        ("[" * 100_000, "nested without end"),
        ("<html>", "expected JSON"),
    ],
)
def test_a_label_map_that_is_none_is_named_with_its_field(tmp_path: Path, text: str, named: str):
    refused(described(tmp_path, AVES, "label_map.json", text), f"cannot read the description .*{named}")


def test_a_label_map_may_be_large_and_either_way_round(tmp_path: Path):
    count = len(load_file(TINY / AVES)["classifier.bias"])
    for label_map in (
        {f"species {i}": i for i in range(count)},
        {str(i): f"species {i}" for i in range(count)},
    ):
        path = described(tmp_path, AVES, "label_map.json", json.dumps(label_map))
        assert read_checkpoint(path).heads["classifier"].labels[7] == "species 7"


def test_a_config_of_something_else_says_nothing_of_the_heads(tmp_path: Path):
    path = described(tmp_path, ESPNET, "config.yaml", "optim: adam\nwhen: 2024-02-30\n")
    assert read_checkpoint(path).heads["decoder.linear_out"].labels is None
