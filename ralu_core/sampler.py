"""The three-stage sampler. It knows no network, no VAE and no ComfyUI: only callables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from .layout import Layout
from .noise import white_noise
from .regions import Regions
from .schedule import StageSchedule
from .tokens import PATCH, pick, spread
from .transition import Transition
from .upsampling import DEFAULT_UPSAMPLING, check_upsampling

MIXED, FULL = 1, 2  # stage numbers in code; 0 is the low-resolution stage


@dataclass(frozen=True)
class Stage:
    """What one stage samples on; tensors have the stage's own size and form.

    index   0 low resolution, 1 mixed, 2 full.
    sigmas  noise levels, falling; one more than steps.
    white   standard normal noise that this stage began with.
    clean   clean latent that the run began with; zero when it began from noise alone.
    layout  the token layout of the mixed stage, else None.
    """

    index: int
    sigmas: Sequence[float]
    white: torch.Tensor
    clean: torch.Tensor
    layout: Layout | None = None


class Start:
    """The state at a stage's first sigma, for the runner to take: no one else keeps its memory."""

    def __init__(self, x: torch.Tensor):
        self._x = [x]

    def take(self) -> torch.Tensor:
        """The state. RuntimeError when it was taken before."""
        if not self._x:
            raise RuntimeError(
                "A stage begins once, and its first state was asked for again: keep what take() "
                "returned, and sample a stage in one call."
            )
        return self._x.pop()


@dataclass(frozen=True)
class StageEnd:
    """x is the state at the stage's last sigma, denoised the model's last clean estimate.

    The transition is computed where x lies, which need not be where the run began.
    """

    x: torch.Tensor
    denoised: torch.Tensor


@dataclass(frozen=True)
class Plan:
    """The settings of a run.

    schedule     the three stages.
    upsampling   one of `upsampling.UPSAMPLING`.
    kept         law of the noise on kept tokens, see `noise.kept_noise`.
    start_sigma  1 starts from noise; below 1, stages that end above it are skipped (img2img).
    """

    schedule: StageSchedule
    upsampling: str = DEFAULT_UPSAMPLING
    kept: str = "exact"
    start_sigma: float = 1.0

    def __post_init__(self) -> None:
        check_upsampling(self.upsampling)

    @property
    def steps(self) -> list[int]:
        """Steps of each stage that is not skipped."""
        return [len(sigmas) - 1 for _, sigmas in self.schedule.truncated(self.start_sigma)]

    def transition_into(self, stage: int) -> Transition:
        """The transition into `stage` (1 or 2)."""
        end = self.schedule.end_sigmas[stage - 1]
        return Transition(end, self.schedule.z, self.upsampling, self.kept)


@dataclass(frozen=True)
class Source:
    """Where a run begins.

    noise    (B, C, H, W) standard normal; H and W multiples of 4, so that coarse tokens are whole.
    clean    (B, C, H, W) clean latent to start from or to keep under a mask; zero for none.
    coarse   (B, C, H/2, W/2) the same at half size.
    is_zero  whether the clean latent is known to be zero, which saves the arithmetic on it.
    """

    noise: torch.Tensor
    clean: torch.Tensor
    coarse: torch.Tensor
    is_zero: bool = False

    def __post_init__(self) -> None:
        h, w = self.noise.shape[-2:]
        if h % (2 * PATCH) or w % (2 * PATCH):
            raise ValueError(
                f"A latent must split into whole coarse tokens of 4x4, got {h}x{w}: extend it to "
                "the next multiple of 4 each way, and crop the result."
            )

    @classmethod
    def from_noise(cls, noise: torch.Tensor) -> Source:
        return cls(noise, torch.zeros_like(noise), torch.zeros_like(pick(noise)), is_zero=True)

    def stage(
        self, index: int, sigmas: Sequence[float], white: torch.Tensor, layout: Layout | None
    ) -> Stage:
        """Noise and clean latent in the form that stage `index` samples in."""
        if index == 0:
            return Stage(index, sigmas, pick(white), self.coarse)
        if index == FULL or layout is None:
            return Stage(index, sigmas, white, self.clean)
        return Stage(index, sigmas, layout.settle(white), self._mixed(layout), layout)

    def start(self, stage: Stage) -> torch.Tensor:
        """Where the first stage begins: its noise and clean latent at its first sigma."""
        sigma = stage.sigmas[0]
        if self.is_zero:
            return sigma * stage.white
        return sigma * stage.white + (1 - sigma) * stage.clean

    def _mixed(self, layout: Layout) -> torch.Tensor:
        if self.is_zero:
            return self.clean
        return torch.where(layout.fine_pixels, self.clean, spread(self.coarse))


@dataclass(frozen=True)
class Result:
    """x is the final full-size state, denoised the last clean estimate.

    layout tells which tokens grew early; None if the run began in the last stage.
    """

    x: torch.Tensor
    denoised: torch.Tensor
    layout: Layout | None


RunStage = Callable[[Stage, Start], StageEnd]
ChooseRegions = Callable[[torch.Tensor], torch.Tensor]
DrawNoise = Callable[[int], torch.Tensor]


def run_stages(
    plan: Plan,
    source: Source,
    run_stage: RunStage,
    choose_regions: ChooseRegions,
    draw_noise: DrawNoise,
) -> Result:
    """Sample the stages of a plan, with a transition between each two.

    run_stage       (stage, where it starts) -> StageEnd.
    choose_regions  (B, C, H/2, W/2) clean estimate -> (B, H/4, W/4) bool, coarse tokens to grow.
    draw_noise      stage number -> (B, C, H, W) standard normal noise of its transition.
    """
    layout: Layout | None = None
    end: StageEnd | None = None
    for index, sigmas in plan.schedule.truncated(plan.start_sigma):
        # Drawn before the edges are waited for.
        white = source.noise if end is None else draw_noise(index)
        if index == MIXED:
            layout = _choose(choose_regions, source, end)
        stage = source.stage(index, sigmas, white, layout)
        if end is None:
            start = Start(source.start(stage))
        else:
            start = Start(_cross(plan.transition_into(index), end.x, layout, white))
            end = None  # or its memory would be kept while the next stage runs
        end = run_stage(stage, start)
    assert end is not None  # a schedule has at least one stage below any start_sigma
    return Result(end.x, end.denoised, layout)


def _choose(choose_regions: ChooseRegions, source: Source, end: StageEnd | None) -> Layout:
    estimate = source.coarse if end is None else end.denoised
    return Layout(choose_regions(estimate).to(source.noise.device))


def _cross(
    transition: Transition, x: torch.Tensor, layout: Layout | None, white: torch.Tensor
) -> torch.Tensor:
    assert layout is not None  # only the stages after the first have a transition
    white = white.to(x.device)
    if layout.fine.device != x.device:
        layout = Layout(layout.fine.to(x.device))
    if x.shape[-2:] == layout.latent_size:
        return transition.to_full(x, layout, white)
    return transition.to_mixed(x, layout, white)


def euler(denoise: Callable[[torch.Tensor, float, Layout | None], torch.Tensor]) -> RunStage:
    """A stage runner of plain Euler steps.

    denoise  (x, sigma, layout) -> clean estimate of x's shape. With a layout, x is a mixed state:
             `layout.pack` makes its tokens, `layout.positions` their places.
    """

    def run_stage(stage: Stage, start: Start) -> StageEnd:
        x = denoised = start.take()
        for sigma, following in zip(stage.sigmas, stage.sigmas[1:], strict=False):
            denoised = denoise(x, sigma, stage.layout)
            velocity = (x - denoised) / sigma
            x = x + velocity * (following - sigma)
        return StageEnd(x, denoised)

    return run_stage


def sample(
    denoise: Callable[[torch.Tensor, float, Layout | None], torch.Tensor],
    decode: Callable[[torch.Tensor], torch.Tensor] | None,
    source: Source,
    plan: Plan,
    seed: int,
    regions: Regions | None = None,
) -> Result:
    """Sample pictures in three stages with Euler steps.

    denoise  see `euler`.
    decode   (B, C, h, w) clean latent -> (B, 8h, 8w, 3) image in [0, 1]; None suits a detector that
             reads the latent.
    seed     of the noise at the transitions; picture i of the batch draws from (seed, i).
    """
    regions = regions or Regions()
    b, c, h, w = source.noise.shape
    return run_stages(
        plan,
        source,
        euler(denoise),
        lambda denoised: regions.choose(denoised, plan.schedule.ratio, decode),
        lambda stage: white_noise((c, h, w), seed, range(b), stage).to(source.noise.device),
    )
