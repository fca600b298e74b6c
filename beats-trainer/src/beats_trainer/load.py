"""A name or a path in, a ready model out."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import torch

from beats_trainer.checkpoint.build import build, pick_device
from beats_trainer.checkpoint.read import read_checkpoint
from beats_trainer.encoder.fast.kernels import bfloat16_pays
from beats_trainer.encoder.model import BEATs, Precision
from beats_trainer.encoder.self_check import check_encoder
from beats_trainer.pins.pin import WEIGHTS
from beats_trainer.pins.registry import DEFAULT_CHECKPOINT
from beats_trainer.startup import paused

if TYPE_CHECKING:
    from os import PathLike

logger = logging.getLogger(__name__)


def load_model(
    name_or_path: str | PathLike[str] = DEFAULT_CHECKPOINT,
    *,
    device: str | torch.device | None = None,
    precision: Precision = "fp32",
    trust: Literal["pinned", "hub"] = "hub",
    allow_noncommercial: bool = False,
) -> BEATs:
    """Load a checkpoint: fetched and verified if it is a name, read where it lies if it is a path.

    Args:
        name_or_path: A name from `list_checkpoints()`, `OWNER/REPO[@REVISION]` on the Hub, or a path.
        device: Where to put it; "auto" or nothing takes a GPU if there is one.
        precision: "fp32" is exact. "bf16" multiplies in bfloat16 while inferring: see `BEATs.precision`.
        trust: "hub" takes the Hub's word for files that no pin names; "pinned" refuses these.
        allow_noncommercial: Accepts a licence that forbids commercial use.

    Raises:
        ValueError: there is no such device here, or no such precision.
        CheckpointError: the file does not hold together, or the encoder made of it does not pass its check:
            what it makes of a short noise is not finite, the same everywhere, or not what its pin records.
    """
    known_precision(precision)
    chosen = pick_device(device)  # before hundreds of megabytes are fetched for a device that is not there
    found = locate(name_or_path, trust=trust, allow_noncommercial=allow_noncommercial)
    return load_found(found, device=chosen, precision=precision)


def load_found(
    found: Found, *, device: str | torch.device | None = None, precision: Precision = "fp32"
) -> BEATs:
    """Load a checkpoint that is here; see `load_model`."""
    known_precision(precision)
    with paused():
        model = build(read_checkpoint(found.path), device)
        model.precision = precision
        check_encoder(model, found.golden)
    if precision == "bf16" and model.device.type == "cpu" and not bfloat16_pays():
        logger.warning(
            "bf16 is slower than fp32 on this processor, which has no instructions for it, and less exact: "
            "leave the precision out, or take a GPU"
        )
    return model


def known_precision(precision: str) -> None:
    """Refuse a precision that there is not."""
    if precision not in get_args(Precision):
        message = f"There is no precision {precision!r}; there are {', '.join(get_args(Precision))}."
        raise ValueError(message)


@dataclass(frozen=True)
class Found:
    """The local file of a checkpoint, and what its pin says: what it should answer, and the sha256 if known.

    A sha256 that stands here is that of the file: it was compared when the file was found.
    """

    path: Path
    golden: tuple[float, ...] = ()
    sha256: str = ""


def locate(
    name_or_path: str | PathLike[str],
    *,
    trust: Literal["pinned", "hub"] = "hub",
    allow_noncommercial: bool = False,
) -> Found:
    """The local file of a checkpoint, fetched and verified if it has a name, with what its pin says of it."""
    if is_path(name_or_path):
        return Found(Path(name_or_path).expanduser())
    from beats_trainer.hub.fetch import fetch_checkpoint, trusted_pin

    pin = trusted_pin(str(name_or_path), trust)
    path = fetch_checkpoint(pin, trust=trust, allow_noncommercial=allow_noncommercial)
    return Found(path, pin.golden, pin.digests.get("sha256", ""))


def is_path(name_or_path: str | PathLike[str]) -> bool:
    """Whether this is written as a path: a `Path`, `./`, more than one separator, or a suffix of weights."""
    if not isinstance(name_or_path, str):
        return True
    if name_or_path.startswith("hf://"):
        return False
    if name_or_path.endswith(WEIGHTS) or name_or_path.startswith((".", "/", "~")) or "\\" in name_or_path:
        return True
    return name_or_path.partition("@")[0].count("/") > 1  # OWNER/REPO@REVISION is a name on the Hub
