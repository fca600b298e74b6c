"""The encoder as a file for other runtimes: from the filter bank to the patch embeddings of one layer."""

from __future__ import annotations

import json
import logging
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from beats_trainer.model import BEATs

Target = Literal["onnx", "openvino"]
SUFFIXES: dict[str, Target] = {".onnx": "onnx", ".xml": "openvino"}
KEY = "beats"  # of the description that goes into the file
OPSET = 20
_SAMPLE_FRAMES = 64  # of the batch that is traced; any number of patches can be run later


class OneLayer(nn.Module):
    """The part of an encoder that is exported: documented operators only, computing stops at the layer."""

    def __init__(self, model: BEATs, layer: int) -> None:
        super().__init__()
        self.model, self.layer = model, layer

    def forward(self, energies: Tensor) -> Tensor:
        """`(batch, frames, 128)` -> `(batch, patches, dim)`."""
        return self.model.plain(energies, [self.layer])[0]


def export(model: BEATs, path: str | Path, layer: int = -1) -> Path:
    """Write an encoder for ONNX Runtime (`.onnx`) or OpenVINO (`.xml`, its weights beside it in `.bin`).

    Batch and length are free when it is run. On a CPU its patch embeddings equal ours to 2e-5 in float32.

    Args:
        model: On the CPU, in fp32.
        path: Where to; the suffix says for which runtime.
        layer: Which layer the file gives.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        message = f"{path} says no runtime; expected a name that ends in {' or '.join(SUFFIXES)}."
        raise ValueError(message)
    number = model.layer_index(layer)
    path.parent.mkdir(parents=True, exist_ok=True)
    if SUFFIXES[path.suffix] == "onnx":
        _write_onnx(model, path, number)
    else:
        _write_openvino(model, path, number)
    return path


def requires(module: str, extra: str) -> Any:
    """Import what an extra brings, or say how to install it."""
    try:
        return import_module(module)
    except ImportError as error:
        message = f'{module} is not installed. Run: pip install "beats-trainer[{extra}]"'
        raise ImportError(message) from error


def _write_onnx(model: BEATs, path: Path, layer: int) -> None:
    requires("onnxscript", "onnx")
    dim = torch.export.Dim
    shapes = {"energies": {0: dim("batch", max=2**16), 1: 16 * dim("columns", max=2**16)}}
    with torch.no_grad(), _quiet():
        program = torch.onnx.export(
            OneLayer(model, layer).eval(),
            (torch.zeros(2, _SAMPLE_FRAMES, 128),),
            dynamo=True,
            dynamic_shapes=shapes,
            input_names=["energies"],
            output_names=["patches"],
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None  # noqa: S101 - so it is with dynamo
    program.model.metadata_props[KEY] = _description(model, layer)
    program.save(path)


def _write_openvino(model: BEATs, path: Path, layer: int) -> None:
    openvino = requires("openvino", "openvino")
    with tempfile.TemporaryDirectory() as folder:
        onnx = Path(folder, "encoder.onnx")
        _write_onnx(model, onnx, layer)
        converted = openvino.Core().read_model(onnx)
        converted.set_rt_info(_description(model, layer), KEY)
        openvino.save_model(converted, path, compress_to_fp16=False)


def _description(model: BEATs, layer: int) -> str:
    return json.dumps({"layer": layer, "config": asdict(model.config)})


@contextmanager
def _quiet() -> Iterator[None]:
    """Torch's exporter warns of its own deprecations and of packages that nobody needs here."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
