"""Where the time of a run goes: nested sections, on the device's own timeline."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from lab.bench.runs import Setting, Subject
from lab.comfy import ralu_pack

FORWARD, DECODE = "forward", "decode"
SAMPLING, CALL = "host sampling", "host call"
MODEL, HOST = (FORWARD, DECODE), (SAMPLING, CALL)  # the rest is the pack's own


@dataclass
class _Section:
    name: str
    parent: int | None
    start: Any
    end: Any = None


class Clock:
    """Times sections with CUDA events on a GPU, so that it adds no synchronisation to the run.

    There a section lasts from when the device reaches its start to when it reaches its end: work
    of the host that hides behind the device's own costs nothing, work that the device waits for
    does. On a CPU it is the wall clock, or another one given as `now`. Each section is also a range
    in a torch.profiler trace.
    """

    def __init__(self, device: torch.device, now: Callable[[], float] = time.perf_counter):
        self.device = device
        self._host_now = now
        self._sections: list[_Section] = []
        self._open: list[int] = []

    @contextmanager
    def section(self, name: str) -> Iterator[None]:
        parent = self._open[-1] if self._open else None
        current = _Section(name, parent, self._now())
        self._open.append(len(self._sections))
        self._sections.append(current)
        try:
            with torch.profiler.record_function(name):
                yield
        finally:
            current.end = self._now()
            self._open.pop()

    def totals(self) -> dict[str, float]:
        """Seconds of each section without the sections inside it, over all its visits."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        seconds: dict[str, float] = defaultdict(float)
        for section in self._sections:
            length = self._seconds(section)
            seconds[section.name] += length
            if section.parent is not None:
                seconds[self._sections[section.parent].name] -= length
        return dict(seconds)

    def visits(self, name: str, within: str | None = None) -> list[float]:
        """Seconds of every visit of a section; of those inside another one where it is named."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return [
            self._seconds(section)
            for section in self._sections
            if section.name == name and (within is None or within in self._around(section))
        ]

    def _around(self, section: _Section) -> Iterator[str]:
        """Names of the sections that hold this one."""
        while section.parent is not None:
            section = self._sections[section.parent]
            yield section.name

    def _now(self) -> Any:
        if self.device.type != "cuda":
            return self._host_now()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def _seconds(self, section: _Section) -> float:
        if self.device.type == "cuda":
            return section.start.elapsed_time(section.end) / 1000
        return section.end - section.start


@contextmanager
def instrumented(subject: Subject, clock: Clock) -> Iterator[None]:
    """While open, the clock sees the parts of every run of this subject.

    The model's: forward, decode. ComfyUI's, in plain sampling too: host sampling (its noise, steps,
    guidance) and host call (casts around a forward pass). The pack's: noise, edges, crossing,
    packing, preview (the picture of the regions), stage 1 to 3, what a stage does around host
    sampling, and steps, what it does in it: its SAMPLER, and its watch over calls of the model.
    """
    import comfy.sample
    import comfy.samplers

    places = [
        (subject.patcher.model.diffusion_model, "forward", FORWARD),
        (subject.patcher.model, "_apply_model", CALL),
        (comfy.samplers.CFGGuider, "sample", SAMPLING),
        (comfy.samplers.KSamplerX0Inpaint, "__call__", SAMPLING),
        (comfy.sample, "prepare_noise", SAMPLING),
        (subject.vae, "decode", DECODE),
        (ralu_pack.prepared, "white_noise", "noise"),
        (ralu_pack.scores.Regions, "choose", "edges"),
        (ralu_pack.matched.Matched, "cross", "crossing"),
        (ralu_pack.mixed_call.MixedCall, "__call__", "packing"),
        (ralu_pack.progress.Bar, "regions_chosen", "preview"),
        (ralu_pack.second_order, "sample_second_order", "steps"),
        (ralu_pack.watch._Counted, "__call__", "steps"),
    ]
    with ExitStack() as stack:
        for owner, name, label in places:
            stack.enter_context(_timed(owner, name, clock, lambda args, label=label: label))
        stages = ralu_pack.stages.GuiderStages
        stack.enter_context(_timed(stages, "__call__", clock, _stage_name))
        yield


def _stage_name(args: tuple) -> str:
    _, task, _ = args
    return f"stage {task.stage.number}"


@contextmanager
def _timed(owner: Any, name: str, clock: Clock, label: Callable[[tuple], str]) -> Iterator[None]:
    original = getattr(owner, name)
    inherited = name not in vars(owner)

    def timed(*args, **kwargs):
        with clock.section(label(args)):
            return original(*args, **kwargs)

    setattr(owner, name, timed)
    try:
        yield
    finally:
        if inherited:
            delattr(owner, name)
        else:
            setattr(owner, name, original)


def export_trace(subject: Subject, preset: str, width: int, height: int, out: Path) -> None:
    """Write the trace of a warm run, for chrome://tracing or ui.perfetto.dev.

    Its parts show as ranges: forward, packing, edges, ...
    """
    setting = Setting(preset, preset=preset)
    setting.run(subject, width, height)
    device = subject.patcher.load_device
    activities = [ProfilerActivity.CPU]
    if device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    with instrumented(subject, Clock(device)), profile(activities=activities) as profiler:
        setting.run(subject, width, height)
    out.parent.mkdir(parents=True, exist_ok=True)
    profiler.export_chrome_trace(str(out))
