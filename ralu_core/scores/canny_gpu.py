"""OpenCV's Canny, pixel for pixel, in tensor operations on the picture's own device."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from .edge_share import CANNY_HIGH, CANNY_LOW, EdgeShare

TAN_22 = 13573  # tangent of 22.5 degrees times 2**15, as OpenCV rounds it


class CannyGpu(EdgeShare):
    """The same edges without OpenCV, and without a copy to the host."""

    name = "canny_gpu"
    words = "canny_gpu: the same edges pixel for pixel without OpenCV, on the GPU if there is one"
    on_device = True

    def edges(self, levels: torch.Tensor) -> torch.Tensor:
        return canny_edges(levels)


def canny_edges(levels: torch.Tensor) -> torch.Tensor:
    """OpenCV's Canny in tensor operations, pixel for pixel.

    Not kornia's `canny`: that one drops a pixel whose neighbour is equally strong, so it loses
    straight edges, which have two such rows. Numbers are as small as they may be: at 4096 pixels
    every pass over the picture goes to main memory.
    """
    dx, dy = _sobel(levels)
    strength = dx.abs() + dy.abs()
    ridge = _is_ridge(dx, dy, strength)
    return _connected(ridge & (strength > CANNY_HIGH), ridge & (strength > CANNY_LOW)).float()


def _sobel(levels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Horizontal and vertical gradient of (B, H, W) uint8, borders repeated: int16, to 1020."""
    tall = torch.cat([levels[:, :1], levels, levels[:, -1:]], dim=1)
    padded = torch.cat([tall[..., :1], tall, tall[..., -1:]], dim=2).to(torch.int16)
    above, here, below = padded[:, :-2], padded[:, 1:-1], padded[:, 2:]
    smooth, slope = above + 2 * here + below, below - above
    dx = smooth[..., 2:] - smooth[..., :-2]
    return dx, slope[..., :-2] + 2 * slope[..., 1:-1] + slope[..., 2:]


def _is_ridge(dx: torch.Tensor, dy: torch.Tensor, strength: torch.Tensor) -> torch.Tensor:
    """Strongest across the edge; of two equal neighbours the upper or left one counts."""
    h, w = strength.shape[-2:]
    padded = F.pad(strength, (1, 1, 1, 1))

    def exceeds(down: int, right: int, margin: int = 0) -> torch.Tensor:
        return strength + margin > padded[:, 1 + down : 1 + down + h, 1 + right : 1 + right + w]

    x, y = dx.abs().int(), dy.abs().int() << 15
    beside = exceeds(0, -1) & exceeds(0, 1, margin=1)
    above = exceeds(-1, 0) & exceeds(1, 0, margin=1)
    falling = exceeds(-1, -1) & exceeds(1, 1)
    rising = exceeds(-1, 1) & exceeds(1, -1)
    diagonal = torch.where((dx ^ dy) < 0, rising, falling)
    steep = torch.where(y > x * (TAN_22 + (1 << 16)), above, diagonal)  # tan 67.5 = tan 22.5 + 2
    return torch.where(y < x * TAN_22, beside, steep)


def _connected(strong: torch.Tensor, weak: torch.Tensor) -> torch.Tensor:
    """The weak pixels that touch a strong one, directly or through others: (B, H, W) bool.

    Growing from the strong ones takes a pass for every pixel of the longest edge. Here all weak
    pixels are joined into components, in a number of rounds that grows with its logarithm.
    """
    row = weak.shape[-1] + 2
    padded = F.pad(weak, (1, 1, 1, 1))
    flat = padded.flatten()
    places = flat.nonzero()[:, 0]
    component = _components(flat, places, (1, row - 1, row, row + 1))
    touches = torch.zeros_like(places, dtype=torch.bool)
    touches[component[F.pad(strong, (1, 1, 1, 1)).flatten()[places]]] = True
    flat[places] = touches[component]
    return flat.reshape(padded.shape)[:, 1:-1, 1:-1]


def _components(flat: torch.Tensor, places: torch.Tensor, steps: tuple[int, ...]) -> torch.Tensor:
    """Join neighbouring pixels: for each place the number of one place, equal where connected.

    flat    bool, the pixels of a padded picture.
    places  where it is True.
    steps   from a pixel to those neighbours that come after it.
    """
    numbers = torch.arange(places.numel(), device=places.device)
    number = torch.zeros_like(flat, dtype=torch.int64)
    number[places] = numbers
    ends = places + torch.tensor(steps, device=places.device)[:, None]
    step, one = flat[ends].nonzero().unbind(1)
    other = number[ends[step, one]]
    component = numbers
    while True:
        a, b = component[one], component[other]
        apart = a != b
        if not apart.any():
            return component
        one, other, a, b = (part[apart] for part in (one, other, a, b))
        component = component.clone()
        component[torch.maximum(a, b)] = torch.minimum(a, b)  # of several smaller ones, any
        while not torch.equal(component, further := component[component]):
            component = further
