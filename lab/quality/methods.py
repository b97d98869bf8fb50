"""What is compared, at which cost: RALU and its rivals at each budget, the ablations of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from lab.quality import ralu, rivals
from lab.quality.rivals import Batch
from lab.quality.subject import Subject, list_pairs

RATIOS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
THRESHOLDS = (0.05, 0.15)
JUMPS = (2.0, 3.0, 4.5)
TURN, JUMP = 0.7, 2.0  # of Bottleneck Sampling; others are tried in RIVAL_SETTINGS
OURS = "RALU"
TILED = "RALU, token upsampling"  # the released code's
Sample = Callable[[Batch], torch.Tensor]


@dataclass(frozen=True)
class Method:
    """One way to sample. `key` names it for good: cached pictures go by it.

    group    the budget or the ablation it belongs to.
    counted  runs in its place without weights, where a choice needs values; None is itself.
    """

    group: str
    name: str
    run: Sample
    note: str = ""
    counted: Sample | None = None

    @property
    def key(self) -> str:
        return f"{self.group} {self.name}".replace(" ", "_").replace("/", "-").replace(",", "")


@dataclass(frozen=True)
class Cost:
    """giga: FLOPs of the network for one picture, attention included, in 10^9; calls of it."""

    giga: float
    calls: int


@dataclass(frozen=True)
class Budget:
    """Step counts whose FLOPs come closest to those of a preset.

    plain       full-size steps; two counts where neither lies within 3 %.
    naive       (low, high) steps.
    bottleneck  (first, low, last) steps.
    extra       middle steps that RALU without early edges may take more.
    """

    preset: str
    plain: tuple[int, ...]
    naive: tuple[int, int]
    bottleneck: tuple[int, int, int]
    extra: int


OF_FLUX = (
    Budget("FLUX 5x", (9,), (8, 7), (1, 12, 5), 2),
    Budget("FLUX 7x", (6, 7), (6, 5), (1, 6, 4), 1),
)
BUDGETS = {
    "flux": OF_FLUX,
    "flux_guided": OF_FLUX,  # the same network
    "sd3": (
        Budget("SD3 2x", (13,), (12, 10), (2, 16, 7), 5),
        Budget("SD3 3x", (8,), (8, 6), (1, 12, 4), 2),
    ),
}


def reference(steps: int) -> Method:
    return Method("reference", f"plain, {steps} steps", partial(rivals.plain, steps=steps))


def compared(subject: Subject, budget: Budget) -> list[Method]:
    """The rivals, RALU without each of its parts, as published, and as the node does it."""
    preset = budget.preset
    low, high = budget.naive
    whole = ralu.matched(subject, preset)
    waiting = ralu.matched(subject, preset, ralu.NO_EARLY_REGIONS, budget.extra)
    unmatched = ralu.unmatched(subject, preset)
    naive = partial(rivals.naive, low=low, high=high)
    turned = _bottleneck(budget.bottleneck, TURN, JUMP)
    counts = "-".join(map(str, budget.bottleneck))
    runs = {
        **{f"plain, {n} steps": partial(rivals.plain, steps=n) for n in budget.plain},
        f"naive upsampling {low}-{high}": partial(naive, fresh=False),
        f"naive, fresh noise {low}-{high}": partial(naive, fresh=True),
        f"Bottleneck Sampling {counts}": turned,
        f"{OURS} without NT-Matching": partial(ralu.node, plan=unmatched),
        f"{OURS} without early edges": partial(ralu.node, plan=waiting),
        TILED: partial(ralu.node, plan=whole, upsampling="token"),
        OURS: partial(ralu.node, plan=whole),
    }
    return [Method(preset, name, run) for name, run in runs.items()]


def rival_settings(subject: Subject, budget: Budget) -> list[Method]:
    """Other settings of the two-size rivals, so that none loses by a bad choice of ours."""
    low, high = budget.naive
    runs: dict[str, Sample] = {
        f"naive, fresh noise {low + 4}-{high - 1}": partial(
            rivals.naive, low=low + 4, high=high - 1, fresh=True
        ),
        f"naive, fresh noise {low - 4}-{high + 1}": partial(
            rivals.naive, low=low - 4, high=high + 1, fresh=True
        ),
    }
    for turn, jump in ((0.7, 1.0), (0.7, 4.0), (0.5, 2.0), (0.5, 4.0)):
        name = f"Bottleneck Sampling, turn {turn:g}, jump {jump:g}"
        runs[name] = _bottleneck(budget.bottleneck, turn, jump)
    return [Method(f"{budget.preset} rival settings", name, run) for name, run in runs.items()]


def _bottleneck(steps: tuple[int, int, int], turn: float, jump: float) -> Sample:
    first, low, high = steps
    return partial(rivals.bottleneck, first=first, low=low, high=high, turn=turn, jump=jump)


def ablations(subject: Subject, budget: Budget) -> list[Method]:
    """Every choice varied alone, from what the node does by default."""
    preset = budget.preset
    whole = ralu.matched(subject, preset)
    rows = [
        with_ratio(subject, preset, ralu.NO_EARLY_REGIONS, "r 0"),
        *(with_ratio(subject, preset, ratio) for ratio in RATIOS if ratio != whole.ratio),
        *_schedules(subject, preset),
        *_jumps(subject, preset),
        Method(
            f"{preset} regions",
            "latent gradient",
            partial(ralu.node, plan=whole, detector="latent_gradient"),
        ),
        Method(
            f"{preset} regions",
            "random regions",
            partial(ralu.random_regions, plan=whole),
        ),
        *(
            Method(
                f"{preset} upsampling",
                f"{name} upsampling",
                partial(ralu.node, plan=whole, upsampling=name),
            )
            for name in ("token", "bilinear", "bicubic", "lanczos")
        ),
        *(
            Method(
                f"{preset} adaptive",
                f"adaptive r, threshold {threshold:g}",
                partial(ralu.node, plan=whole, threshold=threshold),
            )
            for threshold in THRESHOLDS
        ),
        Method(
            f"{preset} noise",
            "released code's noise on kept tokens",
            partial(ralu.by_core, plan=whole, kept="released"),
        ),
    ]
    return rows


def with_ratio(subject: Subject, preset: str, ratio: float, name: str = "") -> Method:
    """RALU with another share of early regions."""
    run = partial(ralu.node, plan=ralu.matched(subject, preset, ratio))
    return Method(f"{preset} ratio", name or f"r {ratio:g}", run)


def _schedules(subject: Subject, preset: str) -> list[Method]:
    """Noise levels further and further from those that NT-Matching finds."""
    best = ralu.matched(subject, preset)
    *_, shifts, z = ralu.matching_numbers(best)
    tries = [
        ("shifts of the MODEL", ralu.own_shifts(subject), z),
        ("shifts of the MODEL, z 2", ralu.own_shifts(subject), ralu.SMALLEST_JUMP),
        ("shifts halved", tuple(h / 2 for h in shifts), z),
        ("shifts doubled", tuple(2 * h for h in shifts), z),
        ("z doubled", shifts, 2 * z),
        ("shifts 1", (1.0, 1.0, 1.0), z),
    ]
    found = []
    for name, tried, jump in tries:
        plan = ralu.rescheduled(subject, preset, tried, jump)
        found.append((ralu.js_distance(plan), name, plan))
    return [
        Method(
            f"{preset} JSD",
            name,
            partial(ralu.node, plan=plan),
            f"JSD {distance:.3f}",
        )
        for distance, name, plan in sorted(found, key=lambda row: row[0])
    ]


def _jumps(subject: Subject, preset: str) -> list[Method]:
    """Smaller noise jumps between the grids, the shifts matched anew."""
    found = []
    for z in JUMPS:
        plan = ralu.matched_jump(subject, preset, z)
        note = f"JSD {ralu.js_distance(plan):.3f}"
        for upsampling in ("pixel", "bicubic"):
            run = partial(ralu.node, plan=plan, upsampling=upsampling)
            found.append(Method(f"{preset} jump", f"z {z:g}, {upsampling}", run, note))
    return found


def cost(method: Method, subject: Subject, denoise: float = 1.0) -> Cost:
    """Counted on one picture. Where the ratio adapts to the picture, noise stands for it."""
    calls = subject.patcher.model.diffusion_model.calls
    calls.clear()
    (method.counted or method.run)(Batch(subject, list_pairs(1), denoise=denoise))
    total = sum(call.count.total for call in calls)
    return Cost(total / 1e9, len(calls))
