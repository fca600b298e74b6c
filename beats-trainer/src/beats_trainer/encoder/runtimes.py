"""The encoder as a file for other runtimes: from the filter bank to the patch embeddings of one layer."""

from __future__ import annotations

import json
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from beats_trainer.encoder.config import BEATsConfig
from beats_trainer.encoder.description import KEY
from beats_trainer.encoder.fbank import fbank
from beats_trainer.encoder.model import BEATs
from beats_trainer.encoder.waveform import Short, as_batch
from beats_trainer.errors import CheckpointError
from beats_trainer.extras import needs
from beats_trainer.foreign.texts import Text, parse_json

Target = Literal["onnx", "openvino"]
SUFFIXES: dict[str, Target] = {".onnx": "onnx", ".xml": "openvino"}
OPSET = 20
_SAMPLE_FRAMES = 64  # of the batch that is traced; any number of patches can be run later

Backend = Literal["onnxruntime", "openvino"]

Array = npt.NDArray[np.float32]

Run = Callable[[Array], Array]


class OneLayer(nn.Module):
    """The part of an encoder that is exported: documented operators only, computing stops at the layer."""

    def __init__(self, model: BEATs, layer: int) -> None:
        super().__init__()
        self.model, self.layer = model, layer

    def forward(self, energies: Tensor) -> Tensor:
        """`(batch, frames, 128)` -> `(batch, patches, dim)`."""
        return self.model.plain(energies, [self.layer])[0]


def export_encoder(model: BEATs, path: str | Path, layer: int = -1) -> Path:
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


def _write_onnx(model: BEATs, path: Path, layer: int) -> None:
    needs("onnxscript", "onnx", "an export needs onnxscript")
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
    openvino = needs("openvino", "openvino", "an export needs OpenVINO")
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


# An exported encoder, run by ONNX Runtime or OpenVINO; it stands where a `BEATs` does when embedding.
class ExportedEncoder:
    """One layer of an encoder in another runtime, on the CPU.

    Args:
        path: What `export_encoder` wrote.
        backend: "onnxruntime" for `.onnx`; "openvino" for either.
        precision: "fp32", or "bf16", which OpenVINO alone offers.
    """

    device = torch.device("cpu")

    def __init__(self, path: str | Path, backend: Backend, precision: str = "fp32") -> None:
        self.path, self.backend = Path(path), backend
        self._refuse_unfit(precision)
        open_file = _onnxruntime if backend == "onnxruntime" else _openvino
        self._run, description = open_file(self.path, precision)
        if description is None:
            message = f"{path} does not say which encoder it holds. Write it with `beats export`."
            raise CheckpointError(message)
        self.config, self.layer = _described(self.path, description)

    @property
    def n_layers(self) -> int:
        """Number of transformer layers of the encoder that was exported."""
        return self.config.encoder_layers

    def layer_index(self, layer: int) -> int:
        """The layer as a number; only the one that was exported is there."""
        number = layer + self.n_layers + 1 if layer < 0 else layer
        if number != self.layer:
            message = (
                f"{self.path} gives layer {self.layer}, not {layer}. "
                f"Ask for layer={self.layer}, or export again with --layer {layer}."
            )
            raise ValueError(message)
        return number

    def hidden(
        self, waveform: Any, layers: Sequence[int] | None = None, *, short: Short = "error"
    ) -> list[Tensor]:
        """Patch embeddings `(batch, patches, dim)`, once for each time that the layer is asked for."""
        asked = [self.layer_index(i) for i in (range(self.n_layers + 1) if layers is None else layers)]
        batch = as_batch(waveform, short=short, patch=self.config.input_patch_size)
        energies = fbank(batch, self.config.fbank_mean, self.config.fbank_std)
        return [torch.from_numpy(self._run(energies.numpy()))] * len(asked)

    def _refuse_unfit(self, precision: str) -> None:
        openvino = self.backend == "openvino"
        if self.path.suffix not in SUFFIXES or (self.path.suffix == ".xml" and not openvino):
            message = (
                f"{self.path} is no file for {self.backend}. "
                f"Write one with: beats export NAME --to {'openvino' if openvino else 'onnx'}"
            )
            raise CheckpointError(message)
        if not self.path.is_file():
            message = f"There is no exported encoder at {self.path}. Write it with `beats export`."
            raise FileNotFoundError(message)
        if precision not in (("fp32", "bf16") if openvino else ("fp32",)):
            message = f"{self.backend} does not run in {precision!r}; use fp32, or bf16 with openvino."
            raise ValueError(message)


def _described(path: Path, description: str) -> tuple[BEATsConfig, int]:
    """Config and layer of the encoder, from what `export_encoder` wrote into the file."""
    origin = Text("the description in", str(path), "Write it anew with `beats export`.", CheckpointError)
    said = parse_json(description, origin)
    known = {field.name for field in fields(BEATsConfig)}
    numbers: dict[str, Any] = {name: one.real() for name, one in said["config"].fields() if name in known}
    layer = said["layer"].whole()
    if layer is None:
        said["layer"].refuse("the number of a layer")
    try:
        return BEATsConfig(**numbers), layer
    except ValueError as error:
        origin.refuse(f"config contradicts itself: {error}", "that of an encoder", error)


def _onnxruntime(path: Path, _: str) -> tuple[Run, str | None]:
    runtime = needs("onnxruntime", "onnx", f"{path} needs ONNX Runtime")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    description = session.get_modelmeta().custom_metadata_map.get(KEY)
    return lambda energies: session.run(None, {"energies": energies})[0], description


def _openvino(path: Path, precision: str) -> tuple[Run, str | None]:
    openvino = needs("openvino", "openvino", f"{path} needs OpenVINO")
    core = openvino.Core()
    model = core.read_model(path)
    compiled = core.compile_model(
        model, "CPU", {"INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32"}
    )
    key = [KEY] if model.has_rt_info([KEY]) else ["framework", KEY]  # a key of ONNX's own becomes the second
    description = str(model.get_rt_info(key).astype(str)) if model.has_rt_info(key) else None
    return lambda energies: compiled(energies)[0].copy(), description
