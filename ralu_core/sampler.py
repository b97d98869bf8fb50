"""Run a plan. The sampler knows no network, no VAE and no host: only callables."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Integral

import torch
import torch.nn.functional as F

from .crossings import Crossing, Matched, Place
from .growth import growth_named
from .latents.grid import HALF, Grid
from .latents.layout import Layout
from .latents.noise import REGIONS, white_noise
from .latents.states import StageEnd
from .latents.tokens import PATCH, pick
from .plans import Plan, Stage
from .scores import Evidence, Regions
from .scores.score import Decode, decoded
from .solvers import Denoise, OverTokens, multistep
from .tasks import RunStage, StageTask, Start


@dataclass(frozen=True, eq=False)
class Source:
    """Where a run begins.

    noise    (B, C, H, W) standard normal, no dimension empty; H and W split into whole coarse
             tokens where a stage of the plan has such.
    clean    (B, C, H, W) clean latent to start from or to keep under a mask; zero for none.
    coarse   (B, C, H/2, W/2) the same at half size; plans at full size alone read none of it.
    is_zero  whether the clean latent is known to be zero, which saves the arithmetic on it.
    patch    latent pixels along one token.
    """

    noise: torch.Tensor
    clean: torch.Tensor
    coarse: torch.Tensor
    is_zero: bool = False
    patch: int = PATCH

    def check(self, plan: Plan) -> None:
        """ValueError for noise that is not of pictures, or that a plan's coarse tokens do not
        split, and for a clean latent of another shape."""
        shape, kind = tuple(self.noise.shape), self.noise.dtype
        if len(shape) != 4 or 0 in shape or not self.noise.is_floating_point():
            raise ValueError(
                "Noise is of pictures, floats (B, C, H, W) with no dimension empty, got "
                f"{shape} of {kind}: one picture has B = 1."
            )
        if not isinstance(self.patch, Integral) or self.patch < 1:
            raise ValueError(
                f"A token is a whole number of latent pixels wide, 1 or more, got {self.patch!r}: "
                "set patch=2 for Flux and SD3."
            )
        (h, w), side = shape[-2:], 2 * self.patch
        if not plan.is_full and (h % side or w % side):
            raise ValueError(
                f"A latent must split into whole coarse tokens of {side}x{side}, got {h}x{w}: "
                f"draw noise of {-(-h // side) * side}x{-(-w // side) * side}, and crop the result."
            )
        self._check_clean(plan)

    def _check_clean(self, plan: Plan) -> None:
        fits = plan.is_full or self.coarse.shape == pick(self.noise).shape
        if self.clean.shape != self.noise.shape or not fits:
            raise ValueError(
                f"A clean latent has the noise's shape {tuple(self.noise.shape)}, and half of it "
                f"each way where a stage is at half size, got {tuple(self.clean.shape)} and "
                f"{tuple(self.coarse.shape)}: make the source by `Source.from_latent`."
            )

    @classmethod
    def from_noise(cls, noise: torch.Tensor, patch: int = PATCH) -> Source:
        """A run from noise alone."""
        empty = torch.zeros_like(noise)
        return cls(noise, empty, torch.zeros_like(pick(noise)), is_zero=True, patch=patch)

    @classmethod
    def from_latent(cls, noise: torch.Tensor, clean: torch.Tensor, patch: int = PATCH) -> Source:
        """A run over a clean latent of the noise's shape; `Plan.begun_at` says from which noise
        level on. Half size begins with the mean of each 2x2 latent pixels."""
        return cls(noise, clean, F.avg_pool2d(clean, 2), patch=patch)

    def clean_on(self, grid: Grid, layout: Layout | None) -> torch.Tensor:
        """The clean latent in the form of a grid."""
        if self.is_zero and grid.is_mixed:
            return self.clean
        return grid.join(lambda: self.clean, lambda: self.coarse, layout)

    def start(self, task: StageTask) -> torch.Tensor:
        """Where the first stage begins: its noise and clean latent at its first sigma."""
        sigma = task.stage.start
        if self.is_zero:
            return sigma * task.white
        return sigma * task.white + (1 - sigma) * task.clean


@dataclass(frozen=True, eq=False)
class Result:
    """x is the final full-size state, denoised the last clean estimate.

    layout tells which tokens grew early; None if no stage of the run was mixed.
    """

    x: torch.Tensor
    denoised: torch.Tensor
    layout: Layout | None


ChooseRegions = Callable[[StageEnd, float], torch.Tensor]
DrawNoise = Callable[[int], torch.Tensor]


def run_plan(
    plan: Plan,
    source: Source,
    run_stage: RunStage,
    choose_regions: ChooseRegions,
    draw_noise: DrawNoise,
    keep_history: bool = False,
) -> Result:
    """Sample the stages of a plan, with its crossing between each two.

    run_stage       (what the stage samples on, where it starts) -> StageEnd.
    choose_regions  (end of the stage before, ratio) -> (B, rows, columns) bool, coarse tokens that
                    a mixed stage has fine; ValueError for another shape. Where a run begins mixed,
                    the end holds its source.
    draw_noise      number of a crossing, 1 for the plan's first -> (B, C, H, W) standard normal
                    noise of it, of the type of the source's; asked once for each.
    keep_history    whether stages before a choice of regions keep their steps.
    """
    source.check(plan)
    noises = _Noises(plan, source, draw_noise)
    layout: Layout | None = None
    end: StageEnd | None = None
    before: Grid | None = None
    ways = [*plan.way(), None]
    for (crossing, stage), following in itertools.pairwise(ways):
        grid = stage.grid
        # Drawn before the edges are waited for.
        white = None if crossing is None else noises.at(crossing, stage)
        if grid.is_mixed and not (before and before.is_mixed):
            layout = _choose(choose_regions, source, end, stage)
        elif grid.is_mixed and layout is not None:
            layout = replace(layout, views=stage.views)
        chooses = following is not None and following[1].grid.is_mixed and not grid.is_mixed
        task = StageTask(
            stage,
            noises.first(layout) if white is None else grid.noise(white, layout),
            source.clean_on(grid, layout),
            layout if grid.is_mixed else None,
            chooses,
            keep_history and chooses,
            None if following is None else functools.partial(noises.at, *following),
            following is not None and following[0].remembers,
        )
        if crossing is None or end is None or white is None or before is None:
            start = Start(source.start(task))
        else:
            start = _cross(crossing, end, white, Place(before, grid, layout, source.patch))
            end = None  # or its memory would be kept while the next stage runs
        end, before = run_stage(task, start), grid
    assert end is not None  # a plan has at least one stage
    return Result(end.x, end.denoised, layout)


class _Noises:
    """The white noises of a run, each made once: its own, and those of its crossings."""

    def __init__(self, plan: Plan, source: Source, draw_noise: DrawNoise):
        self._plan, self._source, self._draw = plan, source, draw_noise
        self._made: dict[int, torch.Tensor] = {}

    def first(self, layout: Layout | None) -> torch.Tensor:
        """In the form of the first stage's grid; of half size, as the crossing after it needs."""
        grid, white = self._plan.stages[0].grid, self._source.noise
        if grid is HALF:
            halved = self._plan.crossings[0].halve_noise(white, self._source.patch)
            if halved is not None:
                return halved
        return grid.noise(white, layout)

    def at(self, crossing: Crossing, stage: Stage) -> torch.Tensor:
        """(B, C, H, W) that of the crossing into a stage."""
        stream = stage.number - 1
        if stream not in self._made:
            draw = functools.partial(self._draw, stream)
            self._made[stream] = crossing.noise(self._source.noise, draw, self._source.patch)
        return self._made[stream]


def _choose(
    choose_regions: ChooseRegions, source: Source, end: StageEnd | None, stage: Stage
) -> Layout:
    seen = end or StageEnd(source.coarse, source.coarse)
    fine = choose_regions(seen, stage.ratio or 0.0)
    (b, _, h, w), side = source.noise.shape, 2 * source.patch
    if fine.shape != (b, h // side, w // side):
        raise ValueError(
            f"Regions are chosen for each picture, {(b, h // side, w // side)} coarse tokens, got "
            f"{tuple(fine.shape)}: let the score or the choice of regions return that shape."
        )
    return Layout(fine.to(source.noise.device), source.patch, stage.views)


def _cross(crossing: Crossing, end: StageEnd, white: torch.Tensor, place: Place) -> Start:
    device = end.x.device
    if place.layout is not None:
        place = replace(place, layout=place.layout.to(device))
    memory = None if end.last is None else crossing.memory(end.last, place)
    return Start(crossing.cross(end, white.to(device), place), memory)


@torch.no_grad()
def sample(
    denoise: Denoise,
    decode: Decode | None,
    source: Source,
    plan: Plan,
    seed: int,
    regions: Regions | None = None,
) -> Result:
    """Sample pictures by a plan, each stage with steps of its own order, without gradients.

    denoise  see `solvers.multistep`; `solvers.over_tokens` makes one of a network over tokens.
    decode   (B, C, h, w) clean latent -> (B, H, W, 3) image in [0, 1]; None suits a score that
             reads the latent.
    seed     of the noise at the crossings; picture i of the batch draws from (seed, i).
    ValueError, before anything is sampled, for a seed that is no whole number from 0, for noise
    that does not fit the plan, or `over_tokens` its tokens, and where the regions cannot be chosen:
    the score has no decoder, the plan too few steps for it, or the mask another shape; and for
    growth by an enlarger where none was fitted for these channels. ImportError where a library for
    them is missing. ValueError from the first pictures that `decode` makes, where they are of
    another form.
    """
    if not isinstance(seed, Integral) or seed < 0:
        raise ValueError(
            f"A seed must be a whole number, 0 or more, got {seed!r}: round it, or take it modulo "
            "2^64."
        )
    source.check(plan)
    if isinstance(denoise, OverTokens):
        denoise.check(plan, source.noise, source.patch)
    _check_growths(plan, source)
    regions = regions or Regions()
    b, c, h, w = source.noise.shape
    grid = h // (2 * source.patch), w // (2 * source.patch)
    if plan.ratio is not None:
        regions.check(decode)
        regions.check_fits((b, *grid), plan.steps_before_regions)
    draw = functools.partial(white_noise, grid, seed, range(b), REGIONS)
    checked = None if decode is None else functools.partial(decoded, decode)
    return run_plan(
        plan,
        source,
        multistep(denoise),
        lambda end, ratio: regions.choose(Evidence(end, grid, checked, draw=draw), ratio),
        lambda stream: white_noise((c, h, w), seed, range(b), stream).to(source.noise),
        regions.needs_history,
    )


def _check_growths(plan: Plan, source: Source) -> None:
    for crossing in plan.crossings:
        if isinstance(crossing, Matched):
            growth_named(crossing.growth).check(source.noise.shape[1])
