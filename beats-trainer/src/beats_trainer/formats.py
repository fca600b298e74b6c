"""The layouts in which the family's weights are stored -> one layout. Pure: names and tensors in, names out.

Microsoft       {"cfg", "model"}, fine-tuned also "label_dict" and predictor.*
OpenBEATs       the same, with *_pad.* convolutions of ones
ESPnet          flat, encoder.<name>; a head under decoder.linear_out.*; config.yaml beside it
AVES2 (avex)    flat, backbone.<name>, weight norm as parametrizations; classifier.*; label_map.json beside it
NatureLM        flat, bare names, or inside {"model_state_dict"}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from beats_trainer.description import DESCRIPTION, as_text, read_description

ANCHOR = "patch_embedding.weight"  # every file of the family has it once: what stands before it is the prefix
TABLE = "relative_attention_bias.weight"
HEADS_SAID = "beats_heads"  # no file of others has it
_WRAPPERS = ("model", "model_state_dict", "state_dict")
_HEADS = ("predictor", "classifier", "decoder.linear_out", "head", "output_layer")
_IGNORED = ("patch_embedding_pad.weight", "raw2fbank_pad.weight", "fbank.window", "fbank.mel_fb")
_RENAMED = {
    "parametrizations.weight.original0": "weight_g",
    "parametrizations.weight.original1": "weight_v",
}


@dataclass
class Layout:
    """What a file holds, under Microsoft's names; `extra` are tensors that nobody knows."""

    config: dict[str, Any] | None
    labels: dict[int, str] | None
    weights: dict[str, Tensor] = field(default_factory=dict)
    heads: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    extra: list[str] = field(default_factory=list)
    said_of_heads: dict[str, dict[str, Any]] = field(default_factory=dict)  # in order, from `beats publish`


def arrange(content: Mapping[str, Any]) -> Layout:
    """Tell the layout by what is there, and rename.

    Raises:
        LookupError: there is no patch embedding, so this is no file of the family.
    """
    tensors = {k: v for k, v in _state(content).items() if isinstance(v, Tensor)}
    prefix = _prefix(tensors)
    layout = Layout(_mapping(content.get("cfg")), _labels(content.get("label_dict")))
    for name, tensor in tensors.items():
        _place(layout, name, prefix, tensor)
    layout.said_of_heads |= {head["name"]: head for head in content.get(HEADS_SAID, ())}
    layout.heads = {name: layout.heads[name] for name in _in_order(layout)}
    return layout


def _in_order(layout: Layout) -> list[str]:
    """As they were before safetensors sorted them: the last head is the one that is asked."""
    said = [name for name in layout.said_of_heads if name in layout.heads]
    return said + [name for name in layout.heads if name not in said]


def _state(content: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = [content[k] for k in _WRAPPERS if isinstance(content.get(k), Mapping)]
    return inner[0] if inner else content


def _prefix(tensors: Mapping[str, Tensor]) -> str:
    found = [name.removesuffix(ANCHOR) for name in tensors if name == ANCHOR or name.endswith(f".{ANCHOR}")]
    if len(found) == 1:
        return found[0]
    if found:
        message = f"{len(found)} encoders, under {', '.join(found)}"
        raise LookupError(message)
    message = f"no {ANCHOR} among {len(tensors)} tensors ({', '.join(list(tensors)[:3]) or 'none'}, ...)"
    raise LookupError(message)


def _place(layout: Layout, name: str, prefix: str, tensor: Tensor) -> None:
    inside = name.startswith(prefix)
    bare = name.removeprefix(prefix) if inside else name
    stem, _, last = bare.rpartition(".")
    if inside and bare in _IGNORED:
        return
    stem = _renamed_head(stem)
    if inside and bare == DESCRIPTION:
        _describe(layout, as_text(tensor))
    elif stem in _HEADS and last in ("weight", "bias"):
        layout.heads.setdefault(stem, {})[last] = tensor
    elif inside:
        layout.weights[_renamed(bare)] = tensor
    else:
        layout.extra.append(name)


def _describe(layout: Layout, text: str) -> None:
    """Take what the model said of itself when it was saved; a config beside it is the file's own word."""
    said = read_description(text)
    layout.config = layout.config or _mapping(said.get("config"))
    layout.said_of_heads = {head["name"]: head for head in said.get("heads") or ()}


def _renamed_head(stem: str) -> str:
    """Under its own name, where a model's own state_dict keeps it among its heads."""
    return stem.removeprefix("heads.").replace("/", ".")


def _renamed(name: str) -> str:
    for old, new in _RENAMED.items():
        name = name.replace(old, new)
    return name


def _mapping(value: Any) -> dict[str, Any] | None:
    return dict(value) if isinstance(value, Mapping) else None


def _labels(value: Any) -> dict[int, str] | None:
    return {int(k): str(v) for k, v in value.items()} if isinstance(value, Mapping) else None
