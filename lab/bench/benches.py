"""The benches as commands: run, print, save."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from lab.bench import (
    components,
    family_flops,
    latency,
    machine,
    overhead,
    per_token,
    room,
    syncs,
    temporal_flops,
    temporal_quality,
    temporal_speed,
)
from lab.bench.clock import export_trace
from lab.bench.flops import Counters, paper_table, size_table
from lab.bench.results import Results, limit
from lab.bench.runs import Setting, Subject, published, settings
from lab.comfy.locate import REPOSITORY
from lab.models.architectures import ARCHITECTURES
from lab.models.blueprint import Blueprint
from lab.models.full_size import MODELS

OUT = REPOSITORY / "out" / "bench"
NO_GPU = (
    "torch finds no CUDA device here, so a small network on the CPU shows that the bench runs, and "
    "nothing about a GPU."
)
FLOPS_LIMIT = 0.1  # percent between the paper's rows and ours
SPEED_LIMIT = 0.97  # of the speed-up by FLOPs
MID_SIDE = 512
GAIN_LIMIT = 0.9  # of a skipped step's FLOPs, in its time


def flops(options: argparse.Namespace, device: torch.device) -> None:
    """FLOPs of the paper's rows and of every preset, in both conventions."""
    results = Results("flops", "FLOPs", machine.describe(torch.device("cpu")))
    counters = Counters()
    text, rows = paper_table(counters)
    results.data["paper"] = rows
    results.say("The paper's rows at 1024x1024, counted without elementwise operations:\n\n" + text)
    worst = max(abs(row["deviation_percent"]) for row in rows)
    results.say(limit("largest deviation from the paper", worst, FLOPS_LIMIT, "%"))
    for name, paper_text in (("ComfyUI makes of a short prompt", False), ("the paper ran", True)):
        text, rows = size_table(counters, paper_text)
        results.data["paper_text" if paper_text else "comfyui_text"] = rows
        lengths = sorted({f"{row['architecture']} {row['text_tokens']}" for row in rows})
        results.say(f"Text lengths as {name} ({', '.join(lengths)}):\n\n{text}")
    results.save(_folder(options))


def families(options: argparse.Namespace, device: torch.device) -> None:
    """FLOPs of every family's network, RALU against the steps of ComfyUI's own template."""
    facts = machine.describe(torch.device("cpu"))
    results = Results("families", "FLOPs of every family", facts)
    found = family_flops.rows()
    results.data["rows"] = family_flops.records(found)
    results.say(
        "Calls of the published networks, text in them included and decodes not, against the steps "
        "of ComfyUI's own template, at the preset that the pack recommends. A picture to edit has "
        "4,096 tokens, which stay in every stage.\n\n" + family_flops.table(found)
    )
    results.save(_folder(options))


def overhead_bench(options: argparse.Namespace, device: torch.device) -> None:
    """Time outside the model on this CPU, and how it grows."""
    results = Results("overhead", "Overhead on the CPU", machine.describe(torch.device("cpu")))
    components.keep_freed_memory()
    runs = _outside(results)
    parts, level = components.measure(), components.measure(level=True)
    first, again = components.schedule_seconds()
    results.data["parts_seconds"] = {"one_picture": parts, "equal_memory": level}
    results.data["schedule_seconds"] = {"first": first, "again": again}
    results.say(
        "Parts by themselves, the fastest call each:\n\n" + overhead.parts_table(parts, level)
    )
    results.say(f"Schedule: {1000 * first:.1f} ms when first solved, {1e6 * again:.1f} us after.")
    results.say("\n".join(_limits(runs, parts, level, again)))
    _mid_size(results)
    results.save(_folder(options))


def _outside(results: Results) -> dict[str, overhead.Outside]:
    """The pack's runs by model and name; the table that is said has the plain ones, too."""
    counters, runs, plain = Counters(), {}, {}
    for key, preset in overhead.SUBJECTS.items():
        model = ARCHITECTURES[key].blueprint
        for one in settings(model, [preset]):
            found = runs if one.preset else plain
            found[f"{model.name}, {one.name}"] = overhead.outside(counters, key, one)
    results.data["outside"] = {name: vars(run) for name, run in (plain | runs).items()}
    results.say(
        f"At {overhead.SIDE}x{overhead.SIDE}, CPU time of all but forward passes "
        f"and decodes; those by their FLOPs:\n\n{overhead.outside_table(plain | runs)}"
    )
    results.say(
        f"Shares of the pack's own part; the second column leaves to a GPU what "
        f"{', '.join(overhead.ON_DEVICE)} spend on tensors, and leaves out "
        f"{', '.join(overhead.WHILE_SAMPLING)}, drawn while the GPU still samples:\n\n"
        + overhead.shares_table(runs)
    )
    return runs


def _limits(
    runs: dict[str, overhead.Outside],
    parts: dict[str, list[float]],
    level: dict[str, list[float]],
    schedule: float,
) -> list[str]:
    """Which figures keep their limits."""
    together = overhead.parts_of_a_run(parts, schedule)
    lines = [
        limit("layout, noise and schedule of a run", 1000 * together, overhead.PARTS_LIMIT, "ms")
    ]
    for run, outside in runs.items():
        for device, rate in overhead.RATES.items():
            share = outside.beside_gpu().share(rate)
            label = f"the pack's share of {run}, {device}"
            lines.append(limit(label, share, overhead.OUTSIDE_LIMIT, "%"))
    for name, seconds in level.items():
        exponent = components.growth(components.SIDES, seconds)
        lines.append(limit(f"growth of {name}", exponent, overhead.GROWTH_LIMIT, "(exponent)"))
    return lines


def _mid_size(results: Results) -> None:
    model = ARCHITECTURES["mid"].blueprint
    subject = room.build(model, torch.device("cpu"))
    setting = Setting("RALU 7x", preset=overhead.PRESET)
    seconds, share = overhead.share_of_real_run(subject, setting, MID_SIDE)
    results.data["mid_size"] = {"seconds": seconds, "outside_share": share}
    results.say(
        f"{model.name}, real weights, {MID_SIDE}x{MID_SIDE}, RALU 7x on this CPU: "
        f"{seconds:.1f} s, {share:.2%} of it outside forward passes and decodes."
    )


def latency_bench(options: argparse.Namespace, device: torch.device) -> None:
    """Plain sampling against the pack's plans, the mixed stage's time per token, and the waits.

    Each model has results of its own, and none keeps the others from theirs.
    """
    on_gpu = device.type == "cuda"
    title = "Latency: {}" if on_gpu else "The latency bench tried without a GPU: {}, tiny"
    sizes = [(side, side) for side in options.sizes or ((1024, 2048) if on_gpu else (256,))]
    for model in _models(options.models, on_gpu):
        facts = machine.describe(device)
        results = Results(f"latency-{model.key}", title.format(model.name), facts)
        if not on_gpu:
            results.say(NO_GPU)
        try:
            _latency_of(results, room.build_with_room(model, device, sizes), sizes, options)
        except (ValueError, torch.OutOfMemoryError) as error:
            results.say(f"Left out: {error}")
            results.save(_folder(options))


def _latency_of(
    results: Results,
    subject: Subject,
    sizes: Sequence[tuple[int, int]],
    options: argparse.Namespace,
) -> None:
    """Saved after each part: large sizes take long, and may fail."""
    on_gpu = subject.patcher.load_device.type == "cuda"
    repeats = options.repeats or (7 if on_gpu else 2)
    preset = subject.model.preset
    data: dict[str, list[dict]] = {"timings": [], "per_token": [], "waits": []}
    results.data |= data
    for size in sizes:
        found = latency.measure(subject, size, repeats, options.steps)
        data["timings"] += latency.records(found)
        results.say(latency.table(found))
        results.say(latency.sections_table(found))
        if on_gpu:
            results.say("\n".join(latency.verdicts(found, SPEED_LIMIT)))
        results.save(_folder(options))
        tokens = per_token.measure(subject, [preset], *size, repeats)
        data["per_token"] += per_token.records(tokens)
        results.say(per_token.table(tokens))
        if on_gpu:
            results.say("\n".join(per_token.verdicts(tokens)))
        results.save(_folder(options))
        waits = syncs.count_waits(subject, preset, *size)
        data["waits"] += [{"size": f"{size[0]}x{size[1]}", **vars(one)} for one in waits]
        results.say(f"{syncs.table(waits)}\n\n{syncs.verdict(waits)}")
        results.save(_folder(options))


def temporal(options: argparse.Namespace, device: torch.device) -> None:
    """RALU Temporal Acceleration: FLOPs beside the paper's, time of a skip, cost in pictures."""
    results = Results("temporal", "Caches across steps", machine.describe(torch.device("cpu")))
    text, rows = temporal_flops.table()
    results.data["paper"] = rows
    results.say(
        f"FLUX.1-dev at 1024x1024, {temporal_flops.TEXT} text tokens, ratio "
        f"{temporal_flops.RATIO:g} ({temporal_flops.LETTERS}):\n\n{text}"
    )
    gain = temporal_speed.measure()
    results.data["gain"] = {**vars(gain), "seconds": gain.of_seconds, "flops": gain.of_flops}
    share = gain.of_seconds / gain.of_flops
    results.say(
        f"A skipped call of a mid-size Flux takes {1000 * gain.skipped:.0f} ms of CPU time, a "
        f"computed one {1000 * gain.computed:.0f} ms: saves {gain.of_seconds:.1%} of the time and "
        f"{gain.of_flops:.1%} of the FLOPs, {share:.1%} of its share, limit {GAIN_LIMIT:.0%}: "
        f"{'kept' if share >= GAIN_LIMIT else 'MISSED'}."
    )
    outcomes = list(temporal_quality.measure(options.prompts, options.seeds, options.weights))
    results.data["miniature"] = temporal_quality.finite(outcomes)
    results.say(
        f"Miniature Flux, {options.prompts} prompts, {options.seeds} seeds, 256x256:\n\n"
        + temporal_quality.table(outcomes)
    )
    results.save(_folder(options))


def trace(options: argparse.Namespace, device: torch.device) -> None:
    """A torch.profiler trace of one run."""
    on_gpu = device.type == "cuda"
    model, *_ = _models(options.models, on_gpu)
    side = (options.sizes or [1024 if on_gpu else 256])[0]
    out = options.out or OUT / "trace.json"
    subject = room.build_with_room(model, device, [(side, side)])
    export_trace(subject, options.preset, side, side, out)
    print(f"{out}: open it in ui.perfetto.dev or chrome://tracing")


def _models(keys: Sequence[str] | None, on_gpu: bool) -> list[Blueprint]:
    """Those chosen; else on a GPU one of each family, on a CPU the first. ValueError for others."""
    if not keys:
        return published() if on_gpu else published()[:1]
    known = {model.key: model for model in MODELS if not model.references}
    if strange := [key for key in keys if key not in known]:
        raise ValueError(f"Models are {', '.join(known)}, got {strange[0]!r}.")
    return [known[key] for key in keys]


def _folder(options: argparse.Namespace) -> Path:
    return options.out or OUT


BENCHES = {
    "flops": flops,
    "families": families,
    "overhead": overhead_bench,
    "latency": latency_bench,
    "temporal": temporal,
    "trace": trace,
}
