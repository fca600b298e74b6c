"""`BEATsFeatureExtractor`: recordings or waveforms in, embeddings out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from beats_trainer.encoder.batches import embed
from beats_trainer.encoder.model import BEATs, Precision
from beats_trainer.encoder.pooling import known_pooling
from beats_trainer.encoder.runtimes import Backend, ExportedEncoder
from beats_trainer.encoder.waveform import Short, as_float
from beats_trainer.errors import WaveformError
from beats_trainer.load import load_model
from beats_trainer.pins.registry import DEFAULT_CHECKPOINT
from beats_trainer.sampling import SAMPLE_RATE

if TYPE_CHECKING:
    from beats_trainer.audio.read import Truncated

Array = npt.NDArray[np.float32]


class BEATsFeatureExtractor:
    """Embeddings of recordings and waveforms.

    An embedding never depends on what else is in the batch: clips of one size go together, nothing is padded.

    Args:
        model_path: A name from `list_checkpoints()`, `OWNER/REPO[@REVISION]` on the Hub, or the path of a
            file; without it the default.
        device: "cpu", "cuda", ...; a GPU if there is one without it.
        layer: Which layer, 0 to the number of layers; -1 is the last.
        pooling: "mean", "max", "first", "last", "time" (mean over time alone) or "none".
        short: What to do with less than one patch (175 ms) of audio: "error", or "pad" with silence.
        precision: "fp32", or "bf16", which is faster and less exact: see `BEATs`.
        backend: "torch"; or "onnxruntime" or "openvino" with the path of a file that `beats export` wrote.
        trust: "hub" takes the Hub's word for files that no pin names; "pinned" refuses these.
        allow_noncommercial: Accepts a licence that forbids commercial use.
    """

    def __init__(
        self,
        model_path: str | PathLike[str] | None = None,
        device: str | torch.device | None = None,
        layer: int = -1,
        pooling: str = "mean",
        *,
        short: Short = "error",
        precision: Precision = "fp32",
        backend: Literal["torch", "onnxruntime", "openvino"] = "torch",
        trust: Literal["pinned", "hub"] = "hub",
        allow_noncommercial: bool = False,
    ) -> None:
        self.pooling = known_pooling(pooling)
        self.model_path = DEFAULT_CHECKPOINT if model_path is None else model_path
        self.model: BEATs | ExportedEncoder
        if backend == "torch":
            self.model = load_model(
                self.model_path,
                device=device,
                precision=precision,
                trust=trust,
                allow_noncommercial=allow_noncommercial,
            )
        else:
            self.model = ExportedEncoder(Path(self.model_path), _known_backend(backend), precision)
        self.layer = self.model.layer_index(layer)
        self.short = short

    def __repr__(self) -> str:
        layer = f"layer {self.layer} of {self.model.n_layers}"
        return (
            f"<BEATsFeatureExtractor {self.model_path}: {layer}, {self.dim} wide, pooling {self.pooling}, "
            f"on {self.device}>"
        )

    @property
    def dim(self) -> int:
        """Width of an embedding."""
        return self.model.config.encoder_embed_dim

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.device

    def extract_from_file(
        self,
        path: str | PathLike[str],
        *,
        return_all_layers: bool = False,
        normalize: bool = True,
        truncated: Truncated = "error",
    ) -> Array:
        """Embed one recording: `(dim,)`.

        Args:
            path: The recording.
            return_all_layers: See `extract_features`.
            normalize: See `extract_features`.
            truncated: Refuse a recording of which sound is missing, or "keep" what is there.
        """
        return self._one(_read(path, truncated), return_all_layers=return_all_layers, normalize=normalize)

    def extract_from_files(
        self,
        paths: Iterable[str | PathLike[str]],
        batch_size: int = 16,
        *,
        return_all_layers: bool = False,
        normalize: bool = True,
        truncated: Truncated = "error",
    ) -> Array:
        """Embed recordings of any lengths: `(recordings, dim)`, in the order given.

        Args:
            paths: The recordings.
            batch_size: How many are in memory at once; it changes no number.
            return_all_layers: See `extract_features`.
            normalize: See `extract_features`.
            truncated: See `extract_from_file`.
        """
        if batch_size < 1:
            message = f"batch_size is {batch_size}; expected at least 1."
            raise ValueError(message)
        ordered = list(paths)
        parts = [
            self._many(
                [_read(p, truncated) for p in ordered[i : i + batch_size]], return_all_layers, normalize
            )
            for i in range(0, len(ordered), batch_size)
        ]
        return np.concatenate(parts) if parts else np.empty((0, self.dim), np.float32)

    def extract_from_array(
        self,
        audio: Any,
        sample_rate: int | None = None,
        *,
        return_all_layers: bool = False,
        normalize: bool = True,
    ) -> Array:
        """Embed one waveform `(samples,)` -> `(dim,)`, or several of one length `(batch, samples)`.

        Args:
            audio: Mono, floating in [-1, 1] or int16.
            sample_rate: Its rate in Hz; 16,000 if not given. Other rates are resampled.
            return_all_layers: See `extract_features`.
            normalize: See `extract_features`.
        """
        if sample_rate is not None and sample_rate != SAMPLE_RATE:
            audio = _resampled(audio, sample_rate)
        if _ndim(audio) == 1:
            return self._one(audio, return_all_layers=return_all_layers, normalize=normalize)
        return self.extract_features(audio, return_all_layers, normalize)

    def extract_from_batch(
        self, batch: Any, *, return_all_layers: bool = False, normalize: bool = True
    ) -> Array:
        """Embed `(batch, samples)`, or a list of waveforms of any lengths: `(batch, dim)`."""
        if isinstance(batch, np.ndarray | Tensor):
            return self.extract_features(batch, return_all_layers, normalize)
        return self._many(list(batch), return_all_layers, normalize)

    def extract_features(
        self, waveform: Any, return_all_layers: bool = False, normalize: bool = True
    ) -> Array:
        """Embed waveforms of one length.

        Args:
            waveform: `(samples,)` or `(batch, samples)`, mono, 16 kHz, in [-1, 1].
            return_all_layers: Every layer from 0 (the input of the first) on, not only `layer`.
            normalize: Divide each vector by its Euclidean length.

        Returns:
            `(batch, dim)`; with all layers `(batch, layers + 1, dim)`; with pooling "none" or "time" patches
            or rows stand before `dim`.
        """
        return self._many(
            [waveform] if _ndim(waveform) == 1 else list(waveform), return_all_layers, normalize
        )

    def _one(self, waveform: Any, *, return_all_layers: bool, normalize: bool) -> Array:
        first: Array = self._many([waveform], return_all_layers, normalize)[0]
        return first

    def _many(self, waveforms: Sequence[Any], return_all_layers: bool, normalize: bool) -> Array:
        if not waveforms:
            message = "There is nothing to embed: the batch is empty. Pass at least one waveform."
            raise WaveformError(message)
        layers = None if return_all_layers else [self.layer]
        embedded = embed(self.model, waveforms, layers=layers, pooling=self.pooling, short=self.short)
        stacked = torch.stack([_stacked(clips) for clips in embedded], dim=1)
        vectors = stacked if return_all_layers else stacked.squeeze(1)
        return (functional.normalize(vectors, dim=-1) if normalize else vectors).float().numpy()


def _known_backend(backend: str) -> Backend:
    if backend not in get_args(Backend):
        message = f"There is no backend {backend!r}; there are torch, {', '.join(get_args(Backend))}."
        raise ValueError(message)
    return cast(Backend, backend)


def _stacked(clips: list[Tensor]) -> Tensor:
    if len({clip.shape for clip in clips}) > 1:
        message = (
            'Clips of different lengths have different numbers of patches: with pooling "none" they fit in '
            "no array. Embed them one at a time, or choose another pooling."
        )
        raise ValueError(message)
    return torch.stack(clips)


def _ndim(waveform: Any) -> int:
    return int(waveform.ndim) if hasattr(waveform, "ndim") else np.asarray(waveform).ndim


def _read(path: str | PathLike[str], truncated: Truncated) -> Array:
    from beats_trainer.audio.read import read_waveform

    return read_waveform(path, truncated=truncated)


def _resampled(audio: Any, sample_rate: int) -> Array:
    from beats_trainer.audio.read import resample

    return np.apply_along_axis(resample, -1, as_float(audio).numpy(), sample_rate)
