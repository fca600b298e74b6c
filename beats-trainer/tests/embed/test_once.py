"""Exactly once: whatever happens in between, the table is that of an undisturbed run."""

from __future__ import annotations

import random
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest
from beats_trainer.embed.run import Run
from beats_trainer.recordings.sources import Shard, find_sources, parse_shard
from beats_trainer.table.files import Output
from beats_trainer.table.lock import lock_shard
from embed_crash import crash
from sounds import TINY

SCRIPT = """
import sys
from beats_trainer.load import load_model
from beats_trainer.embed.encode import Encoding
from beats_trainer.embed.encode import Gathering
from beats_trainer.embed.run import Options, Run
from beats_trainer.table.settings import Settings
from beats_trainer.recordings.sources import find_sources
checkpoint, out, *places = sys.argv[1:]
model = load_model(checkpoint, device="cpu")
encoding = Encoding(model, Settings("tiny", "0" * 64, clip_s=0.5, hop_s=0.5, layers=(model.n_layers,),
                                    dim=model.config.encoder_embed_dim))
encoding.gathering = Gathering(8_000, 4.0, 4.0)
print("ready", flush=True)
Run(find_sources(places), encoding, out, Options(rows_per_part=10))()
"""


def start(out, *places):
    command = [sys.executable, "-c", SCRIPT, str(TINY), str(out), *map(str, places)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    process.stdout.readline()
    return process


def rows(path):
    table = pq.read_table(path, partitioning=None).select(["recording", "start_s", "end_s", "embedding"])
    return sorted(zip(*(table[name].to_pylist() for name in table.column_names), strict=True))


def same(one, other):
    assert [row[:3] for row in one] == [row[:3] for row in other]
    assert np.allclose([row[3] for row in one], [row[3] for row in other], atol=2e-5)


@pytest.mark.parametrize("name", ["table", "table.parquet"])
def test_a_run_that_is_killed_again_and_again_leaves_no_row_out_and_none_twice(record, tmp_path, name):
    for i in range(12):
        record(f"sounds/{i:02d}.wav", 0.7 + i / 5, seed=i)
    record("sounds/long.wav", 60, 48_000, 2)
    (tmp_path / "sounds" / "broken.wav").write_text("no sound")
    undisturbed = tmp_path / f"undisturbed-{name}"
    with start(undisturbed, tmp_path / "sounds") as process:
        assert process.wait() == 0
    rng, kills = random.Random(7), 0
    for _ in range(4):
        with start(tmp_path / name, tmp_path / "sounds") as process:
            try:
                assert process.wait(rng.uniform(0.0, 0.3)) == 0
                break
            except subprocess.TimeoutExpired:
                process.kill()
                kills += 1
    else:
        with start(tmp_path / name, tmp_path / "sounds") as process:
            assert process.wait() == 0
    assert kills > 0
    same(rows(tmp_path / name), rows(undisturbed))
    assert Output(tmp_path / name).report.read_text() == Output(undisturbed).report.read_text()


def test_what_a_killed_run_left_of_a_part_goes(record, run, tmp_path):
    left = tmp_path / "t" / "_beats" / "open" / "shard=1" / "part-1.parquet.incomplete"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"PAR1")
    run(tmp_path / "t", record("a.wav", 2))
    assert not list((tmp_path / "t").rglob("*.incomplete"))
    assert len(rows(tmp_path / "t")) == 2


def test_a_run_that_fails_leaves_no_part_behind(record, run, encoding, tmp_path):
    def failing(clips):
        message = "the model is gone"
        raise RuntimeError(message)

    failing.settings, failing.gathering = encoding().settings, encoding().gathering
    sources = find_sources([record("a.wav", 2)])
    with pytest.raises(RuntimeError, match="gone"):
        Run(sources, failing, tmp_path / "t")()
    assert not [p for p in (tmp_path / "t").rglob("*") if "part-" in p.name]


def test_a_second_run_embeds_nothing_and_a_new_recording_alone(record, run, tmp_path):
    record("sounds/a.wav")
    assert run(tmp_path / "t", tmp_path / "sounds").progress.clips == 3
    assert run(tmp_path / "t", tmp_path / "sounds").progress.clips == 0
    record("sounds/b.wav", seed=1)
    assert run(tmp_path / "t", tmp_path / "sounds").progress.clips == 3
    assert len(rows(tmp_path / "t")) == 6


@pytest.mark.parametrize("name", ["table", "table.parquet"])
def test_other_settings_are_refused_with_the_difference(record, run, tmp_path, name):
    path = record("a.wav")
    run(tmp_path / name, path)
    with pytest.raises(ValueError, match="pooling: 'mean' there, 'max' now"):
        run(tmp_path / name, path, settings={"pooling": "max"})
    assert run(tmp_path / name, path, settings={"pooling": "max"}, resume=False).progress.clips == 3


def test_shards_take_every_recording_once(record, run, tmp_path):
    for i in range(10):
        record(f"sounds/{i}.wav", 1, seed=i)
    for k in (1, 2, 3):
        run(tmp_path / "shards", tmp_path / "sounds", shard=Shard(k, 3))
    run(tmp_path / "whole", tmp_path / "sounds")
    same(rows(tmp_path / "shards"), rows(tmp_path / "whole"))
    assert len(list((tmp_path / "shards").glob("shard=*"))) > 1  # names, and so shards, depend on tmp_path


def test_two_processes_on_one_table_are_refused(record, run, tmp_path):
    path = record("a.wav")
    book = Output(tmp_path / "t").book / "locks"
    with lock_shard(book, Shard()), pytest.raises(BlockingIOError, match="another process"):
        run(tmp_path / "t", path)
    with lock_shard(book, Shard(1, 2)), lock_shard(book, Shard(2, 2)), pytest.raises(BlockingIOError):
        run(tmp_path / "t", path, shard=Shard(1, 3))
    assert run(tmp_path / "t", path).progress.clips == 3


def test_a_lock_ends_with_the_process_that_held_it(tmp_path, record):
    record("a.wav", 120)
    process = start(tmp_path / "t", tmp_path / "a.wav")
    time.sleep(0.3)
    process.kill()
    process.communicate()
    with lock_shard(Output(tmp_path / "t").book / "locks", Shard()):
        pass


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b"])
def test_a_shard_that_is_none_is_refused(text):
    with pytest.raises(ValueError, match="K/N"):
        parse_shard(text)


def test_hundreds_of_files_with_damaged_ones_among_them_survive_kills(tmp_path):
    """The short form of `make embed-crash`."""
    figures = crash(tmp_path, TINY, files=300, kills=3, seed=11)
    assert figures["kills"] > 0
    assert figures["rows"] > 300
