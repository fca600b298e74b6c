"""Heads learnt from embeddings that stay as they are: a logistic regression, or the mean of each label."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from beats_trainer.train.balance import Balance, balanced
from beats_trainer.train.examples import Examples, Floats

Activation = Literal["sigmoid", "softmax"]
STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)  # of the data against the penalty, scikit-learn's C
MOST_STEPS = 100
TOLERANCE = 1e-5  # of the largest gradient, a unit's share
ROUNDED = 1e-5  # of a feature's size: what differs by less holds nothing but rounding
SHARPNESS = 20.0  # of a cosine as a logit; the temperature corrects it


@dataclass(frozen=True)
class Linear:
    """A linear head: `weight` `(labels, dim)`, `bias` `(labels,)`, and the strength that was chosen."""

    weight: Floats
    bias: Floats
    strength: float = 0.0

    def unit_logits(self, examples: Examples) -> Floats:
        """`(units, labels)`: of a bag the log of the mean of the exponentials over its clips."""
        rows = torch.from_numpy(examples.vectors @ self.weight.T + self.bias)
        return pool_bags(rows, torch.from_numpy(examples.unit), len(examples)).numpy()


def pool_bags(logits: Tensor, unit: Tensor, units: int) -> Tensor:
    """`(rows, labels)` -> `(units, labels)`: log-mean-exp over the rows of each unit."""
    if len(logits) == units:
        return logits
    index = unit[:, None].expand_as(logits)
    top = logits.new_full((units, logits.shape[1]), -torch.inf).scatter_reduce(
        0, index, logits.detach(), "amax"
    )
    total = logits.new_zeros(units, logits.shape[1]).index_add(0, unit, (logits - top[unit]).exp())
    count = torch.bincount(unit, minlength=units).to(logits)[:, None]
    return top + (total / count).log()


def fit_centroids(examples: Examples) -> Linear:
    """The mean direction of each label's units, against the mean of all: from one example on."""
    lengths = np.linalg.norm(examples.vectors, axis=1, keepdims=True)
    rows = examples.vectors / np.maximum(lengths, 1e-12)
    units = np.zeros((len(examples), rows.shape[1]), np.float32)
    np.add.at(units, examples.unit, rows)
    heard = examples.targets * (examples.weights > 0)
    means = (heard.T @ units) / np.maximum(heard.T @ np.bincount(examples.unit)[:, None], 1)
    away = means - units.sum(axis=0) / len(rows)
    weight = SHARPNESS * away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-12)
    middle = (means + units.sum(axis=0) / len(rows)) / 2
    return Linear(weight.astype(np.float32), -(weight * middle).sum(axis=1).astype(np.float32))


def fit_probe(
    train: Examples,
    val: Examples | None,
    activation: Activation,
    *,
    strength: float | None = None,
    balance: Balance = "none",
    seed: int = 0,
    callback: Callable[[str, float], None] | None = None,
) -> Linear:
    """A logistic regression with an L2 penalty, by L-BFGS in float32, as scikit-learn's.

    It minimises half the squared weights plus C times the loss of all units, unknowns left out, on features
    of mean 0 and spread 1; both are folded into the weights that come back.

    Args:
        train: To learn from.
        val: To choose C on: the least loss. Without it C is 1.
        activation: `softmax` where one label is true of each unit, else `sigmoid`.
        strength: C, if it is not to be chosen.
        balance: Whether rare labels count for more, see `balanced`.
        seed: Of the draw of `sample`.
        callback: Is called with `"loss"` and the validation loss of each C.
    """
    scaling = Scaling.of(train.vectors)
    problem = _Problem(balanced(train, balance, seed=seed), scaling, activation)
    if strength is not None or val is None or not len(val):
        return scaling.folded(problem.solve(strength or 1.0), strength or 1.0)
    tried: list[tuple[float, Linear]] = []
    start = None
    for one in STRENGTHS:  # each begins where the weaker one ended
        start = problem.solve(one, start)
        linear = scaling.folded(start, one)
        loss = mean_loss(torch.from_numpy(linear.unit_logits(val)), val, activation)
        tried.append((loss, linear))
        if callback:
            callback("loss", loss)
    return min(tried, key=lambda found: found[0])[1]


@dataclass(frozen=True)
class Scaling:
    """Mean and spread of each feature."""

    mean: Floats
    spread: Floats

    @classmethod
    def of(cls, vectors: Floats) -> Scaling:
        """Those of rows; a feature that differs by no more than float32 rounds keeps its size."""
        mean = vectors.mean(axis=0, dtype=np.float64)
        spread = vectors.std(axis=0, dtype=np.float64)
        tells = spread > np.maximum(np.abs(mean) * ROUNDED, 1e-9)
        return cls(mean.astype(np.float32), np.where(tells, spread, 1.0).astype(np.float32))

    def __call__(self, vectors: Floats) -> Tensor:
        """The features at mean 0 and spread 1."""
        return torch.from_numpy((vectors - self.mean) / self.spread)

    def folded(self, weights: Tensor, strength: float) -> Linear:
        """Weights of scaled features, and a last column of biases, as a head of the features themselves."""
        weight = (weights[:, :-1].numpy() / self.spread).astype(np.float32)
        bias = weights[:, -1].numpy() - weight @ self.mean
        return Linear(weight, bias.astype(np.float32), strength)


class _Problem:
    """What is minimised, and how."""

    def __init__(self, train: Examples, scaling: Scaling, activation: Activation) -> None:
        self.rows, self.unit, self.units = scaling(train.vectors), torch.from_numpy(train.unit), len(train)
        self.targets, self.activation = torch.from_numpy(train.targets), activation
        self.weights = torch.from_numpy(train.weights)

    def solve(self, strength: float, start: Tensor | None = None) -> Tensor:
        """`(labels, dim + 1)`, the bias last; `start` is where to begin."""
        shape = (self.targets.shape[1], self.rows.shape[1] + 1)
        weights = (torch.zeros(shape) if start is None else start.clone()).requires_grad_()
        optimizer = torch.optim.LBFGS(
            [weights], max_iter=MOST_STEPS, history_size=20, line_search_fn="strong_wolfe",
            tolerance_grad=TOLERANCE, tolerance_change=1e-9,
        )  # fmt: skip

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = self._loss(weights, strength)
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        optimizer.step(closure)  # type: ignore[no-untyped-call]
        return weights.detach()

    def _loss(self, weights: Tensor, strength: float) -> Tensor:
        """scikit-learn's objective over C times the units, so that its size does not follow theirs."""
        logits = pool_bags(
            functional.linear(self.rows, weights[:, :-1], weights[:, -1]), self.unit, self.units
        )
        loss = unit_losses(logits, self.targets, self.weights, self.activation).sum()
        return (loss + weights[:, :-1].square().sum() / (2 * strength)) / self.units


def unit_losses(logits: Tensor, targets: Tensor, weights: Tensor, activation: Activation) -> Tensor:
    """The loss of each unit, `(units,)`: cross entropy, of several labels their sum."""
    if activation == "softmax":
        return -(targets * functional.log_softmax(logits, dim=-1)).sum(dim=-1) * weights.amax(dim=-1)
    losses = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    return (losses * weights).sum(dim=-1)


def mean_loss(logits: Tensor, examples: Examples, activation: Activation) -> float:
    """The mean loss over units."""
    targets, weights = torch.from_numpy(examples.targets), torch.from_numpy(examples.weights)
    return float(unit_losses(logits, targets, weights, activation).mean())


def fit_temperature(logits: Floats, examples: Examples, activation: Activation) -> float:
    """The number to divide logits by so that scores are as often right as they say: the least loss.

    A few examples without a mistake would ask for endless confidence, so that log T counts as drawn from a
    normal distribution of mean 0 and spread 1.
    """
    given = torch.from_numpy(logits)
    grid = np.geomspace(0.05, 20.0, 121)
    losses = [mean_loss(given / float(one), examples, activation) * len(examples) for one in grid]
    return float(grid[int(np.argmin(losses + np.log(grid) ** 2 / 2))])


def activation_of(examples: Examples) -> Activation:
    """`softmax` where each unit is known to have exactly one label, else `sigmoid`."""
    is_known = bool((examples.weights == 1).all())
    is_single = bool((examples.targets.sum(axis=1) == 1).all())
    return "softmax" if is_known and is_single and examples.targets.shape[1] > 1 else "sigmoid"
