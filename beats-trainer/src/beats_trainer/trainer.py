"""`BEATsTrainer`: recordings and labels in, a head that is learnt, measured and used, out of one object.

The names are those of NINAnor's beats_trainer, for who comes from there; docs/upstream.md maps each of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from beats_trainer.embed.choices import DEFAULTS
from beats_trainer.embed.start import embed_recordings
from beats_trainer.extractor import BEATsFeatureExtractor
from beats_trainer.fine_tuning import fit_encoder
from beats_trainer.train.annotations import Annotation, Labels, LabelsError, merge_labels
from beats_trainer.train.evaluate import Predictions, is_measurable, measure, read_predictions
from beats_trainer.train.examples import Names, join_labels, read_clips
from beats_trainer.train.formats import read_columns, read_labels
from beats_trainer.train.head_file import TrainedHead, encoder_beside, load_head
from beats_trainer.train.run import HEAD, PREDICTIONS, Callback, Fitted, fit, unit_scores
from beats_trainer.train.settings import TrainSettings
from beats_trainer.train.split import SPLITS

Source = str | PathLike[str]
TABLE = "table.parquet"


@dataclass(frozen=True)
class Prediction:
    """What a head hears in one recording.

    Args:
        recording: Its path, as it was given.
        label: The label with the highest score.
        score: That score, 0 to 1.
        scores: The score of every label.
    """

    recording: str
    label: str
    score: float
    scores: Mapping[str, float]


class BEATsTrainer:
    """Learns a head on embeddings of labelled recordings; by the method `finetune` the encoder learns too.

    Args:
        labels: What is heard in which recordings, by path.
        output: The folder that the head, its figures and the embeddings go into.
        model: The encoder: a name from `list_checkpoints()`, `OWNER/REPO` on the Hub, or a path.
        clip_s: Seconds of a clip.
        settings: How the head is learnt.
        callback: Is called with what is known so far: a name and a number.
    """

    def __init__(
        self,
        labels: Labels,
        output: Source = "runs/beats",
        *,
        model: Source = DEFAULTS.model,
        clip_s: float = DEFAULTS.clip_s,
        settings: TrainSettings = TrainSettings(),  # noqa: B008 - frozen
        callback: Callback | None = None,
    ) -> None:
        self.labels, self.output = labels, Path(output)
        self.model, self.clip_s = model, clip_s
        self.settings, self.callback = settings, callback

    @classmethod
    def from_directory(cls, data_dir: Source, **options: Any) -> Self:
        """From recordings in folders that are named by label.

        Args:
            data_dir: The folder of the folders.
            options: Those of the class.

        Raises:
            LabelsError: A recording lies in no folder of a label.
        """
        return cls(read_labels(Path(data_dir)), **_checked(options))

    @classmethod
    def from_split_directories(
        cls,
        train_data_dir: Source,
        val_data_dir: Source | None = None,
        test_data_dir: Source | None = None,
        **options: Any,
    ) -> Self:
        """From a folder as `from_directory` takes it for each split.

        Args:
            train_data_dir: To learn from.
            val_data_dir: To choose settings by.
            test_data_dir: To be tried on.
            options: Those of the class.

        Raises:
            LabelsError: As `from_directory`; or a recording stands in two of them.
        """
        folders = zip(SPLITS, (train_data_dir, val_data_dir, test_data_dir), strict=True)
        parts = [_in_split(read_labels(Path(folder)), split) for split, folder in folders if folder]
        return cls(merge_labels(parts), **_checked(options))

    @classmethod
    def from_csv(
        cls,
        csv_path: Source,
        data_dir: Source | None = None,
        audio_column: str = "filename",
        label_column: str = "category",
        **options: Any,
    ) -> Self:
        """From a table of recordings and labels.

        Args:
            csv_path: A CSV with a line for each recording and label.
            data_dir: What its paths are relative to; the folder of the CSV without it.
            audio_column: The column of paths.
            label_column: The column of labels; `;` stands between several.
            options: Those of the class.

        Raises:
            LabelsError: It has no such columns, or a line without a path.
        """
        return cls(_columns(csv_path, data_dir, audio_column, label_column), **_checked(options))

    @classmethod
    def from_split_csvs(
        cls,
        train_csv: Source,
        val_csv: Source | None = None,
        test_csv: Source | None = None,
        data_dir: Source | None = None,
        audio_column: str = "filename",
        label_column: str = "category",
        **options: Any,
    ) -> Self:
        """From a table as `from_csv` takes it for each split.

        Raises:
            LabelsError: As `from_csv`; or a recording stands in two of them.
        """
        tables = zip(SPLITS, (train_csv, val_csv, test_csv), strict=True)
        parts = [
            _in_split(_columns(table, data_dir, audio_column, label_column), split)
            for split, table in tables
            if table
        ]
        return cls(merge_labels(parts), **_checked(options))

    def train(self) -> dict[str, Any]:
        """Embed the recordings, learn the head and measure it; all of it lies in `output` then.

        Returns:
            The figures of each split, as `metrics.json` has them.

        Raises:
            LabelsError: Nothing can be learnt from the labels, or no recording could be embedded.
            LeakError: The split leaks.
            MissingExtraError: scikit-learn is not installed.
        """
        table = self.output / TABLE
        lost = self._embed(self.labels.recordings, table, self.model)
        return self._fit(self.labels.without(lost), table).metrics

    def _fit(self, labels: Labels, table: Path) -> Fitted:
        how: dict[str, Any] = {"callback": self.callback}
        if self.settings.method != "finetune":
            return fit(labels, table, self.output, self.settings, **how)
        fitted = fit_encoder(labels, table, self.output, self.settings, model=self.model, **how)
        if fitted is None:
            message = "of several processes the first alone has the figures: launch `beats train` instead."
            raise RuntimeError(message)
        return fitted

    def test(self) -> dict[str, Any]:
        """The figures on the split that was kept for testing.

        Raises:
            LabelsError: Nothing was kept.
            FileNotFoundError: Nothing was trained yet.
        """
        found: Predictions = read_predictions(self._made(PREDICTIONS)).of("test")
        if not is_measurable(found):
            message = (
                f"{self.output} kept no recording for testing: expected a split named test. Train with "
                "settings whose test is above 0, or give a folder or table of such recordings."
            )
            raise LabelsError(message)
        return measure(found, self.head.thresholds, seed=self.settings.seed, has_interval=True)

    def predict(self, files: Sequence[Source]) -> list[Prediction]:
        """What is heard in recordings, each as a whole, in the order given.

        For calls with their times in long recordings take `beats classify --events`.

        Raises:
            LabelsError: One of them cannot be read. None is predicted then.
            FileNotFoundError: Nothing was trained yet.
        """
        head, names = self.head, [Path(file).absolute().as_posix() for file in files]
        with TemporaryDirectory() as folder:
            table = Path(folder, TABLE)
            lost = self._embed(names, table, self._encoder)
            if lost:
                message = f"{min(lost)} cannot be read, so nothing was predicted. Leave it out, or mend it."
                raise LabelsError(message)
            scores = _scores(head, names, table)
        return [
            _predicted(str(file), dict(zip(head.labels, row, strict=True)))
            for file, row in zip(files, scores, strict=True)
        ]

    @property
    def head(self) -> TrainedHead:
        """What was learnt.

        Raises:
            FileNotFoundError: Nothing was trained yet.
        """
        return load_head(self._made(HEAD))

    def get_feature_extractor(self) -> BEATsFeatureExtractor:
        """The encoder that the head stands on."""
        return BEATsFeatureExtractor(self._encoder)

    @property
    def _encoder(self) -> Source:
        """What made the embeddings that the head stands on."""
        return encoder_beside(self.output / HEAD) or self.model

    def _embed(self, names: Sequence[str], table: Path, model: Source) -> set[str]:
        """Embed recordings; those that could not be."""
        table.parent.mkdir(parents=True, exist_ok=True)
        outcome = embed_recordings(list(names), table, model=model, clip_s=self.clip_s)
        failed = Names(line.recording for line in outcome.failed if line.embedded == "no")
        return {name for name in names if failed.find(name)}

    def _made(self, name: str) -> Path:
        path = self.output / name
        if not path.is_file():
            message = f"there is no {path}: nothing was trained yet. Call train() first."
            raise FileNotFoundError(message)
        return path


def _checked(options: dict[str, Any]) -> dict[str, Any]:
    """The options, without those of upstream that mean nothing here."""
    if "config" in options:
        message = (
            "`config` is not taken here: expected settings=TrainSettings(...), model=..., clip_s=.... "
            "docs/upstream.md says which of upstream's fields is which."
        )
        raise TypeError(message)
    return options


def _columns(table: Source, folder: Source | None, audio: str, label: str) -> Labels:
    path = Path(table)
    return read_columns(path, recording=audio, label=label, folder=Path(folder) if folder else path.parent)


def _in_split(labels: Labels, split: str) -> Labels:
    return replace(labels, annotations=tuple(replace(one, split=split) for one in labels.annotations))


def _scores(head: TrainedHead, names: Sequence[str], table: Path) -> list[list[float]]:
    """As a recording with a label without times is scored when a head is measured: all its clips together."""
    asked = Labels(tuple(Annotation(name, head.labels[0]) for name in dict.fromkeys(names)), exhaustive=True)
    examples = join_labels(read_clips(table, layer=head.layer), asked, names=head.labels)
    rows = dict(zip(examples.recordings, unit_scores(head, examples).tolist(), strict=True))
    known = Names(rows)
    return [rows[known.find(name) or name] for name in names]


def _predicted(name: str, scores: dict[str, float]) -> Prediction:
    best = max(scores, key=scores.__getitem__)
    return Prediction(name, best, scores[best], scores)
