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

from torch import Tensor

from beats_trainer.checkpoint.content import Content, Words

ANCHOR = "patch_embedding.weight"  # every file of the family has it once: what stands before it is the prefix
TABLE = "relative_attention_bias.weight"
_HEADS = ("predictor", "classifier", "decoder.linear_out", "head", "output_layer")
_IGNORED = ("patch_embedding_pad.weight", "raw2fbank_pad.weight", "fbank.window", "fbank.mel_fb")
_RENAMED = {
    "parametrizations.weight.original0": "weight_g",
    "parametrizations.weight.original1": "weight_v",
}


@dataclass
class Layout:
    """What a file holds, under Microsoft's names; `extra` are tensors that nobody knows."""

    config: Mapping[str, object] | None
    labels: dict[int, str] | None
    weights: dict[str, Tensor] = field(default_factory=dict)
    heads: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    extra: list[str] = field(default_factory=list)
    words: Mapping[str, Words] = field(default_factory=dict)  # in order, from `beats publish`


class NoEncoderError(LookupError):
    """There is not the one patch embedding that every file of the family has."""


def arrange_tensors(content: Content) -> Layout:
    """Tell the layout by what is there, and rename.

    Raises:
        NoEncoderError: this is no file of the family.
    """
    prefix = _prefix(content.tensors)
    layout = Layout(content.config, content.labels, words=content.words)
    for name, tensor in content.tensors.items():
        _place(layout, name, prefix, tensor)
    layout.heads = {name: layout.heads[name] for name in _in_order(layout)}
    return layout


def _in_order(layout: Layout) -> list[str]:
    """As they were before safetensors sorted them: the last head is the one that is asked."""
    said = [name for name in layout.words if name in layout.heads]
    return said + [name for name in layout.heads if name not in said]


def _prefix(tensors: Mapping[str, Tensor]) -> str:
    found = [name.removesuffix(ANCHOR) for name in tensors if name == ANCHOR or name.endswith(f".{ANCHOR}")]
    if len(found) == 1:
        return found[0]
    if found:
        message = f"{len(found)} encoders, under {_some(found)}"
        raise NoEncoderError(message)
    message = f"no {ANCHOR} among {len(tensors)} tensors ({_some(list(tensors)) or 'none'}, ...)"
    raise NoEncoderError(message)


def _place(layout: Layout, name: str, prefix: str, tensor: Tensor) -> None:
    inside = name.startswith(prefix)
    bare = name.removeprefix(prefix) if inside else name
    stem, _, last = bare.rpartition(".")
    if inside and bare in _IGNORED:
        return
    stem = _renamed_head(stem)
    if stem in _HEADS and last in ("weight", "bias"):
        layout.heads.setdefault(stem, {})[last] = tensor
    elif inside:
        layout.weights[_renamed(bare)] = tensor
    else:
        layout.extra.append(name)


def _renamed_head(stem: str) -> str:
    """Under its own name, where a model's own state_dict keeps it among its heads."""
    return stem.removeprefix("heads.").replace("/", ".")


def _renamed(name: str) -> str:
    for old, new in _RENAMED.items():
        name = name.replace(old, new)
    return name


def _some(names: list[str]) -> str:
    return ", ".join(name[:100] for name in names[:3])
