"""What `beats train` learns from real sound, beside the plainest features, and how long its steps take.

    python benchmarks/train.py --data DIR [--part digits|esc10|scratch|loop|probe|score] [--quick]
        [--json FILE]

DIR holds `digits` (spoken digits, `DIGIT_SPEAKER_NUMBER.wav`) and `esc10` (folders named by label, files that
begin with their fold). `digits` shows what a split by clip flatters; `esc10` is five folds of the filter
bank's mean and spread, and of an encoder that was never trained; `scratch` trains a small encoder on four
folds; `loop` is the time of an epoch beside a bare loop in torch, runs in turn; `probe` is 20,000 rows of 768
with 50 labels; `score` is a million rows of float16 scored by ten labels, and the same rows read as
float32 and not scored, in turn. No weights are fetched: no figure here says how good BEATs is.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from beats_trainer.audio.read import read_waveform
from beats_trainer.checkpoint.untrained import write_untrained
from beats_trainer.embed.start import embed_recordings
from beats_trainer.encoder.config import BEATsConfig
from beats_trainer.encoder.fbank import fbank
from beats_trainer.fine_tuning import fit_encoder
from beats_trainer.load import load_model
from beats_trainer.table.scan import groups_of, stream_vectors
from beats_trainer.table.settings import Settings, settings_of
from beats_trainer.table.table import read_table
from beats_trainer.train.annotations import Annotation, Labels
from beats_trainer.train.folds import splits_of
from beats_trainer.train.head_file import TrainedHead
from beats_trainer.train.probe import Linear
from beats_trainer.train.run import fit, prepare
from beats_trainer.train.score import score_table
from beats_trainer.train.settings import TrainSettings
from beats_trainer.train.sounds import sounds_of
from beats_trainer.train.tune_batches import Batch, Task
from beats_trainer.train.tuned import Tuned, rate_groups

SMALL = BEATsConfig(
    encoder_layers=4, encoder_embed_dim=96, encoder_ffn_embed_dim=192, encoder_attention_heads=4,
    embed_dim=64, conv_pos=32, conv_pos_groups=4,
)  # fmt: skip
CUT: dict[str, Any] = {"clip_s": 4.9, "last": "drop"}  # of recordings of 5 s: one clip each
DEEP_NORM = {"epochs": 50, "batch": 32, "rate": 2e-3, "layer_decay": 1.0, "layerdrop": 0.0, "mixup": 0.0}
Report = dict[str, float]


def main() -> None:
    """Measure what was asked for, and print a table."""
    options = _options()
    report: Report = {}
    for name in options.part or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            report |= PARTS[name](Path(options.data), Path(folder), quick=options.quick)
        for key, value in report.items():
            if key.startswith(name):
                print(f"| {key:<44} | {value:>10.3f} |", flush=True)
    if options.json:
        told = {"processor": platform.processor() or platform.machine(), **report}
        Path(options.json).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", required=True, help="the folder of digits and esc10")
    parser.add_argument(
        "--part", action="append", choices=list(PARTS), help="may be repeated; all without it"
    )
    parser.add_argument("--quick", action="store_true", help="less of each: minutes")
    parser.add_argument("--json", help="write the figures there too")
    return parser.parse_args()


def digits(data: Path, folder: Path, *, quick: bool) -> Report:
    """Top-1 of the filter bank's mean and spread: split by speaker, and by clip as one should not."""
    paths = sorted((data / "digits").rglob("*.wav"))[:: 4 if quick else 1]
    speaker = {path.as_posix(): path.stem.split("_")[1] for path in paths}
    said = tuple(Annotation(name, Path(name).stem.split("_")[0], site=speaker[name]) for name in speaker)
    table = fbank_table(list(speaker), folder / "digits.parquet")
    settings = TrainSettings(method="probe")
    by = {"speaker": replace(settings, by="site"), "clip": replace(settings, by="recording", allow_leak=True)}
    return {
        f"digits, top-1 by {name}": top1(fit(Labels(said), table, folder / name, how).metrics)
        for name, how in by.items()
    }


def esc10(data: Path, folder: Path, *, quick: bool) -> Report:
    """Top-1 over five folds, of the filter bank and of an untrained encoder."""
    names, labels, folds = esc10_labels(data)
    table = fbank_table(names, folder / "fbank.parquet")
    found = {"esc10, fbank": fold_mean(labels, table, folds, folder / "fbank", folds_of(folds, quick=quick))}
    model = write_untrained(folder / "small.pt", config=SMALL)
    untrained = folder / "untrained.parquet"
    labels = embedded(labels, untrained, model, layers=[2])
    chosen = folds_of(folds, quick=quick)
    return found | {
        "esc10, small untrained encoder": fold_mean(labels, untrained, folds, folder / "u", chosen)
    }


def scratch(data: Path, folder: Path, *, quick: bool) -> Report:
    """A small encoder from nothing: four folds to learn from, one to be tried on."""
    _, labels, folds = esc10_labels(data)
    model = write_untrained(folder / "small.pt", config=SMALL)
    labels = embedded(labels, folder / "t.parquet", model)
    splits = {name: "test" if fold == 1 else "train" for name, fold in folds.items()}
    how = TrainSettings(method="finetune", **(DEEP_NORM | ({"epochs": 3} if quick else {})))  # type: ignore[arg-type]
    started = time.monotonic()
    fitted = fit_encoder(labels, folder / "t.parquet", folder / "run", how, model=model, splits=splits)
    assert fitted is not None
    seconds = time.monotonic() - started
    return {"scratch, top-1 of one fold": top1(fitted.metrics), "scratch, seconds": seconds}


def loop(data: Path, folder: Path, *, quick: bool) -> Report:
    """Seconds of an epoch, ours and bare, in turn: the same clips, batches, encoder and optimiser."""
    names, labels, _ = esc10_labels(data)
    names = names[:64] if quick else names[:160]
    labels = labels.without(set(labels.recordings) - set(names))
    model = write_untrained(folder / "small.pt", config=SMALL)
    embed_recordings(names, folder / "t.parquet", model=model, **CUT)
    splits = dict.fromkeys(names, "train")
    how = TrainSettings(method="finetune", epochs=1, augment=False, layerdrop=0.0)
    task, layer = task_of(labels, folder / "t.parquet", how, splits), SMALL.encoder_layers
    ours, bare = [], []
    for turn in range(2 if quick else 5):
        ours.append(timed(lambda: tune_once(task, model, folder / f"o{turn}", layer)))  # noqa: B023
        bare.append(timed(lambda: bare_epoch(task, model, layer)))
    ratios = [one / other for one, other in zip(ours, bare, strict=True)]
    return {"loop, seconds of an epoch": min(ours), "loop, times a bare loop's": statistics.median(ratios)}


def probe(_data: Path, folder: Path, *, quick: bool) -> Report:
    """Seconds and memory of a probe on 20,000 rows of 768 with 50 labels."""
    rows, labels = (2_000, 10) if quick else (20_000, 50)
    draw = np.random.default_rng(0)
    middles = draw.standard_normal((labels, 768)).astype(np.float32)
    which = draw.integers(labels, size=rows)
    vectors = middles[which] * 0.3 + draw.standard_normal((rows, 768), np.float32)
    names = [f"{row}.wav" for row in range(rows)]
    table = write_table(names, vectors.astype(np.float32), folder / "t.parquet")
    said = tuple(Annotation(name, f"label {label}") for name, label in zip(names, which, strict=True))
    started = time.monotonic()
    fit(Labels(said, exhaustive=True), table, folder / "run", TrainSettings(method="probe"))
    return {
        "probe, seconds": time.monotonic() - started,
        "probe, GB at most": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


def score(_data: Path, folder: Path, *, quick: bool) -> Report:
    """Seconds to score a table, and the rate as a share of that at which its rows are read, runs in turn."""
    table = write_rows(folder / "t.parquet", 100_000 if quick else 1_000_000)
    draw = np.random.default_rng(1)
    weight, bias = draw.standard_normal((10, 768)).astype(np.float32), np.zeros(10, np.float32)
    labels = tuple(f"label {number}" for number in range(10))
    head = TrainedHead(weight, bias, labels, "sigmoid", settings_of(table), 0, "probe")
    scored, read = [], []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(3):
        read.append(timed(lambda: read_alone(table)))
        scored.append(timed(lambda: score_table(head, table, folder / "scores.parquet")))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    ratio = statistics.median(one / other for one, other in zip(read, scored, strict=True))
    return {
        "score, seconds": statistics.median(scored), "score, share of the read rate": ratio,
        "score, GB more than before": grown / 1e6,
    }  # fmt: skip


def read_alone(table: Path) -> None:
    """All embeddings of a table, as float32."""
    for _, vectors in stream_vectors(groups_of(table), "embedding"):
        assert len(vectors)


PARTS: dict[str, Callable[..., Report]] = {
    "digits": digits, "esc10": esc10, "scratch": scratch, "loop": loop, "probe": probe, "score": score,
}  # fmt: skip


def esc10_labels(data: Path) -> tuple[list[str], Labels, dict[str, int]]:
    """The recordings, their labels by folder, and the fold of each by the start of its name."""
    names = [path.as_posix() for path in sorted((data / "esc10").glob("*/*.ogg"))]
    said = tuple(Annotation(name, Path(name).parent.name) for name in names)
    return names, Labels(said, exhaustive=True), {name: int(Path(name).name[0]) for name in names}


def embedded(labels: Labels, table: Path, model: Path, **more: Any) -> Labels:
    """Embed the recordings; the labels of those that have a whole clip of sound."""
    embed_recordings(list(labels.recordings), table, model=model, **CUT, **more)
    there = set(read_table(table).recordings)
    return labels.without(set(labels.recordings) - there)


def folds_of(folds: dict[str, int], *, quick: bool) -> list[int]:
    numbers = sorted(set(folds.values()))
    return numbers[:2] if quick else numbers


def fold_mean(labels: Labels, table: Path, folds: dict[str, int], out: Path, chosen: list[int]) -> float:
    """The mean top-1 over folds."""
    how = TrainSettings(method="probe")
    runs = [fit(labels, table, out / str(one), how, splits=splits_of(folds, one)) for one in chosen]
    return statistics.mean(top1(run.metrics) for run in runs)


def top1(metrics: dict[str, Any]) -> float:
    return float(metrics["test"]["top1"])


def fbank_table(names: list[str], path: Path) -> Path:
    """A table whose rows are the mean and the spread of each recording's filter bank."""
    rows = [torch.cat([bank.mean(dim=0), bank.std(dim=0)]).numpy() for bank in map(_fbank, names)]
    return write_table(names, np.stack(rows), path)


def _fbank(name: str) -> torch.Tensor:
    return fbank(torch.from_numpy(read_waveform(name)[None]), 15.41663, 6.55582)[0]


def write_table(names: list[str], vectors: np.ndarray, path: Path) -> Path:
    """A table of whole recordings, in the form of `beats embed`."""
    width = vectors.shape[1]
    made = Settings("filter bank", "0" * 64, width, (0,), normalize=False)
    lists = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), width)
    columns = {
        "recording": pa.array(names),
        "start_s": pa.array(np.zeros(len(names))),
        "end_s": pa.array(np.ones(len(names))),
        "embedding": lists,
    }
    said = json.dumps(asdict(made) | {"layers": [0]}).encode()
    pq.write_table(pa.table(columns).replace_schema_metadata({b"beats": said}), path)
    return path


def write_rows(path: Path, rows: int) -> Path:
    """A table of float16, as `beats embed --dtype float16` lays it out: plain, 10,000 rows in a group."""
    draw, schema, writer = np.random.default_rng(0), None, None
    said = json.dumps(asdict(Settings("made", "0" * 64, 768, (0,), normalize=False)) | {"layers": [0]})
    for first in range(0, rows, 10_000):
        vectors = draw.standard_normal((10_000, 768), np.float32).astype(np.float16)
        starts = np.arange(first, first + 10_000, dtype=np.float64)
        part = pa.table({
            "recording": pa.array([f"night/{first}.wav"] * 10_000), "start_s": starts, "end_s": starts + 1,
            "embedding": pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), 768),
        }).replace_schema_metadata({b"beats": said.encode()})  # fmt: skip
        schema = schema or part.schema
        writer = writer or pq.ParquetWriter(
            path, schema, compression="none", use_dictionary=["recording"], write_statistics=False
        )
        writer.write_table(part)
    assert writer is not None
    writer.close()
    return path


def task_of(labels: Labels, table: Path, how: TrainSettings, splits: dict[str, str]) -> Task:
    material = prepare(labels, table, how, splits=splits)
    parts = (material.examples.of(split) for split in ("train", "val"))
    return Task(*parts, sounds_of(material.clips), "softmax", how)


def tune_once(task: Task, model: Path, folder: Path, layer: int) -> None:
    from beats_trainer.train.finetune import fine_tune

    encoder = load_model(model, device="cpu")
    fine_tune(encoder, _zeros(task), task, folder, layer=layer, pooling="mean", normalize=True, sha256="0")


def bare_epoch(task: Task, model: Path, layer: int) -> None:
    """What anybody would write: read, forward, backward, clip, step."""
    tuned = Tuned(load_model(model, device="cpu"), _zeros(task), layer=layer, pooling="mean", normalize=True)
    optimizer = torch.optim.AdamW(rate_groups(tuned, rate=1e-4, decay=0.01, layer_decay=0.75), lr=1e-4)
    tuned.train()
    for units in _batches(len(task.train), task.settings.batch):
        batch = Batch.whole(replace(task, val=task.train), units)
        loss = torch.nn.functional.cross_entropy(tuned(batch.waveforms), batch.targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(tuned.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()


def _batches(count: int, batch: int) -> Iterator[np.ndarray]:
    return (np.arange(first, min(first + batch, count)) for first in range(0, count, batch))


def _zeros(task: Task) -> Linear:
    count = len(task.train.labels)
    return Linear(np.zeros((count, SMALL.encoder_embed_dim), np.float32), np.zeros(count, np.float32))


def timed(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


if __name__ == "__main__":
    main()
