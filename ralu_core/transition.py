"""From the end of one stage to the start of the next: grow, rescale, add matched noise.

x <- a * Up(x) + b * z puts the sample back on the model's own trajectory at `start_sigma`: signal
1 - start_sigma, white noise of standard deviation start_sigma on every token (RALU eq. 4-6).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .flow import signal_scale, stage_start
from .layout import Layout
from .noise import kept_noise, sibling_noise
from .tokens import pick, spread
from .upsampling import DEFAULT_UPSAMPLING, noise_gain, upsample


@dataclass(frozen=True)
class Transition:
    """One change of resolution.

    end_sigma   where the stage before it ended, in (0, 1).
    z           noise jump, at least 2; c = 1 / z^2.
    upsampling  one of `upsampling.UPSAMPLING`.
    kept        law of the noise on tokens that do not grow, see `noise.kept_noise`.
    """

    end_sigma: float
    z: float
    upsampling: str = DEFAULT_UPSAMPLING
    kept: str = "exact"

    @property
    def start_sigma(self) -> float:
        """Where the next stage starts: also the paper's b, the factor on the noise."""
        return stage_start(self.z, self.end_sigma)

    @property
    def c(self) -> float:
        return 1 / self.z**2

    def to_mixed(self, coarse: torch.Tensor, layout: Layout, white: torch.Tensor) -> torch.Tensor:
        """Grow the chosen regions: (B, C, H/2, W/2) end of stage 1 -> (B, C, H, W) mixed state.

        white  (B, C, H, W) standard normal; coarse regions use every second pixel of it.
        """
        return torch.where(
            layout.fine_pixels,
            self._grow(coarse, white),
            spread(self._keep(coarse, pick(white))),
        )

    def to_full(self, mixed: torch.Tensor, layout: Layout, white: torch.Tensor) -> torch.Tensor:
        """Grow what is still coarse: (B, C, H, W) mixed end of stage 2 -> full state."""
        return torch.where(
            layout.fine_pixels, self._keep(mixed, white), self._grow(pick(mixed), white)
        )

    def _keep(self, state: torch.Tensor, white: torch.Tensor) -> torch.Tensor:
        noise = kept_noise(white, self.c, self.kept)
        return (self._signal * state).add_(noise, alpha=self.start_sigma)

    def _grow(self, coarse: torch.Tensor, white: torch.Tensor) -> torch.Tensor:
        grown = upsample(self._signal * coarse, self.upsampling)
        if self.upsampling in ("token", "pixel"):
            noise = sibling_noise(white, self.c, self.upsampling)
            return grown.add_(noise, alpha=self.start_sigma)
        return grown + self._matched_deviation(coarse) * white

    def _matched_deviation(self, coarse: torch.Tensor) -> torch.Tensor:
        """Interpolated noise has no short covariance: match the signal-to-noise ratio per pixel."""
        rows, columns = coarse.shape[-2:]
        gain = noise_gain(rows, columns, self.upsampling).to(coarse)
        left = (self._signal * self.end_sigma) ** 2 * gain
        return (self.start_sigma**2 - left).sqrt()  # real: gain stays below 4, the least z**2

    @property
    def _signal(self) -> float:
        return signal_scale(self.z, self.end_sigma)
