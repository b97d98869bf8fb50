"""What a plan does to a Gaussian of FLUX's spectrum, exactly: linear algebra, no sampling.

The data are N(0, P(w)), w in cycles per picture, and the denoiser is the perfect one of every
frequency. Then each coefficient of a state is a sum of independent standard normals times numbers,
and so is the final: its variance against the data's says what a plan loses of contrast, its
coherence with the half-size stage's estimate what it forgets. It knows no objects: it ranks
schedules, it does not judge pictures. Bands are squares in the cosine transform.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import torch

from ralu_core.crossings import Crossing, Matched, Onward
from ralu_core.growth import growth_named
from ralu_core.latents.flow import stage_start
from ralu_core.latents.grid import FULL
from ralu_core.latents.states import Memory
from ralu_core.plans import Plan, Stage
from ralu_core.steps import Steps

BANDS = (0, 4, 8, 16, 32, 64, 128)
AMPLITUDE, FALL = 203.6, 1.9155  # SPEED's fit to FLUX's latents at 1024 pixels
SLOWEST = 0.5  # cycles that stand for the mean, which has none


@dataclass(frozen=True)
class Spectrum:
    """Variances (side, side) of the orthonormal cosine coefficients of clean latents.

    side  latent pixels each way, a power of two of at least 8.
    """

    side: int = 128

    @cached_property
    def full(self) -> torch.Tensor:
        index = torch.arange(self.side, dtype=torch.float64)
        cycles = (index[:, None].square() + index.square()).sqrt() / 2
        return AMPLITUDE * cycles.clamp(min=SLOWEST) ** -FALL

    @cached_property
    def half(self) -> torch.Tensor:
        """Of the same pictures at half size: the same pixel values on a quarter of the pixels."""
        return self.full[: self.side // 2, : self.side // 2] / 4

    @cached_property
    def band(self) -> torch.Tensor:
        """(side, side) number of each coefficient's band."""
        index = torch.arange(self.side)
        outer = torch.maximum(index[:, None], index[None]) * (BANDS[-1] // self.side)
        return torch.bucketize(outer, torch.tensor(BANDS[1:]), right=True)

    def by_band(self, values: torch.Tensor) -> tuple[float, ...]:
        """Means of (side, side) values over the bands that this side has."""
        return tuple(
            values[self.band == number].mean().item() for number in self.band.unique().tolist()
        )


@dataclass(frozen=True)
class Outcome:
    """What a run leaves of the data, band by band.

    variance   of the final over that of the data: 1 is right, less is lost contrast.
    coherence  of the final with the first half-size stage's estimate, 0 to 1; empty without one.
    """

    variance: tuple[float, ...]
    coherence: tuple[float, ...]

    @property
    def loss(self) -> float:
        """Mean over bands of the Gaussian divergence between final and data, in nats."""
        ratio = torch.tensor(self.variance, dtype=torch.float64).clamp(min=1e-9)
        return ((ratio - 1 - ratio.log()) / 2).mean().item()


@dataclass
class _State:
    """Factors (S, h, w) of each coefficient on S independent normals.

    last  sigma, velocity and clean estimate of the last step.
    held  (h, w) where a step before the crossing is remembered; None where everywhere.
    """

    x: torch.Tensor
    clean: torch.Tensor
    last: tuple[float, torch.Tensor, torch.Tensor] | None = None
    held: torch.Tensor | None = None

    @property
    def memory(self) -> Memory | None:
        """Of the step before a stage."""
        if self.last is None:
            return None
        sigma, velocity, _ = self.last
        held = 1.0 if self.held is None else self.held.double()
        return Memory(sigma, velocity[None], lambda fine: held * fine)


def run(plan: Plan, spectrum: Spectrum | None = None) -> Outcome:
    """Run a plan's stages and crossings on the coefficients.

    A mixed stage counts as half-size: its fine tokens, a small share, have no transform. ValueError
    for a kind of crossing that this does not know.
    """
    spectrum = spectrum or Spectrum()
    start: torch.Tensor | None = None
    estimate: torch.Tensor | None = None
    state: _State | None = None
    for crossing, stage in plan.way():
        if crossing is None or state is None:
            start = torch.ones_like(_power(stage, spectrum))[None] * stage.start
            state = _State(start, start)
        else:
            state = _crossed(crossing, state, stage, spectrum)
        _sample(stage, state, _power(stage, spectrum))
        if estimate is None and stage.grid is not FULL:
            estimate = state.clean[:1]
    assert state is not None  # a plan has at least one stage
    power = state.x.square().sum(0)
    variance = spectrum.by_band(power / spectrum.full)
    if estimate is None:
        return Outcome(variance, ())
    first = torch.zeros_like(spectrum.full)
    half = spectrum.side // 2
    kept = state.x[0, :half, :half] * estimate[0].sign()
    first[:half, :half] = kept / power[:half, :half].sqrt()
    return Outcome(variance, spectrum.by_band(first))


def _power(stage: Stage, spectrum: Spectrum) -> torch.Tensor:
    return spectrum.full if stage.grid is FULL else spectrum.half


def _sample(stage: Stage, state: _State, power: torch.Tensor) -> None:
    """The core's own steps: the factors of all normals together have the norms of an item."""
    steps = Steps(stage.order, state.memory, stage.restrained, stage.corrected)
    for sigma, following in pairwise(stage.sigmas):
        signal, x = 1 - sigma, state.x
        state.clean = x * (power * signal / (power * signal**2 + sigma**2))
        state.last, state.held = (sigma, (x - state.clean) / sigma, state.clean), None
        settles = stage.settles if following == 0 else 0.0
        state.x = steps.take(x[None], state.clean[None], sigma, following, settles)[0]


def _crossed(crossing: Crossing, state: _State, stage: Stage, spectrum: Spectrum) -> _State:
    if isinstance(crossing, Onward):
        return state
    growth = growth_named(crossing.growth).name if isinstance(crossing, Matched) else None
    if not isinstance(crossing, Matched) or growth not in SHARES:
        grown = f" growing by {growth}" if growth else ""
        raise ValueError(
            f"The oracle knows no {type(crossing).__name__}{grown}: add what it does to "
            "coefficients here."
        )
    if crossing.remembers and growth != "dct":
        raise ValueError(
            f"The oracle follows remembered steps by dct alone, got {growth}: repeated "
            "pixels mix a coefficient's past with its mirror images'."
        )
    return _matched(crossing, state, stage, spectrum)


def _matched(crossing: Matched, state: _State, stage: Stage, spectrum: Spectrum) -> _State:
    """Growth and sibling noise, or the law of tokens that stay coarse.

    Noise of the seed itself is a source of its own here, too: what half size could not hold of it
    is independent of what it held.
    """
    jump = crossing.jump
    if stage.grid is not FULL:
        noise = jump.start_sigma * (1 - jump.c) ** 0.5
        x = _with_source(jump.signal * state.x, torch.full_like(spectrum.half, noise))
        return _State(x, x)
    share = SHARES[growth_named(crossing.growth).name](spectrum.side)
    x = jump.signal * 2 * share * mirrored(state.x)
    x = _with_source(x, jump.start_sigma * (1 - 4 * jump.c * share.square()).sqrt())
    if not crossing.remembers or state.last is None:
        return _State(x, x)
    sigma, _, clean = state.last
    # The last half-size step, as its noise and twice its estimate lie in the full-size picture.
    noise = clean + state.last[1]
    past = _with_source(share * mirrored(noise - 2 * clean), torch.zeros_like(share))
    return _State(x, x, (stage_start(jump.z, sigma), past, past), share > 0)


def _with_source(x: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    return torch.cat([x, noise[None]])


def repeated(side: int) -> torch.Tensor:
    """(side, side) part of each full-size coefficient that pixels repeated over 2x2 can hold."""
    axis = (torch.pi * torch.arange(side, dtype=torch.float64) / (2 * side)).cos()
    axis[side // 2] = 0.0
    return axis[:, None] * axis


def lowest(side: int) -> torch.Tensor:
    """(side, side) 1 where half size has the coefficient itself, else 0."""
    axis = (torch.arange(side) < side // 2).double()
    return axis[:, None] * axis


# By growth. Others interpolate: what they leave of a coefficient is no law of theirs.
SHARES = {"pixel": repeated, "dct": lowest}


def mirrored(x: torch.Tensor) -> torch.Tensor:
    """(S, h, w) -> (S, 2h, 2w): the half-size coefficient that repeating pixels sends to each,
    itself in the low half and its mirror image in the high one."""
    half = x.shape[-1]
    index = torch.arange(2 * half)
    index = torch.where(index < half, index, 2 * half - index).clamp(max=half - 1)
    return x[:, index][:, :, index]


def describe(outcome: Outcome) -> str:
    """One line: variances, then coherences."""
    return " / ".join(_numbers(row) for row in (outcome.variance, outcome.coherence) if row)


def _numbers(values: Sequence[float]) -> str:
    return " ".join(f"{value:.2f}" for value in values)
