"""The encoder itself learns: AdamW on the sound of labelled clips, from the head that the probe has found.

A linear head is learnt first, on the encoder as it is, and both go on together from there: a head of chance
would first spoil what the encoder knows (Kumar et al. 2022). What is drawn at random depends on the seed, the
epoch and the clip alone, so that a run that was killed goes on to the same weights.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from beats_trainer.atomic import written_whole
from beats_trainer.encoder.model import BEATs
from beats_trainer.extras import needs
from beats_trainer.train.annotations import LabelsError
from beats_trainer.train.probe import Linear, pool_bags, unit_losses
from beats_trainer.train.settings import TrainSettings
from beats_trainer.train.tune_batches import Batch, Task
from beats_trainer.train.tuned import Tuned, rate_groups, set_layerdrop

BETAS, CLIP_NORM, WARM_UP = (0.9, 0.98), 1.0, 0.1
SAVED_EVERY_S = 600.0
STATE = "state.pt"
Callback = Callable[[str, float], None]


@dataclass
class Position:
    """How far a run has come, and the best that it has found."""

    epoch: int = 0
    step: int = 0
    best_loss: float = math.inf
    best_epoch: int = 0
    losses: list[float] = field(default_factory=list)


def fine_tune(
    encoder: BEATs,
    linear: Linear,
    task: Task,
    folder: Path,
    *,
    layer: int,
    pooling: str,
    normalize: bool,
    sha256: str,
    callback: Callback | None = None,
) -> Linear:
    """Train an encoder in place, and give the head that goes with it.

    The state is written into the folder after every epoch and every ten minutes, and before an interrupt
    ends it; called again, it goes on from there.

    Args:
        encoder: As `load_model` gave it.
        linear: The head to begin with.
        task: What to learn from.
        folder: Where the state is kept, until the caller has written what came of it.
        layer: Of the encoder.
        pooling: As in the table that the head was learnt from.
        normalize: The same.
        sha256: Of the encoder's file.
        callback: Is called with `"loss"` of each step, `"val_loss"` of each epoch, and `"progress"`, 0 to 1.

    Raises:
        LabelsError: The folder has the state of another run, there is too little memory, or it diverges.
        MissingExtraError: accelerate is not installed.
    """
    tuned = Tuned(
        encoder, linear, layer=layer, pooling=pooling, normalize=normalize, masks=task.settings.augment
    )
    given = encoder.encoder.config
    set_layerdrop(encoder, task.settings.layerdrop)
    try:
        run = _Run(tuned, task, folder, task.fingerprint(sha256), callback)
        run.learn()
    except torch.OutOfMemoryError as error:
        raise _out_of_memory(task.settings) from error
    finally:
        encoder.encoder.config = given
        encoder.eval()
    return tuned.linear()


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, heeded between two steps: the state is whole, and is kept."""


class _Interrupts:
    """Notes Ctrl-C until it may be heeded; the second one ends at once."""

    def __init__(self) -> None:
        self._asked = False

    def note(self, _number: int, _frame: object) -> None:
        """What the system calls."""
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True

    def heed(self) -> None:
        """End here, if that was asked for."""
        if self._asked:
            raise KeyboardInterrupt


@contextmanager
def interrupts_deferred() -> Iterator[_Interrupts]:
    """Let Ctrl-C wait for `heed`; a thread that is not the first cannot, and is not interrupted by it."""
    noted = _Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield noted
        return
    before = signal.signal(signal.SIGINT, noted.note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)


class _Run:
    """One training, from where its state stands to its end."""

    def __init__(
        self, tuned: Tuned, task: Task, folder: Path, fingerprint: str, callback: Callback | None
    ) -> None:
        self.accelerator = _accelerator()
        self.task, self.folder, self.fingerprint = task, folder, fingerprint
        self.tell = callback or (lambda _name, _value: None)
        self.tuned, self.at, self.interrupts = tuned, Position(), _Interrupts()
        settings = task.settings
        groups = rate_groups(tuned, rate=settings.rate, decay=0.01, layer_decay=settings.layer_decay)
        optimizer = torch.optim.AdamW(groups, betas=BETAS)
        self.model, self.optimizer = self.accelerator.prepare(tuned, optimizer)
        self.best: dict[str, Tensor] | None = None
        self.saved_at = time.monotonic()
        self._resume()

    def learn(self) -> None:
        """All epochs that are left, or until validation has not got better for long enough."""
        try:
            with interrupts_deferred() as self.interrupts:
                while self.at.epoch < self.task.settings.epochs and not self._has_ended():
                    self._epoch()
        except Interrupted:
            self._save()
            raise
        if self.best is not None:
            self.tuned.load_state_dict(self.best)

    def _has_ended(self) -> bool:
        waited = self.at.epoch - self.at.best_epoch
        return bool(len(self.task.val)) and waited >= self.task.settings.patience

    def _epoch(self) -> None:
        order = self.task.order(self.at.epoch)
        batch = self.task.settings.batch
        while self.at.step < self.task.steps:
            first = self.at.step * batch
            loss = self._step(order[first : first + batch])
            self.at.step += 1
            self._tell_step(loss)
            if time.monotonic() - self.saved_at > SAVED_EVERY_S:
                self._save()
        self.at.epoch, self.at.step = self.at.epoch + 1, 0
        self._judge()
        self._save()
        if self.at.losses:
            self.tell("val_loss", self.at.losses[-1])

    def _tell_step(self, loss: float) -> None:
        """Between two steps all is whole: here a run may end and go on from."""
        done = self.at.epoch * self.task.steps + self.at.step
        try:
            self.tell("loss", loss)
            self.tell("progress", done / (self.task.steps * self.task.settings.epochs))
            self.interrupts.heed()
        except KeyboardInterrupt as error:
            raise Interrupted from error

    def _step(self, units: np.ndarray) -> float:
        """One change of the weights, by the mean loss over the units of all processes."""
        settings, world = self.task.settings, self.accelerator.num_processes
        done = self.at.epoch * self.task.steps + self.at.step
        torch.manual_seed(_mixed(settings.seed, done, self.accelerator.process_index))
        self.model.train()
        mine = units[self.accelerator.process_index :: world]
        parts = [part for part in np.array_split(mine, settings.accumulate) if len(part)]
        total = 0.0
        for number, part in enumerate(parts or [mine]):
            is_last = number == len(parts) - 1 or not parts
            with _syncing(self.accelerator, self.model, is_last):
                loss = self._loss(part) * (world / len(units))
                self.accelerator.backward(loss)
            total += float(loss.detach()) / world
        self.accelerator.clip_grad_norm_(self.model.parameters(), CLIP_NORM)
        _set_rates(self.optimizer, _factor(done, self.task.steps * settings.epochs))
        self.optimizer.step()
        self.optimizer.zero_grad()
        loss = self._summed(total)
        if not math.isfinite(loss):
            raise _diverged(self.at, settings)
        return loss

    def _loss(self, units: np.ndarray) -> Tensor:
        """The summed loss of some units; a process without any takes part with none."""
        chosen = units if len(units) else np.zeros(1, np.int64)
        batch = Batch.drawn(self.task, chosen, self.at.epoch)
        device = self.accelerator.device
        rows = self.model([one.to(device) for one in batch.waveforms])
        logits = pool_bags(rows.float(), batch.unit.to(device), len(chosen))
        losses = unit_losses(logits, batch.targets.to(device), batch.weights.to(device), self.task.activation)
        return losses.sum() * (1.0 if len(units) else 0.0)

    def _judge(self) -> None:
        """Measure on validation, and keep the best; without one the last is the best."""
        if not len(self.task.val):
            return
        loss = self._summed(self._val_loss()) / len(self.task.val)
        self.at.losses.append(loss)
        if loss < self.at.best_loss:
            self.at.best_loss, self.at.best_epoch = loss, self.at.epoch
            self.best = {name: one.detach().cpu().clone() for name, one in self.tuned.state_dict().items()}

    @torch.no_grad()
    def _val_loss(self) -> float:
        self.model.eval()
        mine = np.arange(len(self.task.val))[self.accelerator.process_index :: self.accelerator.num_processes]
        total = 0.0
        for first in range(0, len(mine), self.task.settings.batch):
            units = mine[first : first + self.task.settings.batch]
            batch = Batch.whole(self.task, units)
            rows = self.tuned([one.to(self.accelerator.device) for one in batch.waveforms]).float().cpu()
            logits = pool_bags(rows, batch.unit, len(units))
            total += float(unit_losses(logits, batch.targets, batch.weights, self.task.activation).sum())
        return total

    def _summed(self, value: float) -> float:
        """Over all processes."""
        return float(self.accelerator.reduce(torch.tensor(value, device=self.accelerator.device), "sum"))

    def _save(self) -> None:
        self.saved_at = time.monotonic()
        if self.accelerator.is_main_process:
            self.folder.mkdir(parents=True, exist_ok=True)
            state = {
                "fingerprint": self.fingerprint,
                "position": asdict(self.at),
                "model": self.tuned.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "best": self.best,
            }
            with written_whole(self.folder / STATE) as written:
                torch.save(state, written)
        self.accelerator.wait_for_everyone()

    def _resume(self) -> None:
        path = self.folder / STATE
        if not path.is_file():
            return
        state = torch.load(path, map_location="cpu", weights_only=True)
        if state["fingerprint"] != self.fingerprint:
            message = (
                f"{path} is the state of another run: other settings, labels or another encoder. Train into "
                "another folder, or remove that file to begin anew."
            )
            raise LabelsError(message)
        self.at, self.best = Position(**state["position"]), state["best"]
        self.tuned.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])


def _factor(done: int, steps: int) -> float:
    """Of the rate: it rises over the first tenth, and falls by a cosine to nothing."""
    warm = max(1, int(steps * WARM_UP))
    if done < warm:
        return (done + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (done - warm) / max(1, steps - warm)))


def _set_rates(optimizer: Any, factor: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = group["rate"] * factor


def _mixed(*numbers: int) -> int:
    """One seed of several numbers, which are not near one another for near ones."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


def _accelerator() -> Any:
    made = needs("accelerate", "train", "fine-tuning needs accelerate").Accelerator
    is_able = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return made(mixed_precision="bf16" if is_able else "no")


def _syncing(accelerator: Any, model: Any, is_last: bool) -> Any:
    """Gradients go round among processes once a step, after its last part."""
    from contextlib import nullcontext

    return nullcontext() if is_last else accelerator.no_sync(model)


def _diverged(at: Position, settings: TrainSettings) -> LabelsError:
    return LabelsError(
        f"the loss is no number any more, in epoch {at.epoch + 1}: train.rate={settings.rate:g} is too high, "
        f"or a recording holds none. Say --set rate={settings.rate / 5:g}, and another folder with -o."
    )


def _out_of_memory(settings: TrainSettings) -> LabelsError:
    return LabelsError(
        f"there was not enough memory to train with train.batch={settings.batch} in "
        f"{settings.accumulate} parts. Say --set accumulate={settings.accumulate * 2}, which costs no "
        "more, or shorter clips with --clip-s. What was learnt is kept: the same command goes on."
    )
