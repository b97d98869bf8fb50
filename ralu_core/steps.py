"""Multistep steps: the state at the next noise level, and the mending of the step before it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .latents.states import Memory

EVEN = 0.5  # how far a step of second order bends that is as long as the one before


@dataclass(frozen=True, eq=False)
class Part:
    """A part of the velocity, (B, ...): as it was at a step's start, and as the step went by it."""

    velocity: torch.Tensor
    went: torch.Tensor


@dataclass(frozen=True, eq=False)
class Taken:
    """A step that was taken: the part that is of second order, and what guidance adds to it."""

    level: float
    bending: Part
    straight: Part | None


class Steps:
    """The steps of one stage, one after another, see `solvers.multistep`.

    order       1 or 2.
    memory      of the step before the stage, or None.
    restrained  no step bends further than steps of equal length do: the slope is that of the step
                before, and a much longer one goes past what it tells.
    corrected   the velocity at a step's end, when it is known, mends that step, see `_mended`.
    """

    def __init__(
        self,
        order: int,
        memory: Memory | None = None,
        restrained: bool = False,
        corrected: bool = False,
    ):
        self._order, self._memory = order, memory
        self._restrained, self._corrected = restrained, corrected
        self._before: Taken | None = None
        self._given: torch.Tensor | None = None  # `within` of the step before
        self._within: torch.Tensor | None = None  # of both

    def take(
        self,
        x: torch.Tensor,
        denoised: torch.Tensor,
        sigma: float,
        following: float,
        settles: float = 0.0,
        unguided: torch.Tensor | None = None,
        within: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """The state at the next level, from that at `sigma` and its clean estimate.

        settles   of a run's last step: how much of its bend it gives up, 0 to 1. At 1 it is
                  Euler's, and to sigma 0 ends on the clean estimate; what mends the step before
                  comes on top. What guidance adds is whole.
        unguided  the clean estimate without guidance, whose velocity alone is of second order then;
                  what guidance adds goes on straight, see `_damped`. None bends both.
        within    broadcasts to x, in [0, 1]: what is sampled at this level, and not kept; None is
                  all. Steps bend and are mended as far as it was sampled at the level before, too,
                  and that counts for how far velocities turn: what is kept goes straight.
        Nothing that it is given is written to.
        """
        self._within = self._sampled(None if within is None else within.to(x))
        velocity, step = (x - denoised) / sigma, following - sigma
        bending = velocity if unguided is None else (x - unguided) / sigma
        first = Part(bending, self._went(bending, sigma, step, settles))
        second = None
        if unguided is not None:
            added = velocity - bending
            second = Part(added, added if settles else self._damped(added))
        if self._corrected and self._before is not None:
            x = x + self._mended(self._before, first, second, sigma)
        self._before, self._memory = Taken(sigma, first, second), None
        return x + step * (first.went if second is None else first.went + second.went)

    def _went(
        self, bending: torch.Tensor, sigma: float, step: float, settles: float
    ) -> torch.Tensor:
        """What a step goes by of the part that is of second order."""
        if self._order == 1:
            return bending
        bent = self._bent(bending, sigma, step)
        bent = torch.lerp(bent, bending, settles) if settles else bent
        return bent if self._within is None else torch.lerp(bending, bent, self._within)

    def _sampled(self, within: torch.Tensor | None) -> torch.Tensor | None:
        """What is sampled at this level, and was at the one before if there is one."""
        before, self._given = self._given, within
        if within is None or before is None:
            return within
        return torch.minimum(within, before)

    def _bent(self, bending: torch.Tensor, sigma: float, step: float) -> torch.Tensor:
        """The velocity of a step of second order; of the first one, without a memory, Euler's."""
        if self._before is not None:
            level, slope = self._before.level, self._before.bending.velocity
        elif self._memory is not None:
            level, slope = self._memory.sigma, self._memory.slope(bending)
        else:
            return bending
        gap = 2 * (sigma - level)
        share = step / gap if gap else 0.0  # a level that repeats tells no slope
        share = min(share, EVEN) if self._restrained else share
        return bending + share * (bending - slope)

    def _damped(self, added: torch.Tensor) -> torch.Tensor:
        """What guidance adds, by as much as is likely to hold over a step: 1 / m of it where it
        turned by m > 1 times itself over the step before. A first step keeps it whole, as does one
        after a step without guidance."""
        if self._before is None or self._before.straight is None:
            return added
        before = self._before.straight.velocity
        was = _norms(self._seen(before))
        holds = was / torch.maximum(was, _norms(self._seen(added - before)))
        return added * torch.where(was > 0, holds, torch.ones_like(holds))

    def _mended(
        self, taken: Taken, bending: Part, straight: Part | None, sigma: float
    ) -> torch.Tensor:
        """What a step lacked, now that the velocity at its end is known: the mean of both ends,
        minus what it was gone by (a corrector of Adams and Moulton, at no further call of the
        model, as UniPC's, arXiv 2302.04867), each part as far as `trusted` says."""
        lacked = self._lacked(taken.bending, bending.velocity)
        if straight is not None and taken.straight is not None:
            lacked = lacked + self._lacked(taken.straight, straight.velocity)
        return self._seen((sigma - taken.level) * lacked)

    def _lacked(self, part: Part, velocity: torch.Tensor) -> torch.Tensor:
        share = trusted(self._seen(velocity), self._seen(part.velocity))
        return share * ((velocity + part.velocity) / 2 - part.went)

    def _seen(self, x: torch.Tensor) -> torch.Tensor:
        return x if self._within is None else self._within * x


def trusted(velocity: torch.Tensor, before: torch.Tensor) -> torch.Tensor:
    """How far a step may be mended, (B, 1, ...) in [0, 1], from the velocities at its ends.

    Where Euler's steps of equal length turn a velocity by m times itself, mending a share s of them
    leaves the run stable while m * (1 + s) <= 2. m is measured, by norm over each item.
    """
    least = torch.finfo(velocity.dtype).tiny
    turned, was = _norms(velocity - before), _norms(before).clamp(min=least)
    return (2 / (turned / was) - 1).clamp(0, 1)


def _norms(x: torch.Tensor) -> torch.Tensor:
    return torch.linalg.vector_norm(x, dim=tuple(range(1, x.ndim)), keepdim=True)
