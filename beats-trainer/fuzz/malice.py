"""Files that somebody made on purpose: to run code, to fill the memory, to take for ever."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import subprocess
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from safetensors.torch import save

Bomb = tuple[str, bytes]
CANARY = "canary"


class Call:
    """Unpickled, it calls."""

    def __init__(self, function: Callable[..., Any], *arguments: object) -> None:
        self._what = function, arguments
        self.rest: tuple[object, ...] = ()  # what is set on the result, and put into it

    def __reduce__(self) -> tuple[object, ...]:
        return (*self._what, *self.rest)


CALLS: tuple[tuple[Callable[..., Any], tuple[object, ...]], ...] = (
    (os.system, (f"touch {CANARY}",)),
    (subprocess.check_output, (["touch", CANARY],)),
    (os.mkdir, (CANARY,)),
    (eval, (f"open({CANARY!r}, 'w')",)),
    (exec, (f"open({CANARY!r}, 'w')",)),
    (open, (CANARY, "w")),
    (__import__, ("antigravity",)),
    (getattr, ("", "join")),
    (torch.load, (CANARY,)),
    (torch.hub.load, ("nobody/nothing", "nothing")),
    (bytearray, (8 << 30,)),
    (torch.zeros, (1 << 33,)),
)


class _Numbered(type):
    """Stands for `str` while PyTorch writes its old format, which names and sorts storages by address.

    An address differs from process to process; in its place goes a number by order of appearance.
    """

    def __init__(cls, *_: object) -> None:
        cls.seen: dict[int, str] = {}

    def __call__(cls, value: object) -> str:
        if not isinstance(value, int):
            return str(value)
        return cls.seen.setdefault(value, f"{len(cls.seen):015}")

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, str)


def saved(content: object, *, zipped: bool = True) -> bytes:
    """What `torch.save` writes."""
    stream = io.BytesIO()
    numbered = _Numbered("numbered", (), {})
    with mock.patch.object(torch.serialization, "str", numbered, create=True):
        torch.save(content, stream, _use_new_zipfile_serialization=zipped)
    return stream.getvalue()


def archive(entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A zip file."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name, data in entries.items():
            file.writestr(zipfile.ZipInfo(name), data, compression)  # dated 1980: a seed gives the same bytes
    return stream.getvalue()


def every(content: dict[str, Any], chance: random.Random) -> Iterator[Bomb]:
    """Each kind, with what may vary drawn anew."""
    yield from _pickles(content, chance)
    yield from _archives(content, chance)
    yield from _headers(content, chance)
    yield from _contents(content, chance)
    yield from _shared(content, chance)
    yield from _impostors(chance)


def _pickles(content: dict[str, Any], chance: random.Random) -> Iterator[Bomb]:
    protocol = chance.randrange(2, 6)
    for function, arguments in CALLS:
        call, name = Call(function, *arguments), "pickle with a call"
        model = OrderedDict(content["model"])
        model[chance.choice(list(model))] = call
        yield name, saved(content | {"model": model})
        yield f"{name}, old format", saved(content | {"model": model}, zipped=False)
        yield f"{name}, bare", pickle.dumps(call, protocol=protocol)
        yield f"{name}, in a hand-made archive", archive(_bare(pickle.dumps(call, protocol=2)))
    yield "pickle of nested tuples", pickle.dumps(_deep(chance.randrange(100, 400)), protocol=2)
    yield "pickle that copies for ever", archive(_bare(_copies(chance.randrange(1000, 100_000))))
    yield "pickle that merges for ever", archive(_bare(_merges(chance.randrange(1000, 100_000))))
    yield "pickle of many bytes", archive(_bare(b"\x80\x02" + b"N0" * (16 << 20) + b"N."))


def _bare(data: bytes) -> dict[str, bytes]:
    return {"archive/data.pkl": data, "archive/version": b"3\n", "archive/byteorder": b"little"}


def _deep(depth: int) -> tuple[Any, ...]:
    nested: tuple[Any, ...] = ()
    for _ in range(depth):
        nested = (nested,)
    return nested


_LARGE = b"](" + b"".join(b"X\x05\x00\x00\x00%05dK\x01\x86" % i for i in range(20_000)) + b"e"


def _copies(times: int) -> bytes:
    """One list of pairs, and a dictionary made of it again and again."""
    head = b"\x80\x02" + _LARGE + b"\x85q\x01ccollections\nOrderedDict\nq\x00"
    return head + b"h\x00h\x01R" * times + b"."


def _merges(times: int) -> bytes:
    """One dictionary, merged into another again and again."""
    large = b"}(" + b"".join(b"X\x05\x00\x00\x00%05dK\x01" % i for i in range(20_000)) + b"u"
    return b"\x80\x02" + large + b"q\x01ccollections\nOrderedDict\n)R" + b"h\x01b" * times + b"."


def _archives(content: dict[str, Any], chance: random.Random) -> Iterator[Bomb]:
    whole = saved(content)
    entries = _entries(whole)
    yield "TorchScript archive", _script()
    yield "TorchScript among tensors", archive(entries | {"archive/constants.pkl": b"\x80\x02)."})
    yield "zip in a zip", archive({"archive/data.pkl": whole})
    yield "zip of a zip", archive({"BEATs.pt": whole})
    yield "zip with a zip behind", whole + whole[chance.randrange(100) :]
    yield "compressed archive", archive(entries, zipfile.ZIP_DEFLATED)
    zeros = bytes(chance.choice([1 << 26, 1 << 28]))
    bomb = archive(
        _bare(b"\x80\x02X" + len(zeros).to_bytes(4, "little") + zeros + b"."), zipfile.ZIP_DEFLATED
    )
    yield "zip bomb", bomb
    yield "zip bomb of a tensor", archive(entries | {"archive/data/0": zeros}, zipfile.ZIP_DEFLATED)
    yield "zip of many files", archive({f"archive/{i}": b"" for i in range(chance.randrange(20_000, 60_000))})
    yield "zip without a pickle", archive({"archive/version": b"3\n"})
    yield "zip with two pickles", archive(entries | {"other/data.pkl": b"\x80\x02}."})


def _entries(whole: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(whole)) as file:
        return {entry.filename: file.read(entry) for entry in file.infolist()}


def _script() -> bytes:
    stream = io.BytesIO()
    torch.manual_seed(0)
    with torch.jit.optimized_execution(False):
        torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), stream)
    return stream.getvalue()


def _headers(content: dict[str, Any], chance: random.Random) -> Iterator[Bomb]:
    whole = save({name: value.clone() for name, value in content["model"].items()})
    size = int.from_bytes(whole[:8], "little")
    header, body = json.loads(whole[8 : 8 + size]), whole[8 + size :]
    name = chance.choice(list(header))
    for shape in ([1 << 62, 4], [1 << 32, 1 << 32], [0, 1 << 62], [chance.randrange(1 << 40)]):
        yield "shape bomb", _headed(header | {name: header[name] | {"shape": shape}}, body)
    many = {f"x{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(600_000)}
    yield "header bomb of names", _headed(many, body)
    yield "header bomb of depth", _raw(b'{"a":' * 200_000 + b"1" + b"}" * 200_000, body)
    yield "header bomb of blanks", _raw(b"{" + b" " * (90 << 20) + b"}", body)
    yield "header longer than the file", (1 << 62).to_bytes(8, "little") + whole[8:]
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    layer = chance.choice([2000, 10**6, 10**12])
    yield "layer bomb", _headed(header | {f"encoder.layers.{layer}.fc1.bias": empty}, body)
    layers = {f"encoder.layers.{i}.fc1.bias": empty for i in range(40_000)}
    yield "layers bomb", _headed(header | layers, body)
    yield "overlapping tensors", _headed(dict.fromkeys(header, header[name]), body)


def _headed(header: dict[str, Any], body: bytes) -> bytes:
    return _raw(json.dumps(header).encode(), body)


def _raw(text: bytes, body: bytes) -> bytes:
    return len(text).to_bytes(8, "little") + text + body


def _contents(content: dict[str, Any], chance: random.Random) -> Iterator[Bomb]:
    model, cfg = content["model"], content["cfg"]
    name = chance.choice(list(model))
    for value in (10**9, -1, 0, "many", [1], None, float("nan"), {"a": 1}, torch.zeros(3)):
        key = chance.choice(["encoder_layers", "encoder_embed_dim", "encoder_attention_heads", "embed_dim"])
        yield "config that lies", saved(content | {"cfg": cfg | {key: value}})
    yield "config of a string", saved(content | {"cfg": cfg | {"max_distance": "far"}})
    yield (
        "tensor spread from one number",
        saved(_with(content, name, torch.zeros(1).expand(1 << 20, 1 << 20))),
    )
    half = {key: torch.zeros(1, dtype=torch.half).expand(1 << 28) for key in model}
    yield "halves spread from one number", saved(content | {"model": half})
    yield "names that are numbers", saved(content | {"model": dict(enumerate(model.values()))})
    yield "a number among the names", saved(content | {"model": {**model, 7: torch.zeros(1)}})
    labels = {"a": "b", **{str(i): "x" for i in range(9)}}
    yield "labels that are no numbers", saved(content | {"label_dict": labels})
    yield "whole numbers", saved(_with(content, name, model[name].to(torch.int32)))
    yield "complex numbers", saved(_with(content, name, model[name].to(torch.complex64)))
    yield "sparse numbers", saved(_with(content, name, model[name].to_sparse()))
    yield (
        "not finite",
        saved(_with(content, name, torch.full_like(model[name], chance.choice([torch.nan, torch.inf])))),
    )
    yield "no tensors", saved({"cfg": cfg, "model": {}})
    yield "a tensor alone", saved(torch.zeros(chance.randrange(1, 100)))
    yield "misshapen", saved(_with(content, name, torch.zeros(chance.randrange(1, 9), 3)))


def _shared(content: dict[str, Any], chance: random.Random) -> Iterator[Bomb]:
    """A few bytes that stand for very many values, wherever a value may be."""
    shared: object = "x"
    for _ in range(chance.randrange(8, 28)):
        shared = [shared] * chance.randrange(3, 10)
    cycle: dict[str, object] = {}
    cycle["a"] = [cycle]
    wide = [[0] * 1000] * 1000
    for what, value in (("shared lists", shared), ("a cycle", cycle), ("wide lists", [wide] * 1000)):
        key = chance.choice(["encoder_layers", "max_distance", "activation_fn", "deep_norm", "unknown"])
        yield f"{what} in the config", saved(content | {"cfg": content["cfg"] | {key: value}})
        yield f"{what} for labels", saved(content | {"label_dict": {0: value}})
        yield f"{what} for heads", saved(content | {"beats_heads": [{"name": "a", "labels": value}]})
        yield f"{what} in the name of a head", saved(content | {"beats_heads": [{"name": value}]})
        yield f"{what} among tensors", saved(_with(content, "unknown", value))
        yield f"{what} alone", saved(value)
        yield f"{what}, old format", saved(content | {"epoch": value}, zipped=False)
    yield (
        "shared tuples for a name",
        archive(_bare(_tuples(chance.randrange(8, 28), chance.randrange(3, 10)))),
    )
    methods = dict.fromkeys(("items", "keys", "values", "get", "copy", "__iter__", "__len__"), 5)
    for name in ("cfg", "model"):
        table = Call(OrderedDict)
        table.rest = methods, None, iter(list(content[name].items()))
        yield "attributes in the place of methods", saved(content | {name: table})
    for key in ("max_distance", "dropout", "fbank_std", "deep_norm", "num_buckets", "encoder_layerdrop"):
        for value in (-1, 0, 80, 1e300, float("inf"), True, "far", 10**20):
            yield "a number of no use", saved(content | {"cfg": content["cfg"] | {key: value}})
    for name in content["model"]:
        if chance.random() < 0.1:
            shape = chance.choice([(), (0,), (3,), (0, 3), (1, 1, 1, 1, 1), (2, 3, 4)])
            yield "another shape", saved(_with(content, name, torch.zeros(shape)))


def _tuples(levels: int, width: int) -> bytes:
    """A table whose one name is a tuple of tuples, to hash which walks through them all."""
    value: tuple[Any, ...] = ("x",)
    for _ in range(levels):
        value = (value,) * width
    return b"\x80\x02}" + pickle.dumps(value, 2)[2:-1] + b"K\x01s."


def _with(content: dict[str, Any], name: str, value: object) -> dict[str, Any]:
    return content | {"model": {**content["model"], name: value}}


def _impostors(chance: random.Random) -> Iterator[Bomb]:
    yield "HTML", b"<!DOCTYPE html><html><body>Sign in</body></html>" * chance.randrange(1, 99)
    yield "XML", b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>"
    yield "Git LFS pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:%064d\n" % 7
    yield "JSON", json.dumps({"error": "Repository not found"}).encode()
    yield "empty", b""
    yield "noise", chance.randbytes(chance.randrange(1, 5000))
    yield "zeros", bytes(chance.randrange(1, 100_000))
    yield "gzip", b"\x1f\x8b\x08" + chance.randbytes(1000)


def write_legacy(content: object, path: Path) -> Path:
    """A whole file in PyTorch's old format."""
    path.write_bytes(saved(content, zipped=False))
    return path
