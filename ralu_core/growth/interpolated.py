"""Growth by interpolation, compared in the paper's ablation."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from ..latents.flow import Jump
from .growth import Growth

LANCZOS_TAPS = 3


class Interpolated(Growth):
    """Interpolated noise has no short covariance: the noise that joins it matches the
    signal-to-noise ratio of each pixel."""

    def join_noise(
        self, grown: torch.Tensor, white: torch.Tensor, jump: Jump, patch: int
    ) -> torch.Tensor:
        height, width = grown.shape[-2:]
        gain = self.noise_gain(height // 2, width // 2).to(grown)
        left = (jump.signal * jump.end_sigma) ** 2 * gain
        # Real: gain stays below 4, the least z**2.
        return grown + (jump.start_sigma**2 - left).sqrt() * white

    def noise_gain(self, rows: int, columns: int) -> torch.Tensor:
        """Variance that `grow` leaves of unit white noise: (2*rows, 2*columns)."""
        return torch.outer(self._axis_gain(rows), self._axis_gain(columns))

    def _axis_gain(self, size: int) -> torch.Tensor:
        """Sum of squared weights of each output pixel along one axis, from the operator itself."""
        # Every row holds the same impulse, so the other axis is constant and keeps its value.
        impulses = torch.eye(size, dtype=torch.float32)[:, None, None, :].expand(-1, 1, 2, -1)
        return self.grow(impulses, 1)[:, 0, 0, :].square().sum(0)


class Smooth(Interpolated):
    """PyTorch's own interpolation."""

    def __init__(self, name: str):
        self.name = self.words = name

    def grow(self, coarse: torch.Tensor, patch: int) -> torch.Tensor:
        return F.interpolate(coarse, scale_factor=2, mode=self.name)


class Lanczos(Interpolated):
    """Lanczos-3 at the half-pixel phases of a factor of two, edges repeated."""

    name = words = "lanczos"

    def grow(self, coarse: torch.Tensor, patch: int) -> torch.Tensor:
        kernels = torch.stack([_lanczos_weights(0.25), _lanczos_weights(-0.25)]).to(coarse)
        return _double_columns(_double_columns(coarse, kernels).mT, kernels).mT


def _lanczos_weights(phase: float) -> torch.Tensor:
    x = torch.arange(-LANCZOS_TAPS, LANCZOS_TAPS + 1, dtype=torch.float64) + phase
    weights = torch.sinc(x) * torch.sinc(x / LANCZOS_TAPS) * (x.abs() < LANCZOS_TAPS)
    return weights / weights.sum()


def _double_columns(latent: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    b, c, h, w = latent.shape
    padded = F.pad(latent, (LANCZOS_TAPS, LANCZOS_TAPS, 0, 0), mode="replicate")
    rows = padded.reshape(b * c * h, 1, w + 2 * LANCZOS_TAPS)
    phases = F.conv1d(rows, kernels[:, None])  # (B*C*H, 2, W)
    return phases.transpose(1, 2).reshape(b, c, h, 2 * w)
