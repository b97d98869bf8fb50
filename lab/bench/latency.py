"""Seconds, peak memory and where the time goes: plain sampling against the pack's plans."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import torch

from lab.bench.clock import MODEL, Clock, instrumented
from lab.bench.counting import Counter
from lab.bench.results import markdown
from lab.bench.room import GIGABYTE
from lab.bench.runs import Setting, Subject, settings

_Timed = tuple[float, dict[str, float], int | None]  # seconds, those of the sections, peak bytes


@dataclass(frozen=True)
class Timing:
    """One setting at one size, sampled and decoded.

    preset     None for the plain run.
    seconds    of each repeat.
    sections   seconds of the parts, medians over the repeats.
    peak       bytes of device memory at the highest point, weights included; None on a CPU.
    counted    speed-up over the plain run by true FLOPs, of the same parts that are timed.
    """

    size: str
    run: str
    preset: str | None
    seconds: list[float]
    sections: dict[str, float]
    peak: int | None
    counted: float

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def outside_share(self) -> float:
        """Part of the time that is neither a forward pass nor a VAE decode."""
        inside = sum(self.sections[name] for name in MODEL)
        return 1 - inside / sum(self.sections.values())


def measure(subject: Subject, size: tuple[int, int], repeats: int, steps: int = 0) -> list[Timing]:
    """Plain sampling, the recommended preset and the dial: one warm-up each, whose FLOPs are
    counted, then repeats in turn.

    steps  of the plain run, where not the model's own.
    """
    model = replace(subject.model, steps=steps or subject.model.steps)
    chosen = settings(model, [model.preset])
    flops = [counted(subject, setting, *size) for setting in chosen]
    runs = [[_timed_run(subject, setting, *size) for setting in chosen] for _ in range(repeats)]
    return [
        _timing(size, setting, [run[k] for run in runs], flops[0] / flops[k])
        for k, setting in enumerate(chosen)
    ]


def counted(subject: Subject, setting: Setting, width: int, height: int) -> float:
    """True FLOPs of all matrix products of a run: of its forward passes, decodes and the rest."""
    with Counter() as counter:
        setting.run(subject, width, height)
    return counter.count.total


def _timing(
    size: tuple[int, int], setting: Setting, runs: Sequence[_Timed], counted: float
) -> Timing:
    seconds, sections, peaks = zip(*runs, strict=True)
    medians = {n: statistics.median(one.get(n, 0.0) for one in sections) for n in sections[0]}
    peak = max(peaks) if peaks[0] is not None else None
    named = f"{size[0]}x{size[1]}", setting.name, setting.preset or None
    return Timing(*named, list(seconds), medians, peak, counted)


def _timed_run(subject: Subject, setting: Setting, width: int, height: int) -> _Timed:
    device = subject.patcher.load_device
    on_gpu = device.type == "cuda"
    gc.collect()  # or what the run before left in cycles would count as this one's memory
    if on_gpu:
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
    clock = Clock(device)
    started = time.perf_counter()
    with instrumented(subject, clock), clock.section("node"):
        setting.run(subject, width, height)
    if on_gpu:
        torch.cuda.synchronize(device)
    seconds = time.perf_counter() - started
    return seconds, clock.totals(), torch.cuda.max_memory_allocated(device) if on_gpu else None


def table(timings: list[Timing]) -> str:
    """Markdown; the first run of each size is what the others are compared with."""
    rows = []
    baselines: dict[str, Timing] = {}
    for timing in timings:
        plain = baselines.setdefault(timing.size, timing)
        speed_up = plain.median / timing.median
        rows.append(
            (
                timing.size,
                timing.run,
                f"{timing.median:.3f}",
                f"{min(timing.seconds):.3f} to {max(timing.seconds):.3f}",
                f"{speed_up:.2f}x",
                f"{timing.counted:.2f}x",
                f"{speed_up / timing.counted:.3f}",
                f"{timing.outside_share:.2%}",
                "" if timing.peak is None else f"{timing.peak / GIGABYTE:.2f}",
            )
        )
    head = ("size", "run", "median s", "range", "faster", "by FLOPs", "ratio", "outside", "peak GB")
    return markdown(head, rows)


def sections_table(timings: list[Timing]) -> str:
    """Milliseconds of every part of every run."""
    names = sorted({name for timing in timings for name in timing.sections})
    rows = [
        (
            timing.size,
            timing.run,
            *(f"{1000 * timing.sections.get(name, 0):.1f}" for name in names),
        )
        for timing in timings
    ]
    return markdown(("size", "run", *(f"{name} ms" for name in names)), rows)


def verdicts(timings: list[Timing], least: float) -> list[str]:
    """What the figures must show: speed-ups close to their FLOPs, memory of plain sampling."""
    plain = {timing.size: timing for timing in reversed(timings) if timing.preset is None}
    lines = []
    for timing in timings:
        if timing.preset is None:
            continue
        baseline = plain[timing.size]
        ratio = baseline.median / timing.median / timing.counted
        kept = "kept" if ratio >= least else "MISSED"
        label = f"{timing.run} at {timing.size}"
        lines.append(f"- {label}: {ratio:.3f} of the speed-up by FLOPs, least {least:g}: {kept}")
        if timing.peak is not None and baseline.peak is not None:
            more = (timing.peak - baseline.peak) / 2**20
            kept = "kept" if more <= 0 else "MISSED"
            lines.append(f"- {label}: {more:+.0f} MiB of peak memory against plain: {kept}")
    return lines


def records(timings: list[Timing]) -> list[dict]:
    return [{**asdict(one), "outside_share": one.outside_share} for one in timings]
