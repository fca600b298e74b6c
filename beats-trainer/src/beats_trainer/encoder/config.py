"""The dimensions of a BEATs encoder; constructing the config is the check."""

from __future__ import annotations

from dataclasses import dataclass, fields

from beats_trainer.sampling import FBANK_MEAN, FBANK_STD, N_MELS

SIZES = (  # that the shapes of the weights tell
    *("encoder_layers", "encoder_embed_dim", "encoder_ffn_embed_dim", "encoder_attention_heads", "embed_dim"),
    *("input_patch_size", "conv_pos", "conv_pos_groups", "num_buckets"),
)


@dataclass(frozen=True)
class BEATsConfig:
    """Dimensions and constants of one encoder, named as in the files of its family.

    The values given here are those of the published base encoder.
    """

    encoder_layers: int = 12
    encoder_embed_dim: int = 768
    encoder_ffn_embed_dim: int = 3072
    encoder_attention_heads: int = 12
    embed_dim: int = 512
    input_patch_size: int = 16
    conv_pos: int = 128
    conv_pos_groups: int = 16
    num_buckets: int = 320
    max_distance: int = 800
    deep_norm: bool = True
    dropout: float = 0.1
    attention_dropout: float = 0.1
    activation_dropout: float = 0.0
    dropout_input: float = 0.1
    encoder_layerdrop: float = 0.05
    layer_wise_gradient_decay_ratio: float = 1.0
    fbank_mean: float = FBANK_MEAN
    fbank_std: float = FBANK_STD

    def __post_init__(self) -> None:
        if min(getattr(self, name) for name in SIZES) < 1:
            message = f"one of {', '.join(SIZES)} is below 1"
            raise ValueError(message)
        if self.encoder_embed_dim % self.encoder_attention_heads:
            message = (
                f"encoder_embed_dim {self.encoder_embed_dim} does not divide "
                f"into {self.encoder_attention_heads} heads"
            )
            raise ValueError(message)
        if N_MELS % self.input_patch_size:
            message = f"input_patch_size {self.input_patch_size} does not divide {N_MELS} mels"
            raise ValueError(message)
        if self.encoder_embed_dim % self.conv_pos_groups:
            message = f"{self.encoder_embed_dim} dimensions do not divide into {self.conv_pos_groups} groups"
            raise ValueError(message)
        if not 0 < self.num_buckets // 4 < self.max_distance:
            message = f"{self.num_buckets} buckets do not reach a max_distance of {self.max_distance}"
            raise ValueError(message)

    def is_as_published(self) -> bool:
        """Whether all but the sizes, which weights tell, is what is taken where a file says nothing."""
        return all(
            getattr(self, field.name) == field.default for field in fields(self) if field.name not in SIZES
        )

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.encoder_embed_dim // self.encoder_attention_heads

    @property
    def rows(self) -> int:
        """Patches in one column of time."""
        return N_MELS // self.input_patch_size

    @property
    def residual_scale(self) -> float:
        """DeepNorm's alpha: what the residual is multiplied with in every layer."""
        return float((2 * self.encoder_layers) ** 0.25) if self.deep_norm else 1.0
