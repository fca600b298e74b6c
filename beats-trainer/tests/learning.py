"""Tables of made embeddings, and labels of them, for the tests of what is learnt."""

from __future__ import annotations

import json
from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
from beats_trainer.encoder.config import BEATsConfig
from beats_trainer.table.settings import Settings
from beats_trainer.train.annotations import Annotation, Labels

DIM = 16
SETTINGS = Settings("made", "ab" * 32, DIM, (12,), clip_s=1.0, hop_s=1.0, normalize=False)


def write_clips(path, vectors, recordings, *, starts=None, sites=None, settings=SETTINGS):
    """A table of clips of 1 s, in the form of `beats embed`."""
    starts = np.zeros(len(vectors)) if starts is None else np.asarray(starts, float)
    columns = {
        "recording": pa.array(recordings, pa.string()),
        "start_s": pa.array(starts),
        "end_s": pa.array(starts + 1.0),
        "channel": pa.array([None] * len(vectors), pa.int16()),
        "site": pa.array(sites or [None] * len(vectors), pa.string()),
        "embedding": pa.FixedSizeListArray.from_arrays(
            pa.array(np.ascontiguousarray(vectors, np.float32).reshape(-1)), vectors.shape[1]
        ),
    }
    written = json.dumps(asdict(settings) | {"layers": list(settings.layers)}).encode()
    pq.write_table(pa.table(columns).replace_schema_metadata({b"beats": written}), path)
    return path


def clouds(count, labels=("robin", "wren", "thrush"), *, apart=3.0, dim=DIM, seed=0):
    """Vectors of each label round a middle of its own, recordings named by label, and their labels."""
    draw = np.random.default_rng(seed)
    middles = draw.standard_normal((len(labels), dim)) * apart / np.sqrt(dim)
    vectors = np.concatenate([draw.standard_normal((count, dim)) + middle for middle in middles])
    recordings = [f"calls/{label}/{number:04d}.wav" for label in labels for number in range(count)]
    said = [Annotation(name, name.split("/")[1]) for name in recordings]
    return vectors.astype(np.float32), recordings, Labels(tuple(said), exhaustive=True)


RATE = 16_000
PITCH = {"robin": 3_000, "wren": 1_000}


def call(label, seed, seconds=1.0):
    """A tone that swells and fades, in noise."""
    draw, time = np.random.default_rng(seed), np.arange(int(seconds * RATE)) / RATE
    tone = np.sin(2 * np.pi * PITCH[label] * time) * np.hanning(len(time)) * 0.3 if label in PITCH else 0
    return (tone + draw.standard_normal(len(time)) * 0.01).astype(np.float32)


SMALL = BEATsConfig(
    encoder_layers=3, encoder_embed_dim=48, encoder_ffn_embed_dim=96, encoder_attention_heads=4, embed_dim=32,
    conv_pos=16, conv_pos_groups=4, dropout=0.0, attention_dropout=0.0, encoder_layerdrop=0.0,
)  # fmt: skip


def write_calls(folder, *, seconds=1.0):
    """Twelve recordings of each call, in folders named by label."""
    for label in PITCH:
        (folder / label).mkdir(parents=True)
        for number in range(12):
            seed = number + 100 * (label == "wren")
            soundfile.write(folder / label / f"{number}.wav", call(label, seed, seconds), RATE)
    return folder
