"""The BEATs encoder: waveform in, patch embeddings of any layer out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from beats_trainer.encoder.config import BEATsConfig
from beats_trainer.encoder.description import DESCRIPTION, as_tensor, describe_encoder, read_tensor
from beats_trainer.encoder.fast.encoder import Fast, FastEncoder
from beats_trainer.encoder.fast.seal import reading_quietly, take_over
from beats_trainer.encoder.fast.structure import as_built
from beats_trainer.encoder.fbank import fbank
from beats_trainer.encoder.full_precision import exact_convolutions
from beats_trainer.encoder.heads import Activation, Head, Heads, best_labels
from beats_trainer.encoder.layers import Encoder
from beats_trainer.encoder.waveform import Short, as_batch
from beats_trainer.errors import CheckpointError
from beats_trainer.foreign.measure import shown
from beats_trainer.foreign.texts import Text

Precision = Literal["fp32", "bf16"]
_STATE = Text(
    "the weights", "given", "Nothing was loaded. Load them with the version that saved them.", CheckpointError
)


@as_built
class BEATs(nn.Module):
    """The encoder of one checkpoint.

    Layer 0 is the input of the first layer, `n_layers` the output of the last; negative numbers count from
    the end.

    `precision` is "fp32", equal to the original to rounding, or "bf16", which multiplies in bfloat16 while
    inferring on a CPU (elsewhere, and while training, it is autocast). Measured with random weights on 7
    clips, patch embeddings differ by at most 0.05, relative 7e-3; their mean has cosine 0.99998 to fp32's.
    """

    def __init__(self, config: BEATsConfig) -> None:
        super().__init__()
        self.config = config
        self.patch_embedding = nn.Conv2d(
            1, config.embed_dim, config.input_patch_size, stride=config.input_patch_size, bias=False
        )
        self.layer_norm = nn.LayerNorm(config.embed_dim)
        self.post_extract_proj = nn.Linear(config.embed_dim, config.encoder_embed_dim)
        self.encoder = Encoder(config)
        self.heads = Heads()
        self.precision: Precision = "fp32"
        self.fast = Fast()

    def __repr__(self) -> str:
        with reading_quietly():
            weights = sum(weight.numel() for weight in self.parameters())
        heads = f", heads {', '.join(map(repr, self.heads.values()))}" if self.heads else ""
        return (
            f"<BEATs: {self.n_layers} layers, {self.config.encoder_embed_dim} wide, {weights / 1e6:.1f} M "
            f"weights{heads}, {self.precision} on {self.device}>"
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Unpickled weights lie in memory, or in a file, that others may have."""
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        take_over(self.parameters())

    @property
    def n_layers(self) -> int:
        """Number of transformer layers."""
        return self.config.encoder_layers

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.layer_norm.weight.device

    def forward(self, waveform: Any, *, layer: int = -1, short: Short = "error") -> Tensor:
        """Patch embeddings of one layer.

        Args:
            waveform: `(samples,)` or `(batch, samples)`, mono, 16 kHz, in [-1, 1].
            layer: Which layer; computing stops there.
            short: What to do with less than one patch of audio.

        Returns:
            `(batch, patches, dim)`; patch `8 * column + row`, from the lowest frequencies up.
        """
        return self.hidden(waveform, [layer], short=short)[0]

    def hidden(
        self, waveform: Any, layers: Sequence[int] | None = None, *, short: Short = "error"
    ) -> list[Tensor]:
        """Patch embeddings of several layers in one pass, in the order asked for; of all without `layers`."""
        return self.encode(self.fbank(waveform, short=short), layers)

    def fbank(self, waveform: Any, *, short: Short = "error") -> Tensor:
        """The filter bank that this encoder was trained on, `(batch, frames, 128)`, on its device."""
        batch = as_batch(waveform, short=short, patch=self.config.input_patch_size)
        if self.device.type == "cuda" and batch.device.type == "cpu":
            batch = batch.pin_memory()
        batch = batch.to(self.device, non_blocking=True)
        return fbank(batch, self.config.fbank_mean, self.config.fbank_std)

    def encode(self, energies: Tensor, layers: Sequence[int] | None = None) -> list[Tensor]:
        """What `hidden` does, from the filter bank on: the part to train, to compile or to export."""
        asked = range(self.n_layers + 1) if layers is None else [self.layer_index(i) for i in layers]
        wanted = sorted(set(asked))
        fast = fast_encoder(self)
        if fast is None:
            _refuse_other_numbers(self, energies)
        found = fast(energies, wanted) if fast else self.plain(energies, wanted)
        return [found[wanted.index(i)] for i in asked]

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        """What the weights alone do not tell goes along, if there is such."""
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if len(self.heads) or not self.config.is_as_published():
            destination[prefix + DESCRIPTION] = as_tensor(describe_encoder(self.config, self.heads.values()))

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        """Weights of a model with other settings are refused: with ours they would compute something else."""
        numbers, errors = state_dict.pop(prefix + DESCRIPTION, None), rest[-1]
        said = read_tensor(numbers, _STATE)["config"].named() if numbers is not None else ()
        ours = asdict(self.config)
        differ = [f"{name} {shown(value)}, not {ours[name]}" for name, value in said if ours[name] != value]
        if differ:
            errors.append(f"They are of a model with other settings: {'; '.join(differ)}.")
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def checkpoint_gradients(self, on: bool = True) -> None:
        """While training, keep only the inputs of the layers and compute the rest again, to save memory."""
        self.encoder.checkpointing = on

    @torch.inference_mode()
    def logits(self, waveform: Any, *, head: str | None = None, short: Short = "error") -> Tensor:
        """What the head of a fine-tuned file makes of each clip, `(batch, labels)`; see `head`."""
        return self.head(head).logits(self(waveform, short=short))

    @torch.inference_mode()
    def classify(
        self,
        waveform: Any,
        *,
        top: int = 5,
        head: str | None = None,
        activation: Activation | None = None,
        short: Short = "error",
    ) -> list[list[tuple[str, float]]]:
        """The best labels of each clip with their scores, best first.

        Args:
            waveform: `(samples,)` or `(batch, samples)`, mono, 16 kHz, in [-1, 1].
            top: How many labels.
            head: Which head, where the file has several.
            activation: "sigmoid" or "softmax", where the file does not say.
            short: What to do with less than one patch of audio.
        """
        chosen = self.head(head)
        scores = chosen.scores(self(waveform, short=short), activation)
        return best_labels(scores, chosen.labels or tuple(map(str, range(scores.shape[-1]))), top)

    def head(self, name: str | None = None) -> Head:
        """One of the file's heads; the outermost without a name."""
        if not self.heads:
            message = (
                "This checkpoint has no head, so it gives embeddings and no labels. "
                "Load a fine-tuned one, such as BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt2."
            )
            raise LookupError(message)
        chosen = list(self.heads)[-1] if name is None else name
        if chosen not in self.heads:
            message = f"There is no head {name!r}; this checkpoint has {', '.join(self.heads)}."
            raise LookupError(message)
        return self.heads[chosen]

    def layer_index(self, layer: int) -> int:
        """The layer as a number from 0 to `n_layers`."""
        count = self.n_layers + 1
        if not -count <= layer < count:
            message = (
                f"There is no layer {layer}; this encoder has 0 (the input of the first layer) "
                f"to {self.n_layers}. -1 is the last."
            )
            raise ValueError(message)
        return layer % count

    def plain(self, energies: Tensor, wanted: Sequence[int]) -> list[Tensor]:
        """What `encode` does with documented operators alone; the layers in ascending order."""
        if self.precision == "fp32":
            with exact_convolutions(energies.device):
                return self.encoder(self._patches(energies), wanted)  # type: ignore[no-any-return]
        with torch.autocast(self.device.type, torch.bfloat16):
            found = self.encoder(self._patches(energies), wanted)
        return [hidden.float() for hidden in found]

    def _patches(self, energies: Tensor) -> Tensor:
        """`(batch, frames, 128)` -> `(batch, patches, dim)`."""
        patches = self.patch_embedding(energies.unsqueeze(1)).flatten(2).transpose(1, 2)
        projected: Tensor = self.post_extract_proj(self.layer_norm(patches))
        return functional.dropout(projected, self.config.dropout_input, self.training)


def _refuse_other_numbers(model: BEATs, energies: Tensor) -> None:
    """Torch would speak of an input and a bias; autocast, which bf16 is, brings them together."""
    weights = model.layer_norm.weight.dtype
    together = model.precision == "bf16" or torch.is_autocast_enabled(energies.device.type)
    if weights != energies.dtype and not together:
        message = (
            f"The encoder's weights are {weights} and its input is {energies.dtype}: expected one kind. "
            'Call model.float(); what is faster and less exact is load_model(..., precision="bf16").'
        )
        raise TypeError(message)


def fast_encoder(model: BEATs) -> FastEncoder | None:
    """The fast form of a model as it is now; nothing where only the plain form is right."""
    return model.fast.encoder(model) if _may_be_fast(model) else None


def _may_be_fast(model: BEATs) -> bool:
    weight = model.layer_norm.weight
    return not (
        model.training
        or torch.is_grad_enabled()
        or torch.compiler.is_compiling()
        or torch.is_autocast_enabled("cpu")
        or weight.device.type != "cpu"
        or weight.dtype != torch.float32
    )
