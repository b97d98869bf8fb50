"""Steps of a stage, over a denoiser; and a denoiser over a network that reads tokens."""

from __future__ import annotations

from collections.abc import Callable

import torch

from .latents.layout import Layout, grid_positions
from .latents.packing import Packing
from .latents.states import StageEnd, State
from .latents.tokens import patchify, unpatchify
from .tasks import RunStage, StageTask, Start

Denoise = Callable[[torch.Tensor, float, Layout | None], torch.Tensor]


def multistep(denoise: Denoise) -> RunStage:
    """A stage runner whose steps have the order of the stage.

    denoise  (x, sigma, layout) -> clean estimate of x's shape. With a layout, x is a mixed state:
             `packing.Packing` makes its tokens.

    Order 1 is Euler. Order 2 is Adams-Bashforth in velocity over sigma, for uneven steps; its first
    step, which has no history, is Euler's.
    """

    def run_stage(task: StageTask, start: Start) -> StageEnd:
        x = denoised = start.take()
        slope: torch.Tensor | None = None
        width = 0.0
        history: list[State] = []
        for sigma, following in zip(task.stage.sigmas, task.stage.sigmas[1:], strict=False):
            denoised = denoise(x, sigma, task.layout)
            if task.keep_history:
                history.append(State(sigma, x, denoised))
            velocity = (x - denoised) / sigma
            step = following - sigma
            if slope is None or task.stage.order == 1:
                x = x + velocity * step
            else:
                x = x + step * (velocity + step / (2 * width) * (velocity - slope))
            slope, width = velocity, step
        return StageEnd(x, denoised, tuple(history))

    return run_stage


def over_tokens(
    network: Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor], patch: int = 2
) -> Denoise:
    """A denoiser from a network that reads token sequences.

    network  (tokens (n, N, C*patch^2), positions (n, N, 2) as row and column, sigma) -> clean
             estimate of the tokens. Called once for each number of tokens that pictures have.
    Plain states, at full or half size, are sequences of their tokens row by row.
    """

    def denoise(x: torch.Tensor, sigma: float, layout: Layout | None) -> torch.Tensor:
        if layout is None:
            rows, columns = x.shape[-2] // patch, x.shape[-1] // patch
            places = grid_positions(rows, columns, 1, x.device).expand(len(x), -1, -1)
            tokens = network(patchify(x, patch), places, sigma)
            return unpatchify(tokens, rows, columns, patch)
        out = torch.empty_like(x)
        for part in Packing.parts(layout):
            tokens = part.pack(x[part.items])
            out[part.items] = part.unpack(network(tokens, part.positions, sigma))
        return out

    return denoise
