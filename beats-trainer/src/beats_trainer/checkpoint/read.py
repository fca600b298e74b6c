"""A checkpoint file of any layout of the family in, config and weights out: safely and strictly."""

from __future__ import annotations

import pickle
import re
import struct
import warnings
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, load_file
from torch import Tensor

from beats_trainer.checkpoint.container import Kind, kind_of, refuse_unsafe
from beats_trainer.checkpoint.content import parse_content, parse_header
from beats_trainer.checkpoint.heads import read_heads
from beats_trainer.checkpoint.layouts import TABLE, Layout, NoEncoderError, arrange_tensors
from beats_trainer.checkpoint.sizes import expected_shapes, infer_config
from beats_trainer.checkpoint.snapshot import open_snapshot
from beats_trainer.encoder.config import BEATsConfig
from beats_trainer.encoder.description import KEY
from beats_trainer.encoder.fast.seal import vouch_for
from beats_trainer.encoder.heads import Head
from beats_trainer.errors import CheckpointError

LONGEST_NAME = 100  # letters of a tensor's name in a message
# What PyTorch and safetensors raise for damaged files: there is no common base. Caught round their calls
# alone, for round our own these types would be faults of ours.
_UNREADABLE = (
    pickle.UnpicklingError,
    RuntimeError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    LookupError,
    ArithmeticError,
    EOFError,
    MemoryError,
    struct.error,
    SafetensorError,
    zipfile.BadZipFile,
)


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds: the config, the encoder's weights under Microsoft's names, and any heads."""

    path: Path
    config: BEATsConfig
    weights: dict[str, Tensor]
    heads: dict[str, Head] = field(default_factory=dict)


@torch.inference_mode(mode=False)  # weights that were read while inferring could never be trained
def read_checkpoint(path: str | Path, *, config_path: str | Path | None = None) -> Checkpoint:
    """Read a checkpoint; the weights stay memory-mapped, on Linux, from a copy that no later save reaches.

    Args:
        path: The file.
        config_path: ESPnet's `config.yaml` or avex's `label_map.json`, when it does not lie beside the file.

    Raises:
        FileNotFoundError: there is no such file.
        CheckpointError: it is no checkpoint, would run code, or its tensors are not exactly those needed.
    """
    path = Path(path)
    layout = _layout(path)
    _refuse_excess(path, layout)
    config, expected = _config(path, layout)
    weights = _share_table(path, layout.weights)
    vouch_for(weights.values())  # mapped from a copy of our own, or read
    _refuse_mismatch(path, weights, layout.extra, expected)
    heads = read_heads(path, layout, config.encoder_embed_dim, config_path)
    return Checkpoint(path, config, {k: v.float() for k, v in weights.items()}, heads)


def _layout(path: Path) -> Layout:
    kind = kind_of(path)
    try:
        refuse_unsafe(path, kind)
    except (ValueError, zipfile.BadZipFile) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(_broken(path, error)) from error
    content = parse_content(path, _content(path, kind))
    try:
        return arrange_tensors(content)
    except NoEncoderError as error:
        message = (
            f"{path} is no checkpoint of the BEATs family: {error.args[0]}. "
            "It may be a tokenizer's, an optimizer's or another model's."
        )
        raise CheckpointError(message) from error


def _content(path: Path, kind: Kind) -> object:
    """What the file holds, with the config and the heads' labels that `beats publish` keeps in the header."""
    try:
        held, header = _held(path, kind)
    except _UNREADABLE as error:
        raise CheckpointError(_unsafe(path, error) or _broken(path, error)) from error
    return {"model": held, **parse_header(path, header)} if header else held


def _held(path: Path, kind: Kind) -> tuple[object, str]:
    """The content, mapped where that keeps it as it is, else read; and our part of a header, if any."""
    if kind is Kind.PICKLE:
        return _unpickled(path, mapped=False), ""
    with open_snapshot(path) as taken:
        if kind is Kind.ZIP:
            return _unpickled(taken.path, mapped=taken.is_own), ""
        with safe_open(taken.path, framework="pt") as file:
            header = (file.metadata() or {}).get(KEY, "")
        tensors = load_file(taken.path) if taken.is_own else load(taken.path.read_bytes())
        return dict(sorted(tensors.items())), header  # from bytes they come in any order, and heads have one


def _unpickled(path: Path, *, mapped: bool) -> object:
    with warnings.catch_warnings(), path.open("rb") as file:
        warnings.simplefilter("ignore")  # what is wrong with the file is raised, not warned of
        source = path if mapped else file  # of a path, torch would go by the suffix
        return torch.load(source, map_location="cpu", weights_only=True, mmap=mapped)


def _unsafe(path: Path, error: Exception) -> str:
    """What to say of a pickle that asks for more than tensors; nothing if this is not the trouble."""
    if not isinstance(error, pickle.UnpicklingError):
        return ""
    found = re.search(r"GLOBAL ([\w.]{1,100})", str(error))
    asked = f"to call {found[1]}" if found else "instructions that plain tensors do not need"
    return (
        f"{path} is refused: reading it takes {asked}, and a checkpoint is tensors and plain values alone. "
        "Nothing was run. If you trust its author, ask for a file without other Python objects, or for "
        "safetensors."
    )


def _broken(path: Path, error: Exception) -> str:
    reason = " ".join(str(error).split()).split(". ")[0][:200]
    return (
        f"{path} cannot be read: {reason}. It may be cut short: it has {path.stat().st_size} bytes. "
        "Fetch it again, or compare its sha256."
    )


def _refuse_excess(path: Path, layout: Layout) -> None:
    """Tensors may share bytes, as the tables do; but not so that few bytes stand for many numbers."""
    heads = {f"{head}.{part}": value for head, parts in layout.heads.items() for part, value in parts.items()}
    for name, tensor in (layout.weights | heads).items():
        whole = tensor.layout == torch.strided and tensor.device.type == "cpu"
        if not (whole and tensor.is_floating_point()):
            message = (
                f"{path}: {name[:LONGEST_NAME]} holds no plain floating-point numbers ({tensor.dtype}, "
                f"{tensor.layout}). Nothing was loaded. Save the weights as float32."
            )
            raise CheckpointError(message)
    tables = {id(value) for name, value in layout.weights.items() if name.endswith(TABLE)}
    held = [value for value in (layout.weights | heads).values() if id(value) not in tables]
    claimed, there = sum(value.nbytes for value in held), path.stat().st_size
    if claimed > there or any(value.nbytes > there for value in layout.weights.values()):
        message = (
            f"{path} is refused: its tensors claim {claimed:,} bytes, and the file has {there:,}. "
            "Nothing was loaded. Save the weights each with numbers of its own."
        )
        raise CheckpointError(message)


def _config(path: Path, layout: Layout) -> tuple[BEATsConfig, dict[str, tuple[int, ...]]]:
    """The config, and name and shape of every tensor that it takes."""
    try:
        config = infer_config(layout.weights, layout.config)
        return config, expected_shapes(config)
    except KeyError as error:
        message = f"{path} does not fit a BEATs encoder; missing: {error.args[0]}. Nothing was loaded."
        raise CheckpointError(message) from error
    except ValueError as error:
        message = f"{path} contradicts itself: {error}. Nothing was loaded."
        raise CheckpointError(message) from error


def _share_table(path: Path, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """All layers share one table of relative biases; files hold it once a layer, or once."""
    tables = {name: value for name, value in weights.items() if name.endswith(TABLE)}
    first = next((value for name, value in tables.items() if ".layers.0." in name), None)
    others = {name for name in tables if ".layers.0." not in name}
    differ = [n for n in sorted(others) if first is not None and not torch.equal(tables[n], first)]
    if differ:
        message = (
            f"{path} holds different relative biases in different layers ({_some(differ, 3)}); "
            "in a BEATs encoder all layers share one. Nothing was loaded."
        )
        raise CheckpointError(message)
    return {name: value for name, value in weights.items() if name not in others}


def _refuse_mismatch(
    path: Path, weights: dict[str, Tensor], extra: list[str], expected: dict[str, tuple[int, ...]]
) -> None:
    shapes = {name: tuple(value.shape) for name, value in weights.items()}
    missing = sorted(expected.keys() - shapes.keys())
    unknown = sorted((shapes.keys() - expected.keys()) | set(extra))
    misshapen = [f"{n} {shapes[n][:9]} instead of {s}" for n, s in expected.items() if shapes.get(n, s) != s]
    kinds = {"missing": missing, "unknown": unknown, "misshapen": misshapen}
    found = [f"{kind}: {_some(names)}" for kind, names in kinds.items() if names]
    if found:
        message = (
            f"{path} does not fit a BEATs encoder; {'; '.join(found)}. Nothing was loaded and nothing was "
            "filled in. Look for the file that belongs to this model."
        )
        raise CheckpointError(message)


def _some(names: list[str], limit: int = 5) -> str:
    rest = len(names) - limit
    named = ", ".join(name[:LONGEST_NAME] for name in names[:limit])
    return named + (f" and {rest} more" if rest > 0 else "")
