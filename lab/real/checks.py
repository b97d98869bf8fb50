"""What is run on a model, and what is measured of each run against many plain steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from lab.comfy import ralu_pack
from lab.models.viewing import psnr
from lab.real.sampling import Case, Sampling
from ralu_core.growth.spectral import half_band

SWITCHES = (0.7, 0.8, 0.85)
OWN_STEPS = ((4, 3), (4, 5))
GUIDED_STEPS, GUIDED_SWITCH, GUIDANCE_LEVEL, EARLY_LEVEL = (4, 6), 0.7, 0.8, 0.7


@dataclass(frozen=True)
class Method:
    """One way to sample. calls: its cost in full-size calls of the model, guidance counted."""

    name: str
    calls: float
    run: Callable[[Case], torch.Tensor]


@dataclass(frozen=True)
class Likeness:
    """Against the picture of many plain steps of the same seed, means over the cases.

    snr      dB of the latent.
    low      energy of the lower half of its frequencies, over that of the many-step latent's: below
             1 is lost contrast.
    high     of the rest: below 1 is blur, above it is overshoot.
    psnr     dB of the decoded picture.
    seconds  of sampling.
    """

    snr: float
    low: float
    high: float
    psnr: float
    seconds: float


def methods(sampling: Sampling, size: int, counts: Sequence[int]) -> list[Method]:
    """Plain steps of both orders, early ones with and without restraint, the family's presets,
    plans on the seed's own noise, by the enlarger, too, where one is saved for the VAE; with a cfg
    above 1 also guidance left out."""
    plans, presets = ralu_pack.plans, ralu_pack.presets
    shift, family = sampling.shift(size), sampling.facts.family.name
    price = _Price(sampling, size)
    chosen = [
        one
        for one in presets.PRESETS
        if one.family == family and presets.fits(one.model_shift, shift)
    ] or [presets.preset(sampling.facts.preset_name)]
    ralu = {one.name: presets.matched_plan(one.at(shift), shift) for one in chosen}
    own = {
        f"own noise {a}-{b}, switch {s:g}": plans.own_noise(shift, (a, b), switch=s)
        for a, b in OWN_STEPS
        for s in SWITCHES
    }
    found = [*_plain(sampling, counts, price)]
    if ralu_pack.enlarger_files.saved_for(sampling.loaded.vae) is not None:
        own |= {f"{name}, enlarger": plan.growing_by("enlarger") for name, plan in own.items()}
    less = _guided(shift, counts) if sampling.cfg != 1 else {}
    planned = {
        **_early(shift, counts),
        **{f"RALU, {name}": plan for name, plan in ralu.items()},
        **own,
        **less,
    }
    found += [
        Method(name, price.of(plan), partial(sampling.by_plan, plan=plan))
        for name, plan in planned.items()
    ]
    return found


def _plain(sampling: Sampling, counts: Sequence[int], price: _Price) -> Iterator[Method]:
    for order, words in ((1, "Euler"), (2, "second order")):
        for steps in counts:
            run = partial(sampling.plain, steps=steps, order=order)
            yield Method(f"plain, {words}, {steps} steps", steps * price.guided, run)


def _early(shift: float, counts: Sequence[int]) -> dict[str, Any]:
    """As the dial's, guidance in all steps, of a second call and as a conditioning."""
    make = partial(ralu_pack.plans.early, shift)
    conditioned = partial(make, times=ralu_pack.plans.CONDITIONED_TIMES)
    found = (early((n,)) for early in (make, conditioned) for n in counts)
    return {plan.name: plan for plan in found}


def _guided(shift: float, counts: Sequence[int]) -> dict[str, Any]:
    """Early steps at two sizes; guidance at high noise alone, in early steps, too, and at half size
    alone."""
    plans, steps = ralu_pack.plans, counts[len(counts) // 2]
    level, switch = GUIDANCE_LEVEL, GUIDED_SWITCH
    found = [plans.early_own(shift, guided_above=above) for above in (0.0, EARLY_LEVEL)]
    found += [plans.early(shift, (n,), guided_above=EARLY_LEVEL) for n in counts]
    early = {plan.name: plan for plan in found}
    above = plans.plain(shift, (steps,), order=2, guided_above=level)
    half = plans.own_noise(shift, GUIDED_STEPS, switch=switch, guide_full=False)
    return {
        **early,
        f"plain, {above.name}": above,
        f"{half.name}, switch {switch:g}": half,
    }


class _Price:
    """Costs in full-size calls. guided: calls of a step, 2 with a cfg."""

    def __init__(self, sampling: Sampling, size: int) -> None:
        frame = ralu_pack.frame.Frame.of_picture(size, size, sampling.facts.space)
        self._grid = frame.fine_grid
        self._cost = sampling.facts.cost
        self.guided = 1 if sampling.cfg == 1 else 2

    def of(self, plan: Any) -> float:
        rows, columns = self._grid
        total = self._cost.plan_flops(plan, rows, columns, guided=self.guided == 2)
        return total / self._cost.flops(rows * columns)


def band_energies(latent: torch.Tensor) -> tuple[float, float]:
    """Energy of (1, C, H, W) in the lower half of the frequencies each way, and elsewhere."""
    rows, columns = (half_band(size).to(latent) for size in latent.shape[-2:])
    low = (rows @ latent @ columns.T).square().sum().item()
    return low, latent.square().sum().item() - low


def compare(
    sampling: Sampling,
    method: Method,
    cases: Sequence[Case],
    many: Sequence[torch.Tensor],
    pictures: Sequence[torch.Tensor],
) -> Likeness:
    """One method on every case, against the many-step latents of the same cases, and their
    pictures."""
    entered = sampling.loaded.model.model.process_latent_in
    rows = []
    for case, wanted, shown in zip(cases, many, pictures, strict=True):
        started = time.perf_counter()
        latent = method.run(case)
        seconds = time.perf_counter() - started
        ours, theirs = (flat(entered(x).float().cpu()) for x in (latent, wanted))
        gap = (ours - theirs).square().sum().clamp(min=1e-12)
        snr = 10 * (theirs.square().sum() / gap).log10().item()
        (low, high), (low_many, high_many) = band_energies(ours), band_energies(theirs)
        level = min(psnr(picture_of(sampling, latent), shown).item(), 99.0)
        rows.append((snr, low / low_many, high / high_many, level, seconds))
    return Likeness(*(sum(column) / len(rows) for column in zip(*rows, strict=True)))


def flat(latent: torch.Tensor) -> torch.Tensor:
    """(1, C, H, W), the one frame of a video model's latent taken out."""
    return latent[:, :, 0] if latent.ndim == 5 else latent


def picture_of(sampling: Sampling, latent: torch.Tensor) -> torch.Tensor:
    """(1, H, W, 3) in [0, 1]."""
    picture = sampling.loaded.vae.decode(latent).float().cpu().clamp(0, 1)
    return picture.flatten(0, 1) if picture.ndim == 5 else picture
