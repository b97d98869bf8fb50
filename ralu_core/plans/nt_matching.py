"""NT-Matching: the shifts and the noise jump z that make stages look like one plain run.

Plain sampling spends its steps on noise levels with a density given by the model's shift. Stages
revisit some levels, so the paper (arXiv 2507.08422) sets a target density that counts the
revisited ranges twice, and picks the shifts and z whose density is closest in Jensen-Shannon
distance. Densities here are over the paper's time t = 1 - sigma, on the released code's grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..latents.checks import (
    MAX_SHIFT,
    MIN_Z,
    check_end_sigmas,
    check_one_per_stage,
    check_shift,
    check_shifts,
    check_steps,
    check_z,
)
from ..latents.flow import shift_sigma

GRID = np.linspace(0.0, 1.0, 1000)
MAX_Z = 100.0

# The released bounds on the shifts and the model shift they were made for.
_SHIFT_BOUNDS = np.array([0.5, 10.0])
_BOUNDS_MODEL_SHIFT = 3.0
# Typical solutions as multiples of the model shift, for the first, a middle and the last stage.
_FIRST_GUESS = np.array([1.7, 0.85, 0.75])
_SCANNED_Z = 32
# The divergence saws by some 10 % from jump to jump in z, so a scanned value this many times
# the least may have the optimum beside it.
_NEAR = 1.3
_MAX_JUMPS = 1000
_POLISHED_Z = 12
# The distance hardly depends on z above some value: take the smallest z this close to the best.
_FLAT = 1.002
# Decimals of a solution. Coarser than rounding noise, so processors agree on the same schedule.
_DECIMALS = 4
# Relative gap to a jump of the objective in z; keeps rounding to _DECIMALS on the same side.
_JUMP_GAP = 1e-4


@dataclass(frozen=True)
class Solution:
    """Shifts h of the stages, noise jump z between grids, and their JS distance."""

    shifts: tuple[float, ...]
    z: float
    js_distance: float


def js_distance(
    steps: Sequence[int],
    end_sigmas: Sequence[float],
    model_shift: float,
    shifts: Sequence[float],
    z: float,
) -> float:
    """Jensen-Shannon distance between the density of the stages and its target; 0 is best.

    The square root of the divergence in nats, on 1000 times from 0 to 1: the measure of the
    released code and of the paper ("JSD 0.026" for FLUX 7x). The released clip at 1e-10 is not
    needed: the stages overlap, so every time is visited.
    Arguments as in `ralu.ralu`, for any number of stages; ValueError if one is out of its range.
    """
    actual, target = _probabilities(steps, end_sigmas, model_shift, shifts, z)
    return float(np.sqrt(max(_divergence(actual, target), 0.0)))


def densities(
    steps: Sequence[int],
    end_sigmas: Sequence[float],
    model_shift: float,
    shifts: Sequence[float],
    z: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Curves for a plot: times t = 1 - sigma, the paper's P(t) and P_target(t), 1000 values each.

    Both densities have mean 1. Arguments as in `js_distance`.
    """
    actual, target = _probabilities(steps, end_sigmas, model_shift, shifts, z)
    return GRID.copy(), actual * GRID.size, target * GRID.size


def solve(
    steps: Sequence[int],
    end_sigmas: Sequence[float],
    model_shift: float,
    max_z: float = MAX_Z,
) -> Solution:
    """Shifts and z of least JS distance for these steps and ends; the same input, the same bits.

    The shifts lie in [0.5, 10] as in the released code, widened in proportion where model_shift
    is below or above 3 (a shift of 25 needs 40 to 80 in stage 1), but never above 100; z lies in
    [2, max_z], max_z at most 100. In z the distance is often flat: of all z within 0.2 % of the
    best distance the smallest is taken. That may still jump too far: see `ralu.matched_ralu`.

    Gauss-Newton steps fit the shifts for many z at once: a coarse scan of z, then the jumps that
    the time grid puts into the objective, near the best scanned values.
    """
    task = _Task.checked(steps, end_sigmas, model_shift)
    z = np.geomspace(MIN_Z, min(check_z(max_z), MAX_Z), _SCANNED_Z)
    first = np.clip(np.log(task.first_guess), *task.log_bounds)
    log_shifts, divergence = _fit(task, z, np.tile(first, (z.size, 1)), rounds=4)

    finer = _jumps_near_best(task, z, divergence)
    guess = np.stack([np.interp(finer, z, column) for column in log_shifts.T], axis=1)
    picked = _promising(_Batch.at(task, finer).divergence(guess))
    log_shifts, divergence = _fit(task, finer[picked], guess[picked], rounds=12)

    best = np.argmax(divergence <= divergence.min() * _FLAT**2)
    shifts = tuple(round(float(h), _DECIMALS) for h in np.exp(log_shifts[best]))
    best_z = round(float(finer[picked][best]), _DECIMALS)
    distance = js_distance(steps, end_sigmas, model_shift, shifts, best_z)
    return Solution(shifts, best_z, distance)


@dataclass(frozen=True)
class _Task:
    """What is given, in the paper's terms: share of steps (n,), ends e (n,) in t, model shift."""

    weights: np.ndarray
    ends: np.ndarray
    model_shift: float

    @classmethod
    def checked(
        cls, steps: Sequence[int], end_sigmas: Sequence[float], model_shift: float
    ) -> _Task:
        counts = np.array(check_steps(steps), dtype=float)
        ends = 1 - np.array(check_end_sigmas(end_sigmas))
        check_one_per_stage("Stage end sigmas", tuple(end_sigmas), counts.size)
        return cls(counts / counts.sum(), ends, check_shift("Model shift", model_shift))

    @property
    def first_guess(self) -> np.ndarray:
        """Shifts (n,) to begin from."""
        places = np.linspace(0.0, 1.0, self.weights.size)
        return np.interp(places, [0.0, 0.5, 1.0], _FIRST_GUESS) * self.model_shift

    @property
    def log_bounds(self) -> np.ndarray:
        """Logarithms of the least and the largest shift to consider."""
        scale = self.model_shift / _BOUNDS_MODEL_SHIFT
        widened = _SHIFT_BOUNDS * [min(scale, 1.0), max(scale, 1.0)]
        return np.log(np.minimum(widened, MAX_SHIFT))


@dataclass(frozen=True)
class _Batch:
    """The task for B values of z: stage starts and ends (B, n, 1), target density (B, 1000)."""

    weights: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    target: np.ndarray

    @classmethod
    def at(cls, task: _Task, z: np.ndarray) -> _Batch:
        starts = np.zeros((z.size, task.ends.size, 1))
        starts[:, 1:, 0] = 1 - shift_sigma(z[:, None], 1 - task.ends[:-1])  # as stage_start
        ends = task.ends[:, None]
        revisited = _truncated_density(task.model_shift, starts[:, 1:], ends[:-1])
        target = _density(task.model_shift)
        target = target + ((ends[:-1] - starts[:, 1:]) * revisited).sum(1)
        return cls(task.weights[:, None], starts, ends, _normalised(target))

    def stage_densities(self, shifts: np.ndarray) -> np.ndarray:
        """Each stage's part of P(t), not normalised: (B, n) shifts -> (B, n, 1000)."""
        return self.weights * _truncated_density(shifts[..., None], self.starts, self.ends)

    def divergence(self, log_shifts: np.ndarray) -> np.ndarray:
        """Jensen-Shannon divergence in nats, (B, n) -> (B,)."""
        actual = _normalised(self.stage_densities(np.exp(log_shifts)).sum(1))
        return _divergence(actual, self.target)

    def expand(self, log_shifts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Divergence (B,), its gradient (B, n) and Gauss-Newton curvature (B, n, n)."""
        shifts = np.exp(log_shifts)
        parts = self.stage_densities(shifts)
        total = parts.sum(1)
        actual = _normalised(total)
        slope = _log_slope(shifts[..., None], self.starts, self.ends) * parts  # (B, n, 1000)
        slope /= total.sum(1)[:, None, None]
        slope -= slope.sum(2, keepdims=True) * actual[:, None]
        # First and second derivative of the divergence with respect to P at each time.
        first = np.log(2 * actual / (actual + self.target)) / 2
        second = self.target / (actual * (actual + self.target)) / 2
        gradient = (slope @ first[..., None])[..., 0]
        curvature = (slope * second[:, None]) @ slope.transpose(0, 2, 1)
        return _divergence(actual, self.target), gradient, curvature


def _probabilities(
    steps: Sequence[int],
    end_sigmas: Sequence[float],
    model_shift: float,
    shifts: Sequence[float],
    z: float,
) -> tuple[np.ndarray, np.ndarray]:
    task = _Task.checked(steps, end_sigmas, model_shift)
    batch = _Batch.at(task, np.array([check_z(z)]))
    values = check_shifts(shifts)
    check_one_per_stage("Shifts", values, task.weights.size)
    stages = batch.stage_densities(np.array([values]))
    return _normalised(stages.sum(1))[0], batch.target[0]


def _density(shift: float | np.ndarray) -> np.ndarray:
    """The paper's f_h at each time, the derivative of its F_h(t) = shift_sigma(h, t)."""
    return shift / (1 + (shift - 1) * GRID) ** 2


def _truncated_density(shift: float | np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    mass = shift_sigma(shift, end) - shift_sigma(shift, start)
    return np.where((start <= GRID) & (end >= GRID), _density(shift) / mass, 0.0)


def _log_slope(shift: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Derivative of log _truncated_density by log shift, where it is not 0."""
    ends = shift_sigma(shift, start) + shift_sigma(shift, end)
    return ends - 2 * shift_sigma(shift, GRID)


def _normalised(density: np.ndarray) -> np.ndarray:
    return density / density.sum(-1, keepdims=True)


def _divergence(actual: np.ndarray, target: np.ndarray) -> np.ndarray:
    middle = (actual + target) / 2
    terms = actual * np.log(actual / middle) + target * np.log(target / middle)
    return terms.sum(-1) / 2


def _fit(
    task: _Task, z: np.ndarray, log_shifts: np.ndarray, rounds: int
) -> tuple[np.ndarray, np.ndarray]:
    """Levenberg-Marquardt in the log shifts, for each z by itself: (B, n) and divergence (B,)."""
    batch = _Batch.at(task, z)
    low, high = task.log_bounds
    damping = np.full(z.size, 1e-3)
    value, gradient, curvature = batch.expand(log_shifts)
    for _ in range(rounds):
        stuck = ((log_shifts <= low) & (gradient > 0)) | ((log_shifts >= high) & (gradient < 0))
        step = _damped_step(gradient, curvature, damping, stuck)
        trial = np.clip(log_shifts + np.clip(step, -1, 1), low, high)
        found = batch.expand(trial)
        better = found[0] <= value
        log_shifts = np.where(better[:, None], trial, log_shifts)
        value = np.where(better, found[0], value)
        gradient = np.where(better[:, None], found[1], gradient)
        curvature = np.where(better[:, None, None], found[2], curvature)
        damping = damping * np.where(better, 0.1, 10.0)
    return log_shifts, value


def _damped_step(
    gradient: np.ndarray, curvature: np.ndarray, damping: np.ndarray, stuck: np.ndarray
) -> np.ndarray:
    free = ~stuck
    diagonal = np.einsum("bii->bi", curvature)
    # A stage between two grid times has no curvature; the floor keeps the system regular.
    extra = damping[:, None] * np.maximum(diagonal, 1e-9)
    system = curvature * (free[:, :, None] & free[:, None, :]) + extra[:, :, None] * np.eye(
        diagonal.shape[1]
    )
    return -np.linalg.solve(system, (gradient * free)[..., None])[..., 0]


def _jumps_near_best(task: _Task, z: np.ndarray, divergence: np.ndarray) -> np.ndarray:
    """The scanned z, and both sides of every jump next to a promising one of them; rising.

    A stage start that passes a time of the grid adds or drops one of its samples, so the
    divergence jumps there, and its minimum mostly sits at a jump.
    """
    padded = np.pad(divergence, 1, constant_values=np.inf)
    valley = (divergence <= padded[:-2]) & (divergence <= padded[2:])
    least = divergence.min()
    promising = (divergence <= _NEAR * least) | (valley & (divergence <= 2 * least))
    ends = task.ends[:-1, None]
    jumps = (ends * (1 - GRID[1:-1]) / (GRID[1:-1] * (1 - ends))).ravel()
    jumps = np.concatenate([jumps * (1 - _JUMP_GAP), jumps * (1 + _JUMP_GAP)])
    jumps = jumps[(jumps > z[0]) & (jumps < z[-1])]
    right = np.searchsorted(z, jumps)
    jumps = np.sort(jumps[promising[right - 1] | promising[right]])
    return np.union1d(z, jumps[:: jumps.size // _MAX_JUMPS + 1])


def _promising(divergence: np.ndarray) -> np.ndarray:
    """Indices, rising, of the best values and of the first ones that are about as good."""
    best = np.argsort(divergence, kind="stable")[:_POLISHED_Z]
    first = np.flatnonzero(divergence <= divergence.min() * _FLAT**2)[:_POLISHED_Z]
    return np.union1d(best, first)
