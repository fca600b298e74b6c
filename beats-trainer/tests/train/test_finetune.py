"""The encoder itself learns: it changes, goes on after a kill, and scores the same everywhere."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
import torch
from beats_trainer.checkpoint.untrained import write_untrained
from beats_trainer.embed.start import embed_recordings
from beats_trainer.errors import CheckpointError
from beats_trainer.fine_tuning import TABLE, fit_encoder
from beats_trainer.load import load_model
from beats_trainer.train import finetune
from beats_trainer.train.annotations import LabelsError
from beats_trainer.train.evaluate import read_predictions
from beats_trainer.train.finetune import STATE
from beats_trainer.train.formats import read_labels
from beats_trainer.train.head_file import ENCODER, load_head
from beats_trainer.train.probe import Linear
from beats_trainer.train.publication import base_digest
from beats_trainer.train.run import fit, prepare
from beats_trainer.train.score import scored_clips
from beats_trainer.train.settings import TrainSettings
from beats_trainer.train.sounds import sounds_of, vary
from beats_trainer.train.tune_batches import Batch, Task
from beats_trainer.train.tuned import Tuned, rate_groups
from learning import RATE, SMALL, call, write_calls

KILLS = 20 if os.environ.get("BEATS_TEST_FULL") else 2
QUICK = TrainSettings(method="finetune", epochs=3, batch=4, rate=3e-3, layerdrop=0.0, val=0.25, test=0.25)


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    """Recordings of two calls, an untrained encoder, and the table that it makes of them."""
    folder = tmp_path_factory.mktemp("calls")
    model = write_untrained(folder / "small.pt", config=SMALL)
    labels = read_labels(write_calls(folder / "calls"))
    embed_recordings(labels.recordings, folder / "table.parquet", model=model, clip_s=1.0)
    return labels, folder / "table.parquet", model


def tune(calls, output, settings=QUICK, **more):
    labels, table, model = calls
    return fit_encoder(labels, table, output, settings, model=model, **more)


def task_of(material):
    train, val = (material.examples.of(split) for split in ("train", "val"))
    return Task(train, val, sounds_of(material.clips), "softmax", QUICK)


def test_a_run_is_whole_and_its_scores_are_the_same_wherever_they_are_asked_for(calls, tmp_path):
    heard = []
    fitted = tune(calls, tmp_path / "run", callback=lambda name, value: heard.append((name, value)))
    assert fitted.head.method == "finetune"
    assert not (tmp_path / "run" / STATE).exists()
    written = read_predictions(tmp_path / "run" / "predictions.parquet")
    head = load_head(tmp_path / "run" / "head.safetensors")
    by_clip = {clip.recording: clip.scores for clip in scored_clips(head, tmp_path / "run" / TABLE)}
    for recording, scores in zip(written.recordings, written.scores, strict=True):
        assert np.abs(by_clip[recording] - scores).max() < 1e-5
    encoder = load_model(tmp_path / "run" / ENCODER, device="cpu")
    sound, _ = soundfile.read(written.recordings[0], dtype="float32")
    vector = encoder(torch.from_numpy(sound)).mean(dim=1)
    unit = torch.nn.functional.normalize(vector, dim=-1).detach().numpy()
    assert np.abs(head.scores(unit)[0] - written.scores[0]).max() < 1e-5
    assert [value for name, value in heard if name == "progress"][-1] == 1.0
    assert len([name for name, _ in heard if name == "val_loss"]) == 3
    assert json.loads((tmp_path / "run" / "metrics.json").read_text()) == fitted.metrics


def test_the_encoder_itself_changes_and_validation_gets_better(calls, tmp_path):
    """The loss on validation falls, and it is the encoder that changes."""
    losses = []
    tune(
        calls, tmp_path / "run", replace(QUICK, epochs=8, augment=False, smoothing=0.0),
        callback=lambda name, value: losses.append(value) if name == "val_loss" else None,
    )  # fmt: skip
    model = calls[2]
    before = load_model(model, device="cpu").state_dict()
    after = load_model(tmp_path / "run" / ENCODER, device="cpu").state_dict()
    assert min(losses) < losses[0]
    assert any(not torch.equal(before[name], after[name]) for name in before)


def test_what_was_best_on_validation_is_what_comes_out(calls, tmp_path, monkeypatch):
    """The losses are made by hand here, so that the second of three epochs is the best."""
    losses, kept = iter((3.0, 1.0, 2.0)), []
    monkeypatch.setattr(finetune._Run, "_val_loss", lambda _run: next(losses))

    def keep(name: str, _value: float) -> None:
        if name == "val_loss":
            kept.append(torch.load(tmp_path / "run" / STATE, weights_only=True)["model"])

    tune(calls, tmp_path / "run", callback=keep)
    found = load_model(tmp_path / "run" / ENCODER, device="cpu").state_dict()
    assert all(torch.equal(found[name], kept[1][f"encoder.{name}"]) for name in found)
    assert not all(torch.equal(found[name], kept[2][f"encoder.{name}"]) for name in found)


def test_a_run_that_was_interrupted_goes_on_to_the_same_weights(calls, tmp_path):
    """Ctrl-C at any step: what is learnt afterwards is the same bit for bit."""
    tune(calls, tmp_path / "whole")
    seen = 0

    def interrupt(name: str, _value: float) -> None:
        nonlocal seen
        seen += name == "loss"
        if name == "loss" and seen in (2, 5, 6):
            raise KeyboardInterrupt

    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            tune(calls, tmp_path / "cut", callback=interrupt)
        assert (tmp_path / "cut" / STATE).is_file()
    tune(calls, tmp_path / "cut")
    assert (tmp_path / "cut" / ENCODER).read_bytes() == (tmp_path / "whole" / ENCODER).read_bytes()
    one, other = (load_head(tmp_path / run / "head.safetensors") for run in ("whole", "cut"))
    assert np.array_equal(one.weight, other.weight)


def test_what_was_learnt_is_kept_until_it_is_written(calls, tmp_path, monkeypatch):
    """A disk that is full when the encoder is to be saved, or a kill there, costs nothing that was learnt."""
    tune(calls, tmp_path / "whole")

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no room")

    with monkeypatch.context() as full:
        full.setattr("beats_trainer.fine_tuning.save_checkpoint", refuse)
        with pytest.raises(OSError, match="no room"):
            tune(calls, tmp_path / "run")
    steps = []
    tune(calls, tmp_path / "run", callback=lambda name, _value: steps.append(name))
    assert "loss" not in steps
    assert (tmp_path / "run" / ENCODER).read_bytes() == (tmp_path / "whole" / ENCODER).read_bytes()
    assert not (tmp_path / "run" / STATE).exists()


def test_the_state_of_another_run_is_refused(calls, tmp_path):
    def interrupt(name: str, _value: float) -> None:
        if name == "loss":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(calls, tmp_path / "run", callback=interrupt)
    with pytest.raises(LabelsError, match="is the state of another run"):
        tune(calls, tmp_path / "run", replace(QUICK, rate=1e-3))
    tune(calls, tmp_path / "run", replace(QUICK, accumulate=2))  # the same, in other parts


def test_parts_of_a_step_give_the_same_as_the_whole_step(calls, tmp_path):
    one = tune(calls, tmp_path / "one", replace(QUICK, augment=False, epochs=2))
    parts = tune(calls, tmp_path / "parts", replace(QUICK, augment=False, epochs=2, accumulate=3))
    assert np.abs(one.head.weight - parts.head.weight).max() < 1e-5


WORKER = """
import sys
from beats_trainer.fine_tuning import fit_encoder
from beats_trainer.train.formats import read_labels
from beats_trainer.train.settings import TrainSettings, read_params
from pathlib import Path
labels, table, output, model, params = sys.argv[1:]
fit_encoder(read_labels(Path(labels)), table, output, read_params(Path(params)), model=model)
"""


@pytest.mark.slow
def test_two_processes_learn_what_one_learns(calls, tmp_path):
    from beats_trainer.train.settings import write_params

    labels, table, model = calls
    settings = replace(QUICK, augment=False, epochs=2)
    one = tune(calls, tmp_path / "one", settings)
    write_params(settings, tmp_path / "params.yaml")
    (tmp_path / "worker.py").write_text(WORKER)
    folder = Path(labels.recordings[0]).parents[1]
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    given = [tmp_path / "worker.py", folder, table, tmp_path / "two", model, tmp_path / "params.yaml"]
    done = subprocess.run(
        [*launch, *map(str, given)], capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    two = load_head(tmp_path / "two" / "head.safetensors")
    assert np.abs(one.head.weight - two.weight).max() < 1e-5


def test_another_encoder_than_the_tables_is_refused(calls, tmp_path):
    labels, table, _ = calls
    other = write_untrained(tmp_path / "other.pt", seed=1, config=SMALL)
    with pytest.raises(CheckpointError, match="is not the encoder of the table"):
        fit_encoder(labels, table, tmp_path / "run", QUICK, model=other)


def test_each_layer_learns_slower_than_the_one_above_and_vectors_do_not_decay(calls):
    encoder = load_model(calls[2], device="cpu")
    tuned = Tuned(encoder, Linear(np.zeros((2, 48), np.float32), np.zeros(2, np.float32)), layer=2,
                  pooling="mean", normalize=True)  # fmt: skip
    groups = rate_groups(tuned, rate=1.0, decay=0.01, layer_decay=0.5)
    assert sorted({group["rate"] for group in groups}) == [0.25, 0.5, 1.0, 10.0]
    for group in groups:
        for one in group["params"]:
            assert (group["weight_decay"] > 0) is (one.ndim > 1)
    trained = {id(one) for group in groups for one in group["params"]}
    third = {id(one) for one in encoder.encoder.layers[2].parameters()}
    assert not trained & third
    assert len(trained) == sum(one.requires_grad for one in tuned.parameters())


def test_what_is_drawn_depends_on_the_clip_and_the_epoch_alone(calls):
    labels, table, _ = calls
    task = task_of(prepare(labels, table, QUICK))
    both = Batch.drawn(task, np.array([1, 2]), epoch=3)
    alone = Batch.drawn(task, np.array([2]), epoch=3)
    assert torch.equal(both.waveforms[1], alone.waveforms[0])
    assert not torch.equal(Batch.drawn(task, np.array([2]), epoch=4).waveforms[0], alone.waveforms[0])


def test_a_clip_is_read_as_it_was_embedded(calls):
    labels, table, model = calls
    material = prepare(labels, table, QUICK)
    sound = sounds_of(material.clips)(3)
    vector = load_model(model, device="cpu")(torch.from_numpy(sound)).mean(dim=1)
    unit = torch.nn.functional.normalize(vector, dim=-1).detach().numpy()[0]
    assert np.abs(unit - material.clips.vectors[3]).max() < 1e-5


def test_a_change_of_ones_own_is_made_to_every_clip():
    dice = np.random.default_rng(0)
    silent = vary(np.ones(100, np.float32), dice, augment=lambda samples, rate: samples * 0.0 + rate)
    assert (silent == 16_000).all()


def test_a_bag_is_learnt_from_some_of_its_clips(calls, tmp_path):
    """Of recordings of six clips with one label an epoch hears four each, the next one others."""
    folder = tmp_path / "long"
    for label in ("robin", "wren"):
        (folder / label).mkdir(parents=True)
        for number in range(6):
            parts = [call("noise", 1000 * len(label) + 7 * number + part) for part in range(5)] + [
                call(label, number + 500 * len(label))
            ]
            soundfile.write(folder / label / f"{number}.wav", np.concatenate(parts), RATE)
    labels = read_labels(folder)
    embed_recordings(labels.recordings, tmp_path / "t.parquet", model=calls[2], clip_s=1.0)
    task = task_of(prepare(labels, tmp_path / "t.parquet", QUICK))
    batch = Batch.drawn(task, np.array([0, 1]), epoch=0)
    assert batch.unit.tolist() == [0] * 4 + [1] * 4
    assert fit_encoder(labels, tmp_path / "t.parquet", tmp_path / "run", QUICK, model=calls[2])


def test_layer_0_has_nothing_below_it(calls, tmp_path):
    labels, _, model = calls
    embed_recordings(labels.recordings, tmp_path / "t.parquet", model=model, clip_s=1.0, layers=[0])
    with pytest.raises(LabelsError, match="nothing of the encoder lies below it"):
        fit_encoder(labels, tmp_path / "t.parquet", tmp_path / "run", QUICK, model=model)


def test_a_table_of_single_channels_is_refused(calls, tmp_path):
    labels, _, model = calls
    embed_recordings(labels.recordings, tmp_path / "t.parquet", model=model, clip_s=1.0, channels="each")
    with pytest.raises(LabelsError, match="--channels mix or first"):
        fit_encoder(labels, tmp_path / "t.parquet", tmp_path / "run", QUICK, model=model)


def test_fit_says_that_the_encoder_is_not_its_matter(calls, tmp_path):
    labels, table, _ = calls
    with pytest.raises(LabelsError, match="fit_encoder"):
        fit(labels, table, tmp_path / "run", QUICK)


def beats(*arguments, **options):
    command = [sys.executable, "-m", "beats_trainer", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=280, check=False, **options)


def test_the_command_learns_and_what_it_made_hears_recordings_from_any_folder(calls, tmp_path):
    labels, _, model = calls
    folder = Path(labels.recordings[0]).parents[1]
    small = ["--set", "epochs=2", "--set", "batch=4", "--set", "rate=0.003"]
    done = beats("train", folder, "-o", tmp_path / "run", "--method", "finetune", "--model", model,
                 "--clip-s", 1, *small)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "epoch 2 of at most 2: loss" in done.stderr
    written = read_predictions(tmp_path / "run" / "predictions.parquet")
    away = tmp_path / "away"
    away.mkdir()
    heard = beats("classify", written.recordings[0], "--model", tmp_path / "run", "-o", "s.parquet", cwd=away)
    assert heard.returncode == 0, heard.stderr
    scores = pq.read_table(away / "s.parquet")["scores"][0].as_py()
    assert np.abs(np.array(scores) - written.scores[0]).max() < 1e-5
    figures = beats(
        "evaluate", tmp_path / "run", folder, "--table", tmp_path / "run" / TABLE, "-o", "f", cwd=away
    )
    assert figures.returncode == 0, figures.stderr


@pytest.mark.slow
def test_what_learnt_is_published_with_its_encoder_and_used_by_its_name(calls, tmp_path, hub):
    fitted = tune(calls, tmp_path / "run")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    env = kept | {"HF_TOKEN": hub.user("alice"), "HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "hf")}
    sent = beats("publish", tmp_path / "run", "--to", "alice/tuned", "--licence", "mit", env=env)
    assert sent.returncode == 0, sent.stderr
    base = fitted.metrics["base"]
    assert base["sha256"] == hashlib.sha256(calls[2].read_bytes()).hexdigest()
    assert base_digest(tmp_path / "run", fitted.head) == base["sha256"]
    recording = read_predictions(tmp_path / "run" / "predictions.parquet").recordings[0]
    heard = beats("classify", recording, "--model", "alice/tuned", "-o", tmp_path / "s.parquet", env=env)
    assert heard.returncode == 0, heard.stderr
    words = ("classify", recording, "--model", "alice/tuned", "-o", tmp_path / "offline.parquet")
    offline = beats(*words, env=env | {"HF_HUB_OFFLINE": "1"})
    assert offline.returncode == 0, offline.stderr
    known = {clip.recording: clip.scores for clip in scored_clips(fitted.head, tmp_path / "run" / TABLE)}
    scores = pq.read_table(tmp_path / "s.parquet")["scores"][0].as_py()
    assert np.abs(np.array(scores) - known[recording]).max() < 1e-5


@pytest.mark.slow
def test_a_run_that_is_killed_at_any_moment_goes_on_to_the_same_weights(calls, tmp_path):
    """kill -9; `make train-crash` does it twenty times."""
    labels, table, model = calls
    folder = Path(labels.recordings[0]).parents[1]
    given = ["train", folder, "--table", table, "--model", model, "--method", "finetune",
             "--set", "epochs=6", "--set", "batch=2"]  # fmt: skip
    assert beats(*given, "-o", tmp_path / "whole").returncode == 0
    draw, kills = random.Random(KILLS), 0
    while kills < KILLS:
        command = [sys.executable, "-m", "beats_trainer", *map(str, given), "-o", str(tmp_path / "cut")]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(draw.uniform(2.5, 9.0))
        if process.poll() is not None:
            shutil.rmtree(tmp_path / "cut")  # it was done: once more from the start
            continue
        process.kill()
        process.wait()
        kills += 1
    assert beats(*given, "-o", tmp_path / "cut").returncode == 0
    assert (tmp_path / "cut" / ENCODER).read_bytes() == (tmp_path / "whole" / ENCODER).read_bytes()


def test_a_rate_that_is_too_high_is_said_with_a_lower_one(calls, tmp_path):
    with pytest.raises(LabelsError, match=r"gives the same for all sound.*say --set rate=0\.2"):
        tune(calls, tmp_path / "run", replace(QUICK, rate=1.0, epochs=30, patience=30))
    assert not (tmp_path / "run" / "head.safetensors").exists()


def test_a_loss_that_is_no_number_ends_the_run(calls, tmp_path, monkeypatch):
    """What half precision and a high rate can come to; here it is made by hand."""
    forward = Tuned.forward
    monkeypatch.setattr(Tuned, "forward", lambda self, sounds: forward(self, sounds) * float("nan"))
    with pytest.raises(LabelsError, match="the loss is no number any more, in epoch 1"):
        tune(calls, tmp_path / "run")
    assert not (tmp_path / "run" / "head.safetensors").exists()


def test_too_little_memory_names_the_settings_to_lower(calls, tmp_path, monkeypatch):
    """What a GPU says; here it is said by hand."""

    def refuse(*_: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(Tuned, "forward", refuse)
    with pytest.raises(LabelsError, match=r"--set accumulate=2.*--clip-s"):
        tune(calls, tmp_path / "run")


def test_ctrl_c_ends_between_two_steps_says_so_and_the_same_command_goes_on(calls, tmp_path):
    labels, table, model = calls
    folder = Path(labels.recordings[0]).parents[1]
    given = ["train", folder, "--table", table, "--model", model, "--method", "finetune",
             "-o", tmp_path / "run",
             "--set", "epochs=40", "--set", "patience=40", "--set", "batch=2"]  # fmt: skip
    command = [sys.executable, "-m", "beats_trainer", *map(str, given)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "epoch 1 of at most 40" in line:
            process.send_signal(signal.SIGINT)
            break
    rest = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 130
    assert "the same command goes on from here" in rest
    assert (tmp_path / "run" / STATE).is_file()
    again = beats(*given[:-6], "--set", "epochs=3", "--set", "patience=40", "--set", "batch=2")
    assert again.returncode == 0, again.stderr
    assert "epoch 1 of" not in again.stderr
    assert (tmp_path / "run" / ENCODER).is_file()


def test_a_stage_learns_once(calls, tmp_path):
    refused = beats("train", calls[0].recordings[0], "-o", tmp_path / "run", "--dvc", "--folds", 3)
    assert "--dvc or --folds, not both" in refused.stderr


def test_noise_and_the_draw_of_units_are_the_same_with_the_same_seed(calls, tmp_path):
    labels, table, model = calls
    soundfile.write(tmp_path / "wind.wav", call("", 7, seconds=3.0), RATE)
    weights = {}
    for name, noise in (("one", tmp_path), ("two", tmp_path), ("without", "none")):
        made = beats(
            "train", Path(labels.recordings[0]).parents[1], "--table", table, "--model", model, "-o",
            tmp_path / name, "--method", "finetune", "--balance", "sample", "--noise", noise,
            "--set", "epochs=1", "--set", "batch=8", "--set", "rate=0.001",
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        weights[name] = hashlib.sha256((tmp_path / name / ENCODER).read_bytes()).hexdigest()
    assert weights["one"] == weights["two"] != weights["without"]


def test_an_epoch_has_each_unit_once_or_as_it_is_drawn(calls):
    task = task_of(prepare(calls[0], calls[1], QUICK))
    assert sorted(task.order(0)) == list(range(len(task.train)))
    drawn = replace(task, settings=replace(QUICK, balance="sample"))
    assert len(set(drawn.order(0))) < len(drawn.order(0)) == len(task.train)
    assert drawn.order(0).tolist() == drawn.order(0).tolist() != drawn.order(1).tolist()
