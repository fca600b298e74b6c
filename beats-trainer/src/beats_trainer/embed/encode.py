"""From a checkpoint to an `Encoding`, clips in, rows out: the only file of this room that computes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from beats_trainer.embed.choices import DEFAULTS, Choices
from beats_trainer.encoder.batches import PATCHES_PER_FORWARD, PATCHES_PER_GPU_FORWARD, embed
from beats_trainer.encoder.fast.seal import reading_quietly
from beats_trainer.encoder.model import BEATs, Precision
from beats_trainer.errors import CheckpointError
from beats_trainer.load import Found, load_found
from beats_trainer.memory import (
    Trimming,
    keep_heap_small,
    release_code,
    release_weights,
    trim,
    use_heap_again,
)
from beats_trainer.pins.digest import file_digest
from beats_trainer.recordings.reading import Clip, Ended
from beats_trainer.sampling import SAMPLE_RATE
from beats_trainer.table.rows import Row
from beats_trainer.table.settings import Settings

PATCHES_PER_SECOND = 49.6
HEAP_GROWTH = 48 << 20  # bytes; a clip of 10 s takes 34 MB on its way through the base model


class Encoding:
    """Turns clips into rows.

    Args:
        model: The encoder.
        settings: Which layers, which pooling, which channels.
        batch_size: Clips of full length that go through the encoder at once; what runs fastest without it.
    """

    def __init__(self, model: BEATs, settings: Settings, batch_size: int | None = None) -> None:
        self.model, self.settings = model, settings
        gpu = model.device.type != "cpu"
        limit = PATCHES_PER_GPU_FORWARD if gpu else PATCHES_PER_FORWARD
        self.limit = int(batch_size * settings.clip_s * PATCHES_PER_SECOND) + 8 if batch_size else limit
        self._trim = Trimming(HEAP_GROWTH)
        pass_s = self.limit / PATCHES_PER_SECOND
        self.gathering = Gathering(settings.plan.clip, max(80.0, pass_s), max(320.0, 2 * pass_s))

    def __call__(self, clips: Sequence[Clip]) -> Iterator[tuple[Clip, list[Row]]]:
        """Each clip with its rows, one a track; in the order given."""
        waveforms = [w for clip in clips for w in _tracks(clip)]
        vectors = iter(self._vectors(waveforms) if waveforms else ())
        for clip in clips:
            count = len(_tracks(clip))
            channels = range(count) if self.settings.channels == "each" else [self._channel] * count
            yield clip, [Row(clip, channel, next(vectors)) for channel in channels]

    @property
    def _channel(self) -> int | None:
        return 0 if self.settings.channels == "first" else None

    def _vectors(self, waveforms: list[np.ndarray]) -> np.ndarray:
        """`(waveforms, layers, dim)`."""
        layers = embed(
            self.model,
            waveforms,
            layers=self.settings.layers,
            pooling=self.settings.pooling,
            short="pad",
            limit=self.limit,
            after_pass=self._trim,
        )
        trim()  # within a call free heap serves again, over hours it would grow by its gaps
        stacked = torch.stack([torch.stack(clips) for clips in layers], dim=1).float()
        return (functional.normalize(stacked, dim=-1) if self.settings.normalize else stacked).numpy()


def _tracks(clip: Clip) -> list[np.ndarray]:
    return [] if clip.waveform is None else [np.ascontiguousarray(track) for track in clip.waveform.T]


def begin_encoding(found: Found, choices: Choices, checkpoint: str) -> Encoding:
    """The model and the settings of a new table; what depends on the model is taken from it.

    Args:
        found: Where its file is.
        choices: What is asked for.
        checkpoint: Its name in the table.
    """
    model = _loaded(found, choices.device, choices.precision)
    settings = Settings(
        checkpoint=checkpoint,
        sha256=found.sha256 or file_digest(found.path, "sha256"),
        dim=model.config.encoder_embed_dim,
        layers=tuple(model.layer_index(n) for n in choices.layers or [-1]),
        clip_s=choices.clip_s,
        hop_s=choices.clip_s if choices.hop_s is None else choices.hop_s,
        last=choices.last,
        pooling=choices.pooling,
        normalize=choices.normalize,
        channels=choices.channels,
        damaged=choices.damaged,
        dtype=choices.dtype,
        precision=choices.precision,
    )
    return Encoding(model, settings, choices.clips_at_once)


def repeat_encoding(
    found: Found,
    settings: Settings,
    *,
    advice: str,
    device: str = DEFAULTS.device,
    batch_size: int | None = None,
) -> Encoding:
    """The model and the settings that made a table; `advice` is for who has another file.

    Raises:
        CheckpointError: The file is not the one that the settings name.
    """
    digest = found.sha256 or file_digest(found.path, "sha256")
    if digest != settings.sha256:
        message = (
            f"{found.path} is not the checkpoint of the table: expected sha256 {settings.sha256}, "
            f"got {digest}. {advice}"
        )
        raise CheckpointError(message)
    return Encoding(_loaded(found, device, settings.precision), settings, batch_size)


def _loaded(found: Found, device: str, precision: Precision) -> BEATs:
    """The model, and what loading it took given back to the system."""
    keep_heap_small()
    release_code()
    model = load_found(found, device=device, precision=precision)
    with reading_quietly():
        release_weights(model.parameters())
    release_code()
    trim()
    use_heap_again()
    return model


# How much sound comes together before the model is called: enough to be fast, no more than that takes.
@dataclass(frozen=True)
class Gathering:
    """What makes a call of the model.

    Clips of full length fill its forward passes as they come. Of shorter ones, which have any length, many
    must be at hand before enough are alike to go together.

    Args:
        clip: Samples of a full clip.
        full_s: Seconds of full clips that make a call.
        mixed_s: Seconds of shorter ones.
    """

    clip: int
    full_s: float = 80.0
    mixed_s: float = 320.0

    def share(self, item: Clip | Ended) -> float:
        """How much of a call it makes: 1 is all of it."""
        if not isinstance(item, Clip) or item.waveform is None:
            return 0.0
        whole = self.full_s if len(item.waveform) >= self.clip else self.mixed_s
        return item.waveform.size / SAMPLE_RATE / whole
