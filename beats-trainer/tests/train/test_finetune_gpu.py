"""Fine-tuning on a GPU: the same loop, in bfloat16, and a memory that ends. Run on a machine that has one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from beats_trainer.checkpoint.untrained import write_untrained
from beats_trainer.embed.start import embed_recordings
from beats_trainer.fine_tuning import TABLE, fit_encoder
from beats_trainer.train.annotations import LabelsError
from beats_trainer.train.evaluate import read_predictions
from beats_trainer.train.finetune import STATE
from beats_trainer.train.formats import read_labels
from beats_trainer.train.head_file import load_head
from beats_trainer.train.probe import pool_bags
from beats_trainer.train.score import scored_clips
from beats_trainer.train.settings import TrainSettings
from learning import SMALL, write_calls

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a CUDA GPU: run this file on a machine that has one"
)
QUICK = TrainSettings(method="finetune", epochs=6, batch=4, rate=3e-3, layerdrop=0.0, val=0.25, test=0.25)


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    """Recordings of three seconds, each a bag of three clips."""
    folder = tmp_path_factory.mktemp("calls")
    model = write_untrained(folder / "small.pt", config=SMALL)
    labels = read_labels(write_calls(folder / "calls", seconds=3.0))
    embed_recordings(labels.recordings, folder / "table.parquet", model=model, clip_s=1.0)
    return labels, folder / "table.parquet", model


def test_bags_are_pooled_where_their_clips_lie():
    logits, unit = torch.randn(5, 3), torch.tensor([0, 0, 1, 1, 1])
    there = pool_bags(logits.cuda(), unit.cuda(), 2)
    assert there.device.type == "cuda"
    torch.testing.assert_close(there.cpu(), pool_bags(logits, unit, 2))


def test_a_run_learns_and_its_scores_are_those_of_its_files(calls, tmp_path):
    losses = []
    labels, table, model = calls
    fitted = fit_encoder(
        labels, table, tmp_path / "run", QUICK, model=model,
        callback=lambda name, value: losses.append(value) if name == "val_loss" else None,
    )  # fmt: skip
    assert min(losses) < losses[0]
    written = read_predictions(tmp_path / "run" / "predictions.parquet")
    head = load_head(tmp_path / "run" / "head.safetensors")
    assert np.array_equal(head.weight, fitted.head.weight)
    assert len(list(scored_clips(head, tmp_path / "run" / TABLE))) == 72
    assert np.isfinite(written.scores).all()


def test_an_interrupted_run_goes_on(calls, tmp_path):
    labels, table, model = calls

    def stop(name: str, _value: float) -> None:
        if name == "val_loss":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_encoder(labels, table, tmp_path / "run", QUICK, model=model, callback=stop)
    assert (tmp_path / "run" / STATE).is_file()
    steps = []
    fit_encoder(
        labels, table, tmp_path / "run", QUICK, model=model,
        callback=lambda name, _value: steps.append(name) if name == "val_loss" else None,
    )  # fmt: skip
    assert len(steps) == QUICK.epochs - 1


def test_too_little_memory_names_the_settings_to_lower(calls, tmp_path):
    """A bar of a few megabytes on what this process may take, which the first step does not fit into."""
    labels, table, model = calls
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(1e-4)
    try:
        with pytest.raises(LabelsError, match="--set accumulate=2"):
            fit_encoder(labels, table, tmp_path / "run", replace(QUICK, batch=12), model=model)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
