"""Heads against scikit-learn's and against references made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from beats_trainer.train.annotations import Labels
from beats_trainer.train.balance import balanced, draw_units
from beats_trainer.train.evaluate import (
    average_precision,
    calibration_error,
    class_mean,
    measure,
    predictions_of,
    resampled,
)
from beats_trainer.train.examples import join_labels, read_clips
from beats_trainer.train.probe import (
    Scaling,
    activation_of,
    fit_centroids,
    fit_probe,
    fit_temperature,
    mean_loss,
    pool_bags,
)
from learning import DIM, clouds, write_clips
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score


@pytest.fixture
def examples(tmp_path):
    """A hundred units of each of three labels that overlap."""

    def make(count=100, labels=("robin", "wren", "thrush"), **options):
        vectors, recordings, said = clouds(count, labels, **options)
        return join_labels(read_clips(write_clips(tmp_path / "t.parquet", vectors, recordings)), said)

    return make


@pytest.mark.parametrize("strength", [0.01, 1.0, 100.0])
def test_the_probe_answers_as_the_logistic_regression_of_scikit_learn(examples, strength):
    learnt, tried = examples(400, seed=1), examples(400, seed=1)
    assert activation_of(learnt) == "softmax"
    ours = fit_probe(learnt, None, "softmax", strength=strength).unit_logits(tried).argmax(1)
    scaling = Scaling.of(learnt.vectors)
    theirs = LogisticRegression(C=strength, max_iter=2_000, tol=1e-8).fit(
        scaling(learnt.vectors), learnt.targets.argmax(1)
    )
    assert (ours == theirs.predict(scaling(tried.vectors).numpy())).mean() >= 0.999


def test_each_label_of_several_is_a_logistic_regression_of_its_own(examples):
    learnt = examples(200)
    logits = fit_probe(learnt, None, "sigmoid", strength=1.0).unit_logits(learnt)
    scaled = Scaling.of(learnt.vectors)(learnt.vectors).numpy()
    for index in range(3):
        theirs = LogisticRegression(C=1.0, max_iter=2_000, tol=1e-8).fit(scaled, learnt.targets[:, index])
        assert np.abs(logits[:, index] - theirs.decision_function(scaled)).max() < 1e-2
        assert ((logits[:, index] > 0) == theirs.predict(scaled)).mean() >= 0.999


def test_a_feature_that_differs_by_rounding_alone_changes_nothing(examples):
    """One that is the same but for the last bit of float32 would be blown up to the size of the others."""
    learnt = examples(100)
    draw = np.random.default_rng(3)
    steady = np.float32(2.3916926) + draw.integers(0, 2, len(learnt)).astype(np.float32) * np.float32(2.4e-7)
    vectors = np.concatenate([learnt.vectors, steady[:, None]], axis=1)
    plain = fit_probe(learnt, None, "softmax", strength=1.0).unit_logits(learnt)
    found = fit_probe(replace(learnt, vectors=vectors), None, "softmax", strength=1.0)
    assert np.abs(found.unit_logits(replace(learnt, vectors=vectors)) - plain).max() < 1e-3
    assert np.abs(found.weight).max() < 100


def test_what_nobody_can_tell_changes_nothing(examples):
    whole = examples(100)
    weights, targets = whole.weights.copy(), whole.targets.copy()
    weights[::3, 0] = 0
    known = fit_probe(replace(whole, weights=weights), None, "sigmoid", strength=1.0)
    targets[::3, 0] = 1 - targets[::3, 0]
    other = fit_probe(replace(whole, weights=weights, targets=targets), None, "sigmoid", strength=1.0)
    assert np.array_equal(known.weight, other.weight)
    scaled = Scaling.of(whole.vectors)(whole.vectors).numpy()
    kept = weights[:, 0] > 0
    theirs = LogisticRegression(C=1.0, max_iter=2_000, tol=1e-8).fit(scaled[kept], whole.targets[kept, 0])
    answers = known.unit_logits(whole)[:, 0]
    assert np.abs(answers - theirs.decision_function(scaled)).max() < 1e-2


def test_the_strength_with_the_least_loss_on_validation_is_taken(examples):
    learnt, val = examples(30, apart=1.5, seed=2), examples(200, apart=1.5, seed=2)
    seen = []
    chosen = fit_probe(learnt, val, "softmax", callback=lambda _, loss: seen.append(loss))
    assert mean_loss(torch.from_numpy(chosen.unit_logits(val)), val, "softmax") == pytest.approx(min(seen))
    assert len(seen) == 5


def test_a_rare_label_counts_as_much_as_the_rest_where_that_is_asked(examples):
    learnt = examples(60)
    few = np.flatnonzero(learnt.targets[:, 0])[5:]
    learnt = learnt.take(np.setdiff1d(np.arange(len(learnt)), few))
    plain, even = (fit_probe(learnt, None, "sigmoid", strength=0.1, balance=b) for b in ("none", "weight"))
    heard = learnt.targets[:, 0] > 0
    assert even.unit_logits(learnt)[heard, 0].mean() > plain.unit_logits(learnt)[heard, 0].mean()


def test_a_rare_label_is_drawn_as_often_as_a_frequent_one(examples):
    learnt = examples(200)
    few = np.flatnonzero(learnt.targets[:, 0])[10:]
    learnt = learnt.take(np.setdiff1d(np.arange(len(learnt)), few))
    assert learnt.targets.sum(axis=0).tolist() == [10, 200, 200]
    drawn = learnt.targets[draw_units(learnt, np.random.default_rng(0))].sum(axis=0)
    assert np.abs(drawn - 410 / 3).max() < 40
    even = balanced(learnt, "sample", seed=3)
    assert even.weights.sum() == learnt.weights.sum()
    assert np.array_equal(even.weights, balanced(learnt, "sample", seed=3).weights)
    plain, often = (fit_probe(learnt, None, "softmax", strength=0.1, balance=b) for b in ("none", "sample"))
    heard = learnt.targets[:, 0] > 0
    assert often.unit_logits(learnt)[heard, 0].mean() > plain.unit_logits(learnt)[heard, 0].mean()


def test_silence_is_drawn_as_a_label_of_its_own(examples):
    learnt = examples(50)
    quiet = replace(learnt, targets=learnt.targets * (np.arange(150) < 60)[:, None])  # 50, 10, 0 and silence
    drawn = quiet.targets[draw_units(quiet, np.random.default_rng(1))]
    assert 20 < (drawn.sum(axis=1) == 0).sum() < 80


def test_a_bag_is_the_log_of_the_mean_of_the_exponentials():
    logits = torch.tensor([[0.0], [2.0], [1000.0], [1000.0], [-3.0]])
    pooled = pool_bags(logits, torch.tensor([0, 0, 1, 1, 2]), 3)
    expected = [np.log((1 + np.exp(2)) / 2), 1000.0, -3.0]
    assert pooled[:, 0].tolist() == pytest.approx(expected)


def test_a_bag_is_learnt_from_whichever_clip_holds_the_call(tmp_path):
    draw = np.random.default_rng(0)
    vectors = draw.standard_normal((400, DIM)).astype(np.float32)
    recordings = [f"{'robin' if i < 200 else 'noise'}/{i // 4}.wav" for i in range(400)]
    vectors[np.arange(0, 200, 4) + draw.integers(0, 4, 50), 0] += 6  # one clip of four
    from beats_trainer.train.annotations import Annotation

    said = [
        Annotation(name, "robin") if name.startswith("robin") else Annotation(name, "", kind="negative")
        for name in dict.fromkeys(recordings)
    ]
    table = write_clips(tmp_path / "t.parquet", vectors, recordings, starts=[i % 4 for i in range(400)])
    bags = join_labels(read_clips(table), Labels(tuple(said), exhaustive=True))
    probe = fit_probe(bags, None, "sigmoid", strength=1.0)
    logits = probe.unit_logits(bags)[:, 0]
    assert ((logits > 0) == (bags.targets[:, 0] > 0)).mean() > 0.95
    clip_logits = (vectors @ probe.weight.T + probe.bias)[:200, 0]
    assert clip_logits[vectors[:200, 0] > 4].mean() > clip_logits[vectors[:200, 0] < 2].mean() + 3


def test_a_centroid_learns_from_one_example(examples):
    one, tried = examples(1, apart=12.0), examples(50, apart=12.0)
    answers = fit_centroids(one).unit_logits(tried).argmax(1)
    assert (answers == tried.targets.argmax(1)).mean() > 0.9


def test_the_temperature_makes_scores_as_often_right_as_they_say(examples):
    learnt = examples(300, apart=1.5)
    sharp = 8 * fit_probe(learnt, None, "sigmoid", strength=1.0).unit_logits(learnt)
    temperature = fit_temperature(sharp, learnt, "sigmoid")
    assert 6 < temperature < 11
    before, after = (
        calibration_error(predictions_of(learnt, 1 / (1 + np.exp(-sharp / t)))) for t in (1.0, temperature)
    )
    assert after < before / 3


@pytest.mark.parametrize("steps", [2, 5, 1000])
def test_the_average_precision_is_that_of_scikit_learn_with_equal_scores_too(steps):
    draw = np.random.default_rng(steps)
    for _ in range(20):
        scores = (draw.integers(0, steps, 60) / steps).astype(np.float32)
        targets = (draw.random(60) < 0.2).astype(np.float32)
        targets[0] = 1
        assert average_precision(targets, scores) == pytest.approx(average_precision_score(targets, scores))


def test_the_mean_over_labels_is_that_of_scikit_learn(examples):
    learnt = examples(50, apart=1.0)
    scores = np.random.default_rng(0).random((150, 3)).astype(np.float32)
    expected = np.mean([average_precision_score(learnt.targets[:, i], scores[:, i]) for i in range(3)])
    assert class_mean(predictions_of(learnt, scores), 1) == pytest.approx(expected)


def test_the_interval_is_that_of_figures_of_each_resampling(examples):
    """Sorted once and weighted by how often each unit was drawn, or drawn and measured anew: the same."""
    some = examples(25)
    scores = np.random.default_rng(1).random(some.targets.shape).round(1).astype(np.float32)  # ties too
    found = predictions_of(some, scores)
    known = found.known.copy()
    known[::4, 0] = False
    found = replace(found, known=known, recordings=tuple(f"{unit // 3}.wav" for unit in range(len(scores))))
    values = [
        class_mean(replace(found, recordings=(), splits=()).take(np.repeat(np.arange(len(scores)), times)), 1)
        for times in resampled(found.recordings, 5).astype(int)
    ]
    wanted = [np.quantile(values, q) for q in (0.025, 0.975)]
    assert measure(found, seed=5)["interval"]["cmap"] == pytest.approx(wanted, abs=1e-12)
