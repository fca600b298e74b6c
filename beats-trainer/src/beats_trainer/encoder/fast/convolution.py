"""A wide grouped convolution through the FFT, in blocks: one spectrum serves clips of any length."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

BLOCK = 256  # patches in one transform: the kernel's 128 and as many results again


class BlockConvolution:
    """`conv1d` along the middle axis, with as many results as inputs.

    Args:
        weight: `(dim, dim / groups, width)`, as for `conv1d` with padding `width // 2`.
        bias: `(dim,)`.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        dim, inner, self.width = weight.shape
        self.groups, self.inner, self.bias = dim // inner, inner, bias
        self.block = max(BLOCK, 2 * self.width)
        self.hop = self.block - self.width + 1
        spectrum = torch.fft.rfft(weight.flip(-1), n=self.block)
        spectrum = spectrum.view(self.groups, inner, inner, -1).permute(3, 0, 2, 1)
        self.spectrum = spectrum.reshape(-1, inner, inner).contiguous()  # (frequencies * groups, in, out)

    def __call__(self, x: Tensor) -> Tensor:
        """`(batch, patches, dim)` -> `(batch, patches, dim)`."""
        batch, patches, dim = x.shape
        blocks = -(-patches // self.hop)
        before = self.width // 2
        after = blocks * self.hop + self.width - 1 - before - patches
        waves = functional.pad(x, (0, 0, before, after)).unfold(1, self.block, self.hop)
        mixed = torch.fft.irfft(self._mix(torch.fft.rfft(waves)), n=self.block)[..., self.width - 1 :]
        y = mixed.reshape(batch, blocks, dim, self.hop).transpose(2, 3).reshape(batch, -1, dim)
        shifted: Tensor = y[:, :patches] + self.bias
        return shifted

    def _mix(self, spectrum: Tensor) -> Tensor:
        """Each frequency times its matrix: `(batch, blocks, dim, frequencies)` -> the same, flat in front."""
        frequencies = spectrum.shape[-1]
        x = spectrum.reshape(-1, self.groups, self.inner, frequencies).permute(3, 1, 0, 2)
        rows = x.shape[2]
        y = torch.bmm(x.reshape(-1, rows, self.inner), self.spectrum)
        y = y.view(frequencies, self.groups, rows, self.inner).permute(2, 1, 3, 0)
        return y.reshape(rows, -1, frequencies)
