"""A stage over a denoiser; and a denoiser over a network that reads tokens."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch

from .latents.layout import Layout, grid_positions
from .latents.packing import Packing
from .latents.states import Guided, StageEnd, State
from .latents.tokens import patchify, unpatchify
from .latents.views import PAPER, view_named
from .plans import Plan, Stage
from .steps import Steps
from .tasks import RunStage, StageTask, Start

Estimate = torch.Tensor | Guided
Denoise = Callable[[torch.Tensor, float, Layout | None], Estimate]
Network = Callable[[torch.Tensor, torch.Tensor, float], Estimate]


def multistep(denoise: Denoise) -> RunStage:
    """A stage runner whose steps have the order of the stage.

    denoise  (x, sigma, layout) -> clean estimate of x's shape, or `Guided`, which tells it without
             guidance, too: a stage that is not `guided` takes that one. To save the call of the
             model as well, choose the denoiser by `task.stage.guided`, in a runner of your own for
             `run_plan`: sigma alone does not tell in a plan that goes back up in it, such as "own
             noise 4-4, guided at half size". With a layout, x is a mixed state: `packing.Packing`
             makes its tokens, which see each other as `layout.views` says. ValueError for an
             estimate of another shape.

    Order 1 is Euler. Order 2 is Adams-Bashforth in velocity over sigma, for uneven steps; its first
    step is Euler's, but where the stage before left a memory.
    """

    def run_stage(task: StageTask, start: Start) -> StageEnd:
        x = denoised = start.take()
        stage = task.stage
        steps = Steps(stage.order, start.memory, stage.restrained, stage.corrected)
        history: list[State] = []
        last: State | None = None
        for sigma, following in itertools.pairwise(stage.sigmas):
            denoised, unguided = _split(denoise(x, sigma, task.layout), stage, x)
            if task.keep_history:
                history.append(State(sigma, x, denoised))
            last = State(sigma, x, denoised if unguided is None else unguided)
            settles = stage.settles if following == 0 else 0.0
            x = steps.take(x, denoised, sigma, following, settles, unguided)
        return StageEnd(x, denoised, tuple(history), last if task.keep_last else None)

    return run_stage


def _split(
    estimate: Estimate, stage: Stage, x: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The clean estimate that the stage takes, and that without guidance where guidance goes on
    straight."""
    if not isinstance(estimate, Guided):
        return _of_shape(estimate, x), None
    _of_shape(estimate.denoised, x), _of_shape(estimate.unguided, x)
    if not stage.guided:
        return estimate.unguided, None
    return estimate.denoised, estimate.unguided if stage.straight_guidance else None


def _of_shape(estimate: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    if estimate.shape != x.shape:
        raise ValueError(
            f"A denoiser returns an estimate of the state's shape {tuple(x.shape)}, got "
            f"{tuple(estimate.shape)}: return one for each picture."
        )
    return estimate


@dataclass(eq=False)
class OverTokens:
    """What `over_tokens` makes. ValueError, in a call, for a state that does not split into whole
    tokens, or into those of a mixed stage's layout, and for what `check` refuses."""

    network: Network
    patch: int

    def __post_init__(self) -> None:
        self._parts_of = functools.lru_cache(maxsize=1)(_parts_of)  # a stage has one layout

    def check(self, plan: Plan, noise: torch.Tensor, patch: int) -> None:
        """Before anything is sampled: ValueError for a run from noise (B, C, H, W) whose states it
        cannot split into tokens, and for views that it cannot tell.

        patch  latent pixels along a token of the run.
        """
        _check_whole(noise, self.patch)
        if not plan.is_full:
            _check_patch(patch, self.patch)
        for stage in plan.stages:
            _check_views(stage.views)

    def __call__(self, x: torch.Tensor, sigma: float, layout: Layout | None) -> Estimate:
        patch = self.patch
        _check_whole(x, patch)
        if layout is None:
            rows, columns = x.shape[-2] // patch, x.shape[-1] // patch
            places = grid_positions(rows, columns, 1, x.device).expand(len(x), -1, -1)
            tokens = self._told(patchify(x, patch), places, sigma)
            return _each(tokens, lambda one: unpatchify(one, rows, columns, patch).to(x.dtype))
        _check_patch(layout.patch, patch)
        _check_views(layout.views)
        if len(x) % layout.batch:
            raise ValueError(
                f"{len(x)} rows cannot hold batches of {layout.batch} pictures: stack whole "
                "batches."
            )
        told = [
            (_each(self._told(part.pack(x[numbers]), places, sigma), part.unpack), numbers)
            for part, numbers, places in self._parts_of(layout, len(x))
        ]
        return _joined(told, x)

    def _told(self, tokens: torch.Tensor, places: torch.Tensor, sigma: float) -> Estimate:
        """What the network makes of tokens. ValueError for anything but estimates of them."""
        estimate = self.network(tokens, places, sigma)
        for one in _members(estimate):
            shape = tuple(one.shape) if torch.is_tensor(one) else type(one).__name__
            if shape != tokens.shape:
                raise ValueError(
                    f"A network over tokens returns the clean estimate of them, of shape "
                    f"{tuple(tokens.shape)}, or `Guided` of two, got {shape}: return tokens - "
                    "sigma * velocity."
                )
        return estimate


def over_tokens(network: Network, patch: int = 2) -> OverTokens:
    """A denoiser from a network that reads token sequences.

    network  (tokens (n, N, C*patch^2), positions (n, N, 2) as row and column, sigma) -> clean
             estimate of the tokens, or `Guided` of them. Called once for each number of tokens that
             pictures have. Positions count on the stage's own grid, the coarse one in a mixed
             stage, where fine tokens lie at multiples of one half.
    patch    latent pixels along one token, as those of the run's `Source`.
    Plain states, at full or half size, are sequences of their tokens row by row; within a token the
    order is channel, row, column. Rows may hold the batch again and again, as those of guidance by
    a second call do.
    Views other than the paper's are refused: one place of each token is not enough for them.
    """
    return OverTokens(network, patch)


def _parts_of(layout: Layout, count: int) -> list[tuple[Packing, torch.Tensor, torch.Tensor]]:
    """Its packings, each with its rows of so many, and the places of their tokens."""
    places = torch.arange(count, device=layout.fine.device).reshape(-1, layout.batch)
    return [
        (part, rows, part.rows(part.positions, len(rows)))
        for part in Packing.parts(layout)
        for rows in [places[:, part.items].flatten()]
    ]


def _each(estimate: Estimate, change: Callable[[torch.Tensor], torch.Tensor]) -> Estimate:
    if not isinstance(estimate, Guided):
        return change(estimate)
    return Guided(change(estimate.denoised), change(estimate.unguided))


def _joined(told: list[tuple[Estimate, torch.Tensor]], x: torch.Tensor) -> Estimate:
    """Estimates of some rows of x, each with their numbers, as one of all."""
    first, _ = told[0]
    whole = _each(first, lambda _: torch.empty_like(x))
    for estimate, numbers in told:
        for one, all_rows in zip(_members(estimate), _members(whole), strict=True):
            all_rows[numbers] = one.to(x.dtype)
    return whole


def _members(estimate: Estimate) -> tuple[torch.Tensor, ...]:
    return (estimate.denoised, estimate.unguided) if isinstance(estimate, Guided) else (estimate,)


def _check_whole(x: torch.Tensor, patch: int) -> None:
    if any(side % patch for side in x.shape[-2:]):
        raise ValueError(
            f"A latent must split into whole tokens of {patch}x{patch}, got {x.shape[-2]}x"
            f"{x.shape[-1]}: extend it to the next multiple of {patch} each way."
        )


def _check_patch(run: int, patch: int) -> None:
    if run != patch:
        raise ValueError(
            f"The run's tokens are {run} latent pixels wide, and this network's {patch}: "
            f"set patch={patch} of `Source`."
        )


def _check_views(views: str) -> None:
    if view_named(views).corrected:
        raise ValueError(
            f"A network over tokens is told one place of each, and the views {views!r} have two: "
            f"set them to {PAPER!r}, or write a denoiser that reads layout.views."
        )
