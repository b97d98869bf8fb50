"""What the pack costs beside the model: whole runs and single parts, on this CPU."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from lab.bench import components
from lab.bench.clock import HOST, MODEL, Clock, instrumented
from lab.bench.counting import TERA
from lab.bench.flops import Counters
from lab.bench.results import markdown
from lab.bench.runs import Setting, Subject
from lab.bench.text_encoders import host_tokens
from lab.models.architectures import ARCHITECTURES

# Names of architectures, and the preset that each is measured at beside its dial.
SUBJECTS = {"flux-dev": "FLUX 7x", "sd3-medium": "SD3 3x"}
PRESET = SUBJECTS["flux-dev"]
SIDE, SMALLEST = 1024, 64
# TFLOP/s. The paper's A100 took 25.1 s for the 3734.6 TFLOP of FLUX.1-dev's 50 steps, 48 % of its
# dense bf16 peak of 312; an H100 has 989. At 80 % it is faster than any that samples: a bound.
RATES = {
    "A100 as in the paper": 148.8,
    "H100 at the same 48 % of its peak": 472.0,
    "H100 at 80 % of its peak": 790.0,
}
OUTSIDE_LIMIT = 1.0  # percent of a run
PARTS_LIMIT = 3.0  # milliseconds: layout, noise and schedule of one run
GROWTH_LIMIT = 1.1  # 1 is proportional to the tokens; the rest is the spread of such a fit
# Sections whose tensor arithmetic is the GPU's where there is one; the rest of them is the CPU's.
ON_DEVICE = ("crossing", "packing", "steps", *HOST)
WHILE_SAMPLING = ("noise",)  # the CPU does it before it waits for the GPU, whose time it costs none
REPEATS = 60


@dataclass(frozen=True)
class Outside:
    """What a run of a full-size model does outside forward passes and VAE decodes.

    pack, host  CPU seconds of sections, the fastest of several runs each: the pack's own, and
                ComfyUI's own, which plain sampling has too.
    fixed       all of them for a picture of 64 pixels: what is left without tensor arithmetic.
    flops       of its forward passes and decodes, attention included.
    """

    pack: dict[str, float]
    host: dict[str, float]
    fixed: dict[str, float]
    flops: float

    def beside_gpu(self) -> Outside:
        """The same with the tensors of ON_DEVICE left to a GPU, and without WHILE_SAMPLING."""
        pack, host = (
            {
                n: self.fixed.get(n, s) if n in ON_DEVICE else s
                for n, s in sections.items()
                if n not in WHILE_SAMPLING
            }
            for sections in (self.pack, self.host)
        )
        return replace(self, pack=pack, host=host)

    def share(self, rate: float, host: bool = False) -> float:
        """Percent that the pack's own sections take of a run whose model runs at `rate` TFLOP/s.

        host  with ComfyUI's own.
        """
        outside = sum(self.pack.values()) + (sum(self.host.values()) if host else 0)
        return 100 * outside / (outside + self.flops / TERA / rate)


def outside(counters: Counters, key: str, setting: Setting) -> Outside:
    """Run the real sampling code at full size; the network's inside is on the meta device.

    key  one of SUBJECTS.
    """
    text = host_tokens(ARCHITECTURES[key].family)
    run = counters.count(key, setting, text, SIDE, SIDE)
    subject = counters.subject(key, text)
    best, fixed = (_fastest_sections(subject, setting, pixels) for pixels in (SIDE, SMALLEST))
    pack = {name: s for name, s in best.items() if name not in MODEL + HOST}
    host = {name: best.get(name, 0.0) for name in HOST}
    return Outside(pack, host, fixed, (run.model + run.decoded).total)


def _fastest_sections(subject: Subject, setting: Setting, side: int) -> dict[str, float]:
    best: dict[str, float] = {}
    for _ in range(REPEATS):
        clock = Clock(subject.patcher.load_device, time.process_time)
        for name, seconds in timed_sections(subject, setting, side, clock).items():
            best[name] = min(best.get(name, seconds), seconds)
    return best


def timed_sections(subject: Subject, setting: Setting, side: int, clock: Clock) -> dict[str, float]:
    with instrumented(subject, clock), clock.section("node"):
        setting.run(subject, side, side)
    return clock.totals()


def share_of_real_run(subject: Subject, setting: Setting, side: int) -> tuple[float, float]:
    """Seconds of a run with real weights, and the share outside forward passes and decodes."""
    started = time.perf_counter()
    sections = timed_sections(subject, setting, side, Clock(subject.patcher.load_device))
    seconds = time.perf_counter() - started
    inside = sum(sections[name] for name in MODEL)
    return seconds, 1 - inside / sum(sections.values())


def outside_table(runs: dict[str, Outside]) -> str:
    """Markdown of milliseconds; `node` is the rest of a run, from wires to latent."""
    names = list(dict.fromkeys(name for run in runs.values() for name in (*run.pack, *run.host)))
    rows = [
        (
            label,
            *(f"{1000 * (run.pack | run.host).get(name, 0):.2f}" for name in names),
            f"{1000 * sum(run.pack.values()):.2f}",
            *(f"{1000 * run.flops / TERA / rate:.0f}" for rate in RATES.values()),
        )
        for label, run in runs.items()
    ]
    return markdown(("ms", *names, "all of the pack", *(f"model, {name}" for name in RATES)), rows)


def shares_table(runs: dict[str, Outside]) -> str:
    """Markdown of the percent of each run that is neither a forward pass nor a decode."""
    rows = [
        (
            label,
            f"{name} ({rate:g} TFLOP/s)",
            *(f"{share:.2f} %" for share in (run.share(rate), run.beside_gpu().share(rate))),
            f"{run.beside_gpu().share(rate, host=True):.2f} %",
        )
        for label, run in runs.items()
        for name, rate in RATES.items()
    ]
    header = ("run", "device", "all on this CPU", "tensors on the GPU", "and ComfyUI's own")
    return markdown(header, rows)


def parts_table(found: dict[str, list[float]], level: dict[str, list[float]]) -> str:
    sides = components.SIDES
    rows = [
        (
            name,
            *(f"{1000 * value:.3f}" for value in seconds),
            f"{components.growth(sides, seconds):.2f}",
            f"{components.growth(sides, level[name]):.2f}",
        )
        for name, seconds in found.items()
    ]
    header = ("part", *(f"{side} px ms" for side in sides), "growth", "at equal memory")
    return markdown(header, rows)


def parts_of_a_run(found: dict[str, list[float]], schedule: float) -> float:
    """Layout once, noise for both crossings, schedule once, at 1024 x 1024, in seconds."""
    at = components.SIDES.index(SIDE)
    return found["layout"][at] + 2 * found["noise"][at] + schedule
