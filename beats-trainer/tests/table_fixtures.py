from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from beats_trainer.cli.main import main
from click.testing import CliRunner
from sounds import TINY, noise


def run_beats(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def beats():
    """Runs the command."""
    return run_beats


@pytest.fixture(scope="session")
def embedded(tmp_path_factory):
    """A table of four recordings of 2 to 5 s in clips of 2 s, of two recorders; and their folder."""
    folder = tmp_path_factory.mktemp("view")
    for i in range(4):
        path = folder / "sounds" / f"recorder{i % 2}" / f"20240501_0{i}3000.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, noise(2 + i, 16_000, 1, seed=i), 16_000)
    done = run_beats("embed", folder / "sounds", "-o", folder / "t", "--model", TINY, "--clip-s", 2)
    assert done.exit_code == 0, done.output
    return folder / "t", folder / "sounds"


@pytest.fixture
def table(embedded):
    return embedded[0]


@pytest.fixture
def write_table():
    """Writes rows by chance as parts of a table; returns its vectors."""

    def write(out, *sizes, dim=16, seed=0, dtype="float32", columns=None, settings=None):
        made = np.random.default_rng(seed).standard_normal((sum(sizes), dim)).astype(dtype)
        start = 0
        for size in sizes:
            name = f"part-{start:020d}-{seed}.parquet"
            _write_part(out / "shard=1" / name, made[start : start + size], start, columns, settings)
            start += size
        return made

    return write


def _write_part(path, vectors, start, columns, settings):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = np.arange(start, start + len(vectors))
    flat = pa.array(np.ascontiguousarray(vectors).reshape(-1))
    data = {
        "recording": pa.array([f"{i // 10}.wav" for i in rows], pa.string()),
        "start_s": pa.array(rows % 10 * 1.0),
        "end_s": pa.array(rows % 10 + 1.0),
        **{name: pa.array([value(int(i)) for i in rows]) for name, value in (columns or {}).items()},
        "embedding": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
    }
    metadata = {b"beats": json.dumps(settings or {}).encode()}
    table = pa.table(data).replace_schema_metadata(metadata)
    pq.write_table(table, path, compression="none", use_dictionary=["recording"])  # as `beats embed` does
