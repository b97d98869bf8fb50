"""No-reference artifact measures, one number for each picture (B, 3, H, W) in [0, 1].

Boundaries are known: a latent pixel is 8 pixels wide, a token (patch) 16, a coarse token 32.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from kornia.color import rgb_to_grayscale
from kornia.filters import spatial_gradient

LATENT_PIXEL, TOKEN, COARSE_TOKEN = 8, 16, 32
PERIODS = (LATENT_PIXEL, TOKEN, COARSE_TOKEN)
EDGE = 0.05  # gradient per pixel that makes an edge: 13 of 255 levels
ALONG = 7  # pixels of a window, taken twice, over which an edge's direction is averaged
DETAIL = 9  # pixels of a window, taken twice, whose mean is left out of the detail
KINK = 0.06  # larger kinks are edges of the picture; they count as this much
FLOOR = 1e-6  # energy added to both sides of a ratio; a quarter of a level of 255


def edge_aliasing(pictures: torch.Tensor) -> torch.Tensor:
    """Share of the gradient's energy that runs along the edges instead of across them.

    The edge's direction is that of the structure tensor, averaged over the neighbourhood, so the
    share is its smaller eigenvalue over the sum of both: 0 for straight smooth edges, 1/2 for
    noise. Mean over the edges, weighted by their energy; 0 in a picture without edges.
    """
    across, down = spatial_gradient(rgb_to_grayscale(pictures)).unbind(2)
    energy = across.square() + down.square()
    tensor = torch.cat([across.square(), across * down, down.square()], 1)
    xx, xy, yy = _smooth(tensor, ALONG).unbind(1)
    total = xx + yy
    larger = (total + ((xx - yy).square() + 4 * xy.square()).sqrt()) / 2
    share = (1 - larger / total.clamp(min=FLOOR)).clamp(0, 1)
    weight = (energy * (energy > EDGE**2))[:, 0]
    weighted = (share * weight).sum((1, 2)) / weight.sum((1, 2)).clamp(min=FLOOR)
    return weighted.clamp(0, 0.5)


def block_energy(pictures: torch.Tensor, period: int) -> torch.Tensor:
    """Log ratio of the energy of kinks at block boundaries to that inside blocks.

    A kink is a step between two neighbours beyond what their own neighbours' steps lead to
    expect. Boundaries are those of blocks of `period` pixels that are not boundaries of blocks
    twice as large (32: all of them); inside is where no block of 8 ends. 0 without blocks.
    """
    grey = rgb_to_grayscale(pictures)
    sides = [_boundary_and_inside(kinks, period) for kinks in (_kinks(grey), _kinks(grey.mT))]
    boundary = torch.stack([side[0] for side in sides]).mean(0)
    inside = torch.stack([side[1] for side in sides]).mean(0)
    return ((boundary + FLOOR) / (inside + FLOOR)).log()


def grid_energy(pictures: torch.Tensor, period: int) -> torch.Tensor:
    """Log ratio of the spectrum at the lines of a grid to that beside them; 0 without a grid.

    Lines are the multiples of 1/period that no grid of half the period has, in the power spectrum
    across and down, averaged over the other axis. Beside is three and four bins off, out of
    reach of the window.
    """
    grey = rgb_to_grayscale(pictures)[:, 0]
    power = (_spectrum(grey) + _spectrum(grey.mT)) / 2
    size = grey.shape[-1]
    step = 2 if period > LATENT_PIXEL else 1
    lines = torch.arange(1, period // 2, step) * (size // period)
    beside = torch.stack([power[:, lines + off].log() for off in (-4, -3, 3, 4)]).mean(0)
    return (power[:, lines].log() - beside).mean(1)


def sibling_copies(pictures: torch.Tensor) -> torch.Tensor:
    """How much more alike neighbouring tokens are inside a coarse token than across its border.

    Difference of two correlations of detail 16 pixels apart, in [-2, 2]; 0 in real pictures.
    """
    grey = rgb_to_grayscale(pictures)
    detail = (grey - _smooth(grey, DETAIL))[:, 0]
    sides = [_likeness(side) for side in (detail, detail.mT)]
    return torch.stack(sides).mean(0)


def blur_amount(pictures: torch.Tensor) -> torch.Tensor:
    """Minus the log energy of the finest gradient: larger is blurrier; no artifact of grids."""
    gradient = spatial_gradient(rgb_to_grayscale(pictures), order=2)
    return -(gradient.square().mean((1, 2, 3, 4)) + FLOOR).log()


def _smooth(values: torch.Tensor, window: int) -> torch.Tensor:
    for _ in range(2):
        values = F.avg_pool2d(values, window, 1, window // 2, count_include_pad=False)
    return values


def _kinks(grey: torch.Tensor) -> torch.Tensor:
    """(B, H, W-3) clipped energy of the kink between columns i+1 and i+2."""
    step = grey[:, 0].diff(dim=-1)
    kink = step[..., 1:-1] - (step[..., :-2] + step[..., 2:]) / 2
    return kink.clamp(-KINK, KINK).square()


def _boundary_and_inside(kinks: torch.Tensor, period: int) -> tuple[torch.Tensor, torch.Tensor]:
    place = torch.arange(kinks.shape[-1]) + 2  # of the column right of the kink
    # Kinks next to a boundary see half of its step, so they count as neither.
    inside = (place % LATENT_PIXEL - LATENT_PIXEL // 2).abs() <= 2
    at = place % period == 0
    if period < COARSE_TOKEN:
        at &= place % (2 * period) != 0
    return kinks[..., at].mean((1, 2)), kinks[..., inside].mean((1, 2))


def _spectrum(grey: torch.Tensor) -> torch.Tensor:
    """(B, W/2+1) power of the rows' steps, windowed, averaged over the rows."""
    size = grey.shape[-1]
    step = F.pad(grey.diff(dim=-1), (0, 1)) * torch.hann_window(size)
    return torch.fft.rfft(step).abs().square().mean(1) / size + FLOOR


def _likeness(detail: torch.Tensor) -> torch.Tensor:
    b, h, w = detail.shape
    tokens = detail.reshape(b, h, w // TOKEN, TOKEN)
    first, second = tokens[:, :, :-1], tokens[:, :, 1:]
    products = (first * second).sum((1, 3))
    energies = ((first.square() + second.square()) / 2).sum((1, 3))
    inside, across = slice(0, None, 2), slice(1, None, 2)
    alike = [
        products[:, some].sum(1) / (energies[:, some].sum(1) + FLOOR) for some in (inside, across)
    ]
    return alike[0] - alike[1]
