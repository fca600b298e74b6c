"""The stack of transformer layers, in documented operators alone: what trains, compiles and is exported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from beats_trainer.encoder.attention import Attention, pairwise_bias
from beats_trainer.encoder.config import BEATsConfig
from beats_trainer.encoder.fast.structure import as_built


@as_built
class PositionalConvolution(nn.Module):
    """A wide grouped convolution over patches, whose weight is normalised along its kernel."""

    def __init__(self, config: BEATsConfig) -> None:
        super().__init__()
        dim, width, self.groups = config.encoder_embed_dim, config.conv_pos, config.conv_pos_groups
        self.weight_g = nn.Parameter(torch.ones(1, 1, width))
        self.weight_v = nn.Parameter(torch.ones(dim, dim // self.groups, width))
        self.bias = nn.Parameter(torch.zeros(dim))

    def weight(self) -> Tensor:
        """`(dim, dim / groups, width)`."""
        norm = self.weight_v.norm(dim=(0, 1), keepdim=True)
        return self.weight_v * (self.weight_g / norm)  # type: ignore[no-any-return]

    def forward(self, hidden: Tensor) -> Tensor:
        """`(batch, patches, dim)` -> `(batch, patches, dim)`."""
        width = self.weight_g.shape[-1]
        moved = functional.conv1d(
            hidden.transpose(1, 2), self.weight(), self.bias, padding=width // 2, groups=self.groups
        )
        return functional.gelu(moved[..., : hidden.shape[1]].transpose(1, 2))


@as_built
class Layer(nn.Module):
    """One transformer layer, normalised after each half, with DeepNorm's scaled residual."""

    def __init__(self, config: BEATsConfig, *, first: bool) -> None:
        super().__init__()
        dim = config.encoder_embed_dim
        self.residual_scale = config.residual_scale
        self.dropout, self.activation_dropout = config.dropout, config.activation_dropout
        self.self_attn = Attention(config, owns_table=first)
        self.self_attn_layer_norm = nn.LayerNorm(dim)
        self.fc1 = nn.Linear(dim, config.encoder_ffn_embed_dim)
        self.fc2 = nn.Linear(config.encoder_ffn_embed_dim, dim)
        self.final_layer_norm = nn.LayerNorm(dim)

    def forward(self, hidden: Tensor, bias: Tensor) -> Tensor:
        """`(batch, patches, dim)` -> `(batch, patches, dim)`."""
        attended = self._drop(self.self_attn(hidden, bias), self.dropout)
        hidden = self.self_attn_layer_norm(hidden * self.residual_scale + attended)
        inner = self._drop(functional.gelu(self.fc1(hidden)), self.activation_dropout)
        outer = self._drop(self.fc2(inner), self.dropout)
        return self.final_layer_norm(hidden * self.residual_scale + outer)  # type: ignore[no-any-return]

    def _drop(self, x: Tensor, p: float) -> Tensor:
        return functional.dropout(x, p, self.training)


def scale_gradient(x: Tensor, ratio: float) -> Tensor:
    """The same numbers; the gradient that flows back is multiplied with the ratio."""
    return x if ratio == 1.0 else x.detach() + ratio * (x - x.detach())


def taking_part(x: Tensor, layer: nn.Module) -> Tensor:
    """The same numbers; the backward pass reaches the layer's weights, with gradients of zero.

    Training on several devices waits for a gradient of each weight, and each drops other layers.
    """
    if not torch.is_grad_enabled():
        return x
    return x + 0.0 * torch.stack([weight.flatten()[:1].sum() for weight in layer.parameters()]).sum()


@as_built
class Encoder(nn.Module):
    """Positional convolution and the stack of layers, which share one table of relative biases."""

    def __init__(self, config: BEATsConfig) -> None:
        super().__init__()
        self.config = config
        self.checkpointing = False
        self.pos_conv = nn.Sequential(PositionalConvolution(config))
        self.layer_norm = nn.LayerNorm(config.encoder_embed_dim)
        self.layers = nn.ModuleList(Layer(config, first=i == 0) for i in range(config.encoder_layers))

    def forward(self, hidden: Tensor, wanted: Sequence[int]) -> list[Tensor]:
        """`(batch, patches, dim)` -> the layers wanted, in ascending order: 0 is the input of the first."""
        hidden = self.layer_norm(hidden + self.pos_conv(hidden))
        hidden = functional.dropout(hidden, self.config.dropout, self.training)
        kept = [hidden] if 0 in wanted else []
        bias = pairwise_bias(self.table, hidden.shape[1], self.config.max_distance)
        for number, layer in enumerate(self.layers[: max(wanted)], 1):
            hidden = self._run(layer, hidden, bias)
            kept += [hidden] if number in wanted else []
        return kept

    def _run(self, layer: nn.Module, hidden: Tensor, bias: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            hidden = scale_gradient(hidden, self.config.layer_wise_gradient_decay_ratio)
        if self.training and self._dropped():
            return taking_part(hidden, layer)
        if self.checkpointing and torch.is_grad_enabled():
            return checkpoint(layer, hidden, bias, use_reentrant=False)  # type: ignore[no-any-return]
        return layer(hidden, bias)  # type: ignore[no-any-return]

    def _dropped(self) -> bool:
        p = self.config.encoder_layerdrop
        return p > 0 and float(torch.rand(())) < p

    @property
    def position(self) -> PositionalConvolution:
        """The positional convolution."""
        return cast(PositionalConvolution, self.pos_conv[0])

    @property
    def table(self) -> Tensor:
        """The relative biases of all layers, `(buckets, heads)`."""
        return cast(Layer, self.layers[0]).self_attn.relative_attention_bias.weight
