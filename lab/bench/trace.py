"""A torch.profiler trace of one RALU run, for chrome://tracing or ui.perfetto.dev."""

from __future__ import annotations

from pathlib import Path

from torch.profiler import ProfilerActivity, profile

from lab.bench.clock import Clock, instrumented
from lab.bench.runs import Setting, Subject


def export(subject: Subject, preset: str, width: int, height: int, out: Path) -> None:
    """Write the trace of a warm run; its parts show as ranges: forward, packing, edges, ..."""
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
