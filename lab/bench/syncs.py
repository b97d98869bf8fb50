"""How often a run makes the host wait for the device, per step and per stage."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import torch
from torch.profiler import ProfilerActivity, profile, record_function

from lab.bench.clock import SAMPLING, Clock, instrumented
from lab.bench.results import markdown
from lab.bench.runs import Setting, Subject, plain, ralu, with_steps

# Operations that wait, on the host's side; a copy to the host shows as a synchronised stream.
WAITS = (
    "aten::_local_scalar_dense",
    "aten::nonzero",
    "cudaDeviceSynchronize",
    "cudaEventSynchronize",
    "cudaStreamSynchronize",
)
PLAIN, MIXED = "plain", "stage 2"
SHORT, LONG = 2, 4  # steps per stage of the two runs whose difference is what a step costs


@dataclass(frozen=True)
class Waits:
    """Waits while one stage samples: for every step, and beside the steps."""

    stage: str
    per_step: float
    once: float


def count_waits(subject: Subject, preset: str, width: int, height: int) -> list[Waits]:
    """Waits inside plain sampling and inside each RALU stage, from two profiled runs."""
    plan = Setting(preset, preset=preset).plan(subject, width, height)
    short, long = (
        _profiled(subject, with_steps(plan, (steps,) * 3), steps, width, height)
        for steps in (SHORT, LONG)
    )
    found = []
    for stage in (PLAIN, "stage 1", MIXED, "stage 3"):
        per_step = (long[stage] - short[stage]) / (LONG - SHORT)
        found.append(Waits(stage, per_step, short[stage] - SHORT * per_step))
    return found


def _profiled(subject: Subject, plan, steps: int, width: int, height: int) -> Counter:
    activities = [ProfilerActivity.CPU]
    if subject.patcher.load_device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    with torch.inference_mode():
        plain(subject, 1, width, height)  # moves the model to the device
        with profile(activities=activities) as profiler:
            with instrumented(subject, Clock(torch.device("cpu"))):
                with record_function(PLAIN):
                    plain(subject, steps, width, height)
                ralu(subject, plan, width, height)
    return _inside([e for e in profiler.events() or () if e.device_type.name == "CPU"])


def _inside(events: list) -> Counter:
    """Waiting operations inside sampling, by stage; a wait inside another wait counts once.

    events  of the host alone: a GPU's timeline repeats the ranges.
    """
    stages = [e for e in events if e.name == PLAIN or e.name.startswith("stage ")]
    sampling = [e for e in events if e.name == SAMPLING]
    waits: Counter = Counter()
    covered = -1.0
    for event in sorted(events, key=lambda e: e.time_range.start):
        if event.name not in WAITS or event.time_range.start < covered:
            continue
        covered = event.time_range.end
        if any(_holds(one, event) for one in sampling):
            waits.update(stage.name for stage in stages if _holds(stage, event))
    return waits


def _holds(outer, inner) -> bool:
    return outer.time_range.start <= inner.time_range.start <= outer.time_range.end


def table(waits: list[Waits]) -> str:
    rows = [(one.stage, f"{one.per_step:g}", f"{one.once:g}") for one in waits]
    return markdown(("sampling", "waits per step", "beside the steps"), rows)


def verdict(waits: list[Waits]) -> str:
    """Whether packing adds a wait to a step of the mixed stage."""
    by_stage = {one.stage: one for one in waits}
    added = by_stage[MIXED].per_step - by_stage[PLAIN].per_step
    if added <= 0:
        return "A step of stage 2 waits for the device no more often than a plain step."
    return f"A step of stage 2 waits for the device {added:g} times more than a plain step."
