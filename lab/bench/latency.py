"""Seconds, peak memory and where the time goes: plain sampling against every preset."""

from __future__ import annotations

import gc
import statistics
import time
from dataclasses import asdict, dataclass, replace

import torch

from lab.bench.clock import MODEL, Clock, instrumented
from lab.bench.flops import Counters
from lab.bench.results import markdown
from lab.bench.runs import Setting, Subject, settings
from lab.bench.text_encoders import host_tokens
from lab.models import tiny
from lab.models.architectures import Architecture, random_model, random_vae

GIGABYTE = 10**9


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


def build(architecture: Architecture, device: torch.device) -> Subject:
    """A model with random weights on the device; the VAE is full-size on a GPU, tiny on a CPU."""
    patcher = random_model(architecture, device)
    on_gpu = device.type == "cuda"
    vae = random_vae(device) if on_gpu else tiny.load_vae(tiny.taesd_weights())
    return Subject.of(architecture, patcher, vae, host_tokens(architecture.family))


def build_with_room(
    architecture: Architecture, device: torch.device, sizes: list[tuple[int, int]]
) -> Subject:
    """`build`, or ValueError where the device has no room for its pictures."""
    if device.type != "cuda":
        return build(architecture, device)
    free = free_memory(device)
    try:
        subject = build(architecture, device)
    except torch.OutOfMemoryError as error:
        raise ValueError(
            f"The weights of {architecture.name} do not fit into the {free / GIGABYTE:.1f} GB that "
            "are free on the device: close what else uses it, or choose --architecture sd3-medium."
        ) from error
    check_memory(subject, sizes, torch.cuda.mem_get_info(device)[0])
    return subject


def check_memory(subject: Subject, sizes: list[tuple[int, int]], free: int) -> None:
    """Refuse sizes at which the host, by its own estimates, would decode in tiles or move weights.

    free  bytes of device memory beside the model's weights.
    """
    prompts = 2 if subject.architecture.cfg > 1 else 1
    for width, height in sizes:
        shape = (1, 16, height // 8, width // 8)
        needed = max(
            subject.vae.memory_used_decode(shape, subject.vae.vae_dtype),
            subject.patcher.model.memory_required([prompts, *shape[1:]]),
        )
        if needed > free:
            raise ValueError(
                f"{subject.architecture.name} at {width}x{height} needs {needed / GIGABYTE:.1f} GB "
                f"of device memory beside its weights, and {free / GIGABYTE:.1f} GB are free: "
                "choose smaller --sizes, or --architecture sd3-medium."
            )


def free_memory(device: torch.device) -> int:
    """Let go of all models that nobody holds, and tell how many bytes are free on the device."""
    import comfy.model_management

    comfy.model_management.unload_all_models()
    gc.collect()
    comfy.model_management.soft_empty_cache(True)
    return torch.cuda.mem_get_info(device)[0]


def measure(
    subject: Subject, key: str, sizes: list[tuple[int, int]], repeats: int, steps: int = 0
) -> list[Timing]:
    """Every setting at every size: one warm-up each, then repeats in turn.

    key    of the subject's architecture.
    steps  of the plain run, where not the architecture's own.
    """
    architecture = replace(subject.architecture, steps=steps or subject.architecture.steps)
    chosen = settings(architecture)
    counters = Counters()
    timings = []
    for width, height in sizes:
        for setting in chosen:
            setting.run(subject, width, height)
        runs = [
            [_timed_run(subject, setting, width, height) for setting in chosen]
            for _ in range(repeats)
        ]
        speed_ups = _counted(counters, subject, key, chosen, width, height)
        for k, (setting, counted) in enumerate(zip(chosen, speed_ups, strict=True)):
            seconds, sections, peaks = zip(*(run[k] for run in runs), strict=True)
            medians = {n: statistics.median(one[n] for one in sections) for n in sections[0]}
            peak = max(peaks) if peaks[0] is not None else None
            size = f"{width}x{height}"
            timings.append(
                Timing(
                    size,
                    setting.name,
                    setting.preset or None,
                    list(seconds),
                    medians,
                    peak,
                    counted,
                )
            )
    return timings


def _timed_run(
    subject: Subject, setting: Setting, width: int, height: int
) -> tuple[float, dict[str, float], int | None]:
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


def _counted(
    counters: Counters, subject: Subject, key: str, chosen: list[Setting], width: int, height: int
) -> list[float]:
    """True-FLOPs speed-ups of what is timed: forward passes, and decodes by a full-size VAE."""
    text = host_tokens(subject.architecture.family)
    runs = [counters.count(key, setting, text, width, height) for setting in chosen]
    on_gpu = subject.patcher.load_device.type == "cuda"
    flops = [(run.model + run.decoded if on_gpu else run.model).total for run in runs]
    return [flops[0] / one for one in flops]


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
