"""What decides which numbers stand in a table: written into each file, compared before more is added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

from beats_trainer.audio.clips import ClipPlan, Last
from beats_trainer.audio.playback import Tracks
from beats_trainer.audio.read import RESAMPLER
from beats_trainer.recordings.reading import Cutting
from beats_trainer.table.table import read_metadata, table_files

if TYPE_CHECKING:
    from beats_trainer.encoder.model import Precision

POOLINGS = ("mean", "max", "first", "last")


@dataclass(frozen=True)
class Settings:
    """How recordings become rows. `layers` are counted from 0; `dim` is the width of an embedding.

    Both are the model's, so they have no default.
    """

    checkpoint: str
    sha256: str
    dim: int
    layers: tuple[int, ...]
    clip_s: float = 10.0
    hop_s: float = 10.0
    last: Last = "full"
    pooling: str = "mean"
    normalize: bool = True
    channels: Tracks = "mix"
    damaged: Literal["leave", "keep"] = "leave"
    dtype: Literal["float32", "float16"] = "float32"
    precision: Precision = "fp32"
    resampler: str = RESAMPLER

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        if self.pooling not in POOLINGS:
            message = (
                f"a row has one vector: pooling is {self.pooling!r}, expected one of {', '.join(POOLINGS)}."
            )
            raise ValueError(message)

    @property
    def plan(self) -> ClipPlan:
        """How recordings are cut."""
        return ClipPlan(self.clip_s, self.hop_s, self.last)

    @property
    def cutting(self) -> Cutting:
        """What of a recording becomes clips."""
        return Cutting(self.plan, self.channels, keep_damaged=self.damaged == "keep")

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns with embeddings, one a layer."""
        return ("embedding",) if len(self.layers) == 1 else tuple(f"embedding_{n}" for n in self.layers)

    def metadata(self) -> dict[str, Any]:
        """As it is written into a file; the package's version is told and not compared."""
        return asdict(self) | {"layers": list(self.layers), "version": version("beats-trainer")}

    def differences(self, metadata: Mapping[str, Any]) -> list[str]:
        """What a file was written with, where that is something else."""
        ours = self.metadata()
        return [
            f"{field.name}: {metadata.get(field.name)!r} there, {ours[field.name]!r} now"
            for field in fields(self)
            if metadata.get(field.name) != ours[field.name]
        ]


def read_settings(metadata: Mapping[str, Any]) -> Settings:
    """The settings that a file was written with."""
    return Settings(**{field.name: metadata[field.name] for field in fields(Settings)})


def settings_of(table: str | PathLike[str]) -> Settings:
    """What made the rows of a table.

    Raises:
        ValueError: It does not say.
    """
    file = table_files(table)[0]
    metadata = read_metadata(file)
    if not metadata:
        message = f"{file} does not say what made its rows. Expected a table that `beats embed` wrote."
        raise ValueError(message)
    missing = [field.name for field in fields(Settings) if field.name not in metadata]
    if missing:
        message = (
            f"{file} does not say the {' and '.join(missing)} of its rows. Expected a table that "
            "`beats embed` wrote. Embed the recordings anew."
        )
        raise ValueError(message)
    return read_settings(metadata)


def column_of(settings: Settings, layer: int | None) -> str:
    """The column with the embeddings of a layer; of the last one without it.

    Raises:
        ValueError: The table does not have it.
    """
    if layer is None:
        return settings.columns[-1]
    if layer not in settings.layers:
        message = f"the table has layer {', '.join(map(str, settings.layers))}, not {layer}."
        raise ValueError(message)
    return settings.columns[settings.layers.index(layer)]
