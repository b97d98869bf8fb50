"""The published settings, by name, and the plans they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from ..latents.checks import check_one_per_stage, check_shift
from ..latents.flow import shift_sigma
from .plan import Plan
from .ralu import PUBLISHED_SHIFT, matched_ralu, most_z, ralu

FLUX_DEV_SHIFT = 3.158193  # exp of ComfyUI's mu of 1.15
SHIFT_TOLERANCE = 0.1  # published values, solved for shift 3, also serve FLUX.1-dev's 3.16


@dataclass(frozen=True)
class Preset:
    """A setting of the three stages, most of them published.

    family            the model family it is for, by name.
    model_shift       h of that family's model.
    steps             of the three stages.
    end_sigmas        where they end; the paper's 1 - e.
    ratio             share of coarse tokens that grow early.
    published_shifts  the paper's h for a model of shift 3, where printed; z likewise, 1 / sqrt(c).
    baseline_steps    plain steps that the paper compares with.
    source            where the numbers stand.
    ends_for          the least and the greatest h that the ends are meant for.
    moved             factor on sigma / (1 - sigma) of the published ends, see `at`.
    """

    name: str
    family: str
    model_shift: float
    steps: tuple[int, int, int]
    end_sigmas: tuple[float, float, float]
    ratio: float
    published_shifts: tuple[float, float, float] | None
    published_z: float | None
    baseline_steps: int
    source: str
    ends_for: tuple[float, float] = (PUBLISHED_SHIFT, PUBLISHED_SHIFT)
    moved: float = 1.0

    def at(self, model_shift: float) -> Preset:
        """The preset for a model of that shift.

        Where it is far from those that the ends were published for, they move along the shift map,
        so that stages end after the same share of the model's own plain run. Kept as they stand, at
        a shift of 9 stage 1 would cross four fifths of it, and the jump to stage 2 undo most of it.
        ValueError for a shift that no model has.
        """
        model_shift = check_shift("Model shift", model_shift)
        nearest = min(max(model_shift, self.ends_for[0]), self.ends_for[1])
        if fits(nearest, model_shift):
            return self
        factor = model_shift / nearest
        ends = tuple(shift_sigma(factor, end) for end in self.end_sigmas)
        return replace(
            self,
            end_sigmas=ends,
            published_shifts=None,
            published_z=None,
            ends_for=(model_shift, model_shift),
            moved=self.moved * factor,
        )


def fits(one: float, model_shift: float) -> bool:
    """Whether what is meant for one shift serves a model of another."""
    return abs(one / model_shift - 1) <= SHIFT_TOLERANCE


PRESETS = (
    Preset(
        name="FLUX 5x",
        family="flux1",
        model_shift=FLUX_DEV_SHIFT,
        steps=(4, 5, 6),
        end_sigmas=(0.7, 0.55, 0.0),
        ratio=0.2,
        published_shifts=(5.12, 2.64, 2.25),
        published_z=0.0177**-0.5,
        baseline_steps=50,
        source="arXiv 2507.08422, Table S1",
    ),
    Preset(
        name="FLUX 7x",
        family="flux1",
        model_shift=FLUX_DEV_SHIFT,
        steps=(2, 3, 5),
        end_sigmas=(0.8, 0.7, 0.0),
        ratio=0.1,
        published_shifts=(8.14, 2.86, 2.19),
        published_z=0.0255**-0.5,
        baseline_steps=50,
        source="arXiv 2507.08422, Table S1; ratio as in its FLOPs and the released code, level 7",
    ),
    Preset(
        name="FLUX 4x (released code)",
        family="flux1",
        model_shift=FLUX_DEV_SHIFT,
        steps=(5, 6, 7),
        end_sigmas=(0.7, 0.55, 0.0),
        ratio=0.3,
        published_shifts=(5.019, 2.589, 2.226),
        published_z=6.317,
        baseline_steps=50,
        source="released code, level 4",
    ),
    Preset(
        name="SD3 2x",
        family="sd3",
        model_shift=PUBLISHED_SHIFT,
        steps=(5, 6, 9),
        end_sigmas=(0.8, 0.7, 0.0),
        ratio=0.3,
        published_shifts=(6.21, 2.23, 1.97),
        published_z=0.0586**-0.5,
        baseline_steps=28,
        source="arXiv 2507.08422, Table S1; its solver gives 6.12 for the first shift",
    ),
    Preset(
        name="SD3 3x",
        family="sd3",
        model_shift=PUBLISHED_SHIFT,
        steps=(3, 3, 6),
        end_sigmas=(0.75, 0.7, 0.0),
        ratio=0.2,
        published_shifts=(6.40, 2.60, 2.23),
        published_z=0.0255**-0.5,
        baseline_steps=28,
        source="arXiv 2507.08422, Table S1; its solver gives 2.27 for the last shift",
    ),
    Preset(
        name="4-step distilled",
        family="flux1",
        model_shift=1.0,
        steps=(1, 1, 2),
        end_sigmas=(0.7, 0.55, 0.0),
        ratio=0.3,
        published_shifts=None,
        published_z=None,
        baseline_steps=4,
        source="arXiv 2507.08422, FLUX.1-schnell and SD3.5 Large Turbo; prints no shifts",
        ends_for=(1.0, PUBLISHED_SHIFT),
    ),
    Preset(
        name="8-step distilled",
        family="z_image",
        model_shift=PUBLISHED_SHIFT,
        steps=(2, 2, 4),
        end_sigmas=(0.7, 0.55, 0.0),
        ratio=0.3,
        published_shifts=None,
        published_z=None,
        baseline_steps=8,
        source="not published: the 4-step preset's shares of 8 steps, its ends and its ratio",
    ),
)


def preset(name: str) -> Preset:
    """The preset of that name; ValueError lists the names there are."""
    for candidate in PRESETS:
        if candidate.name == name:
            return candidate
    names = ", ".join(candidate.name for candidate in PRESETS)
    raise ValueError(f"A preset must be one of {names}; got {name!r}.")


def adjusted(
    base: Preset, steps: Sequence[int], end_sigmas: Sequence[float], ratio: float
) -> Preset:
    """A preset with some numbers replaced; 0 keeps the preset's.

    steps       three numbers.
    end_sigmas  two numbers; stage 3 ends at 0 in any case.
    Changed steps or ends lose the published shifts, which were solved for the old ones. For a model
    whose shift moves the ends, adjust the preset `at` its shift: ends given here stay. ValueError
    for more numbers or fewer.
    """
    ends = (*end_sigmas, 0.0)
    for what, values in (("Steps", tuple(steps)), ("Stage end sigmas", ends)):
        check_one_per_stage(what, values, len(base.steps))
    steps = tuple(new or old for new, old in zip(steps, base.steps, strict=True))
    changed = replace(
        base,
        steps=steps,
        end_sigmas=tuple(new or old for new, old in zip(ends, base.end_sigmas, strict=True)),
        ratio=ratio or base.ratio,
    )
    if changed.end_sigmas != base.end_sigmas:
        changed = replace(changed, moved=1.0)
    if (changed.steps, changed.end_sigmas) != (base.steps, base.end_sigmas):
        return replace(changed, published_shifts=None, published_z=None)
    return changed


def published_baseline(
    steps: Sequence[int], end_sigmas: Sequence[float], model_shift: float = PUBLISHED_SHIFT
) -> int | None:
    """Plain steps that a preset for that shift compares such a run with; None where none does."""
    for candidate in (preset.at(model_shift) for preset in PRESETS):
        if (candidate.steps, candidate.end_sigmas) == (tuple(steps), tuple(end_sigmas)):
            return candidate.baseline_steps
    return None


@lru_cache(maxsize=64)
def matched_plan(chosen: Preset, model_shift: float) -> Plan:
    """NT-Matching solved for a model's own shift (h_ori), as `matched_ralu` does it.

    A preset's ends are meant for shifts near those it was published for: `Preset.at` moves them to
    others, as `named_plan` does. Ends that moved with the shift keep the jump the same on the
    model's own scale by themselves, so that the bound on z grows no further.
    """
    plan = matched_ralu(
        chosen.steps,
        chosen.end_sigmas,
        chosen.ratio,
        model_shift,
        max_z=most_z(model_shift / chosen.moved),
        name=chosen.name,
        baseline_steps=published_baseline(chosen.steps, chosen.end_sigmas, model_shift),
    )
    return replace(plan, shift_steps=chosen.baseline_steps)


def published_plan(chosen: Preset) -> Plan:
    """The numbers that the paper or the released code prints, for a model of shift 3. ValueError
    where they print none."""
    if chosen.published_shifts is None or chosen.published_z is None:
        raise ValueError(
            f"No shifts are published for {chosen.name} with {chosen.steps} steps ending at "
            f"{chosen.end_sigmas}: set the shifts to match the model."
        )
    plan = ralu(
        chosen.steps,
        chosen.end_sigmas,
        chosen.published_shifts,
        chosen.published_z,
        chosen.ratio,
        PUBLISHED_SHIFT,
        name=chosen.name,
        baseline_steps=published_baseline(chosen.steps, chosen.end_sigmas),
    )
    return replace(plan, shift_steps=chosen.baseline_steps)
