"""The encoder on a CPU while inferring: the same numbers as `model`, from fused and laid-out weights.

Exact rearrangements only: one product for queries, keys, values and gates; 1/sqrt(head) and DeepNorm's scale
folded into weights (a layer norm does not see a common scale but through its epsilon, which is scaled along);
the positional convolution through the FFT; the relative bias read along its diagonals.

What is laid out anew is a copy, used only while it is known to be current: while the model is made of the
same parts (`structure`), and nobody can have changed a weight (`seal`). Other weights are read in place.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from threading import Lock
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from beats_trainer.encoder.attention import GATE_UNITS, Attention, diagonal_bias
from beats_trainer.encoder.config import BEATsConfig
from beats_trainer.encoder.fast.attention import mix_values, turn_diagonals
from beats_trainer.encoder.fast.convolution import BlockConvolution
from beats_trainer.encoder.fast.copies import LaidOut, are_current, refresh_copies
from beats_trainer.encoder.fast.kernels import chosen_kernels, fastest_linear
from beats_trainer.encoder.fast.structure import Structure
from beats_trainer.encoder.layers import Encoder, Layer
from beats_trainer.memory import release_weights

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
_log = logging.getLogger(__name__)
_HELD = (
    "The encoder runs in its plain, slower form: something else, such as an optimizer, holds its weights "
    "and could change them unseen."
)


class Whole(Protocol):
    """What of a model the fast form is made of; the model itself stands above it."""

    patch_embedding: nn.Conv2d
    layer_norm: nn.LayerNorm
    post_extract_proj: nn.Linear
    encoder: Encoder

    @property
    def precision(self) -> str:
        """Of the computation."""
        ...


class FastNorm:
    """A layer norm whose input was divided by a scale."""

    def __init__(self, norm: nn.LayerNorm, scale: float = 1.0) -> None:
        self.norm, self.eps = norm, norm.eps / scale**2

    def __call__(self, x: Tensor) -> Tensor:
        """`(..., dim)` -> `(..., dim)`."""
        norm = self.norm
        return functional.layer_norm(x, norm.normalized_shape, norm.weight, norm.bias, self.eps)


class FastAttention:
    """Queries, keys, values and gates in one product."""

    def __init__(
        self, attention: Attention, config: BEATsConfig, dtype: torch.dtype, scale: float = 1.0
    ) -> None:
        self.attention, self.heads, self.head_dim = attention, attention.heads, config.head_dim
        self.project = fastest_linear(*_fused(attention, config), dtype)
        self.out = fastest_linear(attention.out_proj.weight / scale, attention.out_proj.bias / scale, dtype)

    def __call__(self, x: Tensor, bias: Tensor, batch: int) -> Tensor:
        """`(batch * patches, dim)` and `(heads, patches, patches)` -> input plus attended, over the scale."""
        dim = x.shape[1]
        projected = self.project(x).view(batch, -1, 3 * dim + 2 * self.heads)
        query, key, value = (self._by_head(projected[..., i * dim : (i + 1) * dim]) for i in range(3))
        mixed = mix_values(query, key, value, self._gate(projected[..., 3 * dim :]), bias)
        return self.out(mixed.reshape(x.shape), add=x)

    def _by_head(self, x: Tensor) -> Tensor:
        return x.reshape(*x.shape[:2], self.heads, self.head_dim).transpose(1, 2)

    def _gate(self, units: Tensor) -> Tensor:
        """`(batch, patches, 2 * heads)` -> `(batch, heads, patches, 1)`."""
        update, reset = units.float().sigmoid().chunk(2, dim=-1)
        scale = self.attention.grep_a.view(1, 1, -1)
        return (update * (reset * scale - 1.0) + 2.0).transpose(1, 2).unsqueeze(-1)


class FastLayer:
    """One transformer layer."""

    def __init__(self, layer: Layer, config: BEATsConfig, dtype: torch.dtype) -> None:
        scale = layer.residual_scale
        self.attention = FastAttention(layer.self_attn, config, dtype, scale)
        self.attention_norm = FastNorm(layer.self_attn_layer_norm, scale)
        self.fc1 = fastest_linear(layer.fc1.weight, layer.fc1.bias, dtype)
        self.fc2 = fastest_linear(layer.fc2.weight / scale, layer.fc2.bias / scale, dtype)
        self.final_norm = FastNorm(layer.final_layer_norm, scale)

    def __call__(self, x: Tensor, bias: Tensor, batch: int) -> Tensor:
        """`(batch * patches, dim)` -> `(batch * patches, dim)`."""
        x = self.attention_norm(self.attention(x, bias, batch))
        return self.final_norm(self.fc2(self.fc1(x, gelu=True), add=x))


class FastEncoder:
    """All of it, from filter bank to layers.

    Args:
        model: The model; small weights are read from its modules.
        parts: What is laid out, in the order of `_copies`.
    """

    def __init__(self, model: Whole, parts: Sequence[Any]) -> None:
        encoder, self.config = model.encoder, model.encoder.config
        self.embed, self.project, self.convolution, *self.layers = parts
        self.embed_norm, self.norm = FastNorm(model.layer_norm), FastNorm(encoder.layer_norm)
        self.table = cast("Layer", encoder.layers[0]).self_attn.relative_attention_bias

    def __call__(self, energies: Tensor, wanted: Sequence[int]) -> list[Tensor]:
        """`(batch, frames, 128)` -> the layers wanted, in ascending order, each `(batch, patches, dim)`."""
        batch = len(energies)
        x = self.project(self.embed_norm(self.embed(self._patches(energies))))
        x = x.view(batch, -1, x.shape[-1])
        x = self.norm(x + functional.gelu(self.convolution(x)))
        kept = [x] if 0 in wanted else []
        shape, bias = x.shape, self._bias(x.shape[1])
        x = x.view(-1, shape[-1])
        for number, layer in enumerate(self.layers[: max(wanted)], 1):
            x = layer(x, bias, batch)
            kept += [x.view(shape)] if number in wanted else []
        return kept

    def _patches(self, energies: Tensor) -> Tensor:
        """`(batch, frames, 128)` -> `(batch * patches, 256)`."""
        side, rows = self.config.input_patch_size, self.config.rows
        columns = energies.shape[1] // side
        squares = energies[:, : columns * side].reshape(-1, columns, side, rows, side)
        return squares.transpose(2, 3).reshape(-1, side * side)

    def _bias(self, patches: int) -> Tensor:
        """The relative bias of every pair, keys in reverse: `(heads, patches, patches)`."""
        return turn_diagonals(diagonal_bias(self.table.weight, patches, self.config.max_distance), patches)


def _fused(attention: Attention, config: BEATsConfig) -> tuple[Tensor, Tensor]:
    """Weight `(3 * dim + 2 * heads, dim)` and bias: scaled queries, keys, values, first and second gates."""
    scale = config.head_dim**-0.5
    query, key, value = attention.q_proj, attention.k_proj, attention.v_proj
    by_head = (attention.heads, config.head_dim)
    sums = attention.grep_linear.weight.view(2, GATE_UNITS // 2, -1).sum(1)  # (2, head_dim)
    gates = torch.einsum("gd,hdi->ghi", sums, query.weight.view(*by_head, -1)).flatten(0, 1)
    constant = attention.grep_linear.bias.view(2, -1).sum(1, keepdim=True)
    gates_bias = (sums @ query.bias.view(by_head).T + constant).flatten()
    weight = torch.cat([query.weight * scale, key.weight, value.weight, gates])
    return weight, torch.cat([query.bias * scale, key.bias, value.bias, gates_bias])


def _copies(model: Whole, dtype: torch.dtype) -> list[LaidOut]:
    """All that is laid out: patches, projection and convolution, then the layers."""
    patches, projection, position = model.patch_embedding, model.post_extract_proj, model.encoder.position
    return [
        LaidOut([patches], lambda: fastest_linear(patches.weight.flatten(1).clone(), None)),
        LaidOut([projection], lambda: fastest_linear(projection.weight, projection.bias)),
        LaidOut([position], lambda: BlockConvolution(position.weight(), position.bias.clone())),
        *(_layer_copies(cast("Layer", layer), model.encoder.config, dtype) for layer in model.encoder.layers),
    ]


def _layer_copies(layer: Layer, config: BEATsConfig, dtype: torch.dtype) -> LaidOut:
    products = (part for part in layer.modules() if isinstance(part, nn.Linear))
    return LaidOut(products, lambda: _laid_out(layer, config, dtype))


def _laid_out(layer: Layer, config: BEATsConfig, dtype: torch.dtype) -> FastLayer:
    """The original's weights leave the memory layer by layer, so that it never holds two whole copies."""
    fast = FastLayer(layer, config, dtype)
    release_weights(layer.parameters())
    return fast


class Fast:
    """The fast form that goes with a model; what is copied or saved of the model is without it."""

    def __init__(self) -> None:
        self._lock, self._told = Lock(), False
        self._setting: object = None
        self._structure: Structure | None = None
        self._copies: list[LaidOut] = []
        self._encoder: FastEncoder | None = None

    def __reduce__(self) -> tuple[type[Fast], tuple[()]]:
        """A copy of a model has weights of its own."""
        return Fast, ()

    def encoder(self, model: Whole) -> FastEncoder | None:
        """The fast form of the model as it is now; nothing where only the plain form is known to be right."""
        with self._lock, torch.inference_mode(mode=False), torch.no_grad():
            structure = self._prepare(model)
            if not structure.is_plain():
                return None
            if self._encoder is None or not are_current(self._copies):
                self._encoder = None  # it must not keep the copies that go
                self._encoder = FastEncoder(model, parts) if (parts := refresh_copies(self._copies)) else None
                self._tell()
            return self._encoder

    def _prepare(self, model: Whole) -> Structure:
        """What the model is made of; if that or its precision is another, so are all copies."""
        dtype = DTYPES[model.precision]
        setting = dtype, chosen_kernels(dtype)
        if self._structure is None or setting != self._setting or not self._structure.is_unchanged():
            self._encoder = self._structure = None
            self._copies = _copies(model, dtype) if Structure(cast(nn.Module, model)).is_plain() else []
            self._structure, self._setting = (
                Structure(cast(nn.Module, model)),
                setting,
            )  # as it is with its weights watched
        return self._structure

    def _tell(self) -> None:
        if self._encoder is None and not self._told:
            self._told = True
            _log.info(_HELD)
