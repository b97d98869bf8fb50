"""The parts of `ralu_core` by themselves: milliseconds at each size, and how they grow."""

from __future__ import annotations

import ctypes
import math
import platform
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F

from ralu_core.crossings import Place
from ralu_core.latents.grid import FULL, HALF, MIXED
from ralu_core.latents.layout import Layout
from ralu_core.latents.noise import REGIONS, white_noise
from ralu_core.latents.packing import Packing
from ralu_core.latents.states import StageEnd, State
from ralu_core.plans.presets import matched_plan, preset
from ralu_core.scores import SCORES, Evidence, select_ratio

SIDES = (512, 1024, 2048, 4096)
PRESET, RATIO = "FLUX 7x", 0.1
CHANNELS = 16
ROUNDS = 4
CLOCK_STEP = 0.002  # seconds for which the clock of CPU time may stand still
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4


def keep_freed_memory() -> None:
    """Let the C library reuse large blocks, as CUDA's caching allocator does.

    By default it returns every tensor above 32 MB to the kernel, and the page faults of the next
    one cost more than the arithmetic: a cost of this process, which would read as growth.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def components(side: int, pictures: int) -> dict[str, Callable[[], object]]:
    """Every part for square pictures of that many pixels a side, ready to run."""
    latent, grid = side // 8, (side // 32, side // 32)
    white = torch.randn(pictures, CHANNELS, latent, latent)
    coarse = torch.randn(pictures, CHANNELS, latent // 2, latent // 2)
    picture = synthetic_picture(side // 2).repeat(pictures, 1, 1, 1)
    states = tuple(State(sigma, coarse, sigma * coarse) for sigma in (0.8, 0.75, 0.7))
    small = StageEnd(coarse, coarse, states)
    scores = SCORES["canny"](Evidence(small, grid, lambda _: picture))
    fine = select_ratio(scores, RATIO)
    (packing,) = built_packings(fine)
    layout, tokens = packing.layout, packing.pack(white)
    chosen = preset(PRESET)
    crossing = matched_plan(chosen, chosen.model_shift).crossings[0]
    grown, whole = (
        Place(HALF, MIXED, layout, layout.patch),
        Place(MIXED, FULL, layout, layout.patch),
    )
    end = StageEnd(white, white)
    draw = partial(white_noise, grid, 0, range(pictures), REGIONS)
    evidence = Evidence(small, grid, lambda _: picture, torch.rand(pictures, *grid), draw)
    return {
        "noise": lambda: white_noise((CHANNELS, latent, latent), 0, range(pictures), 1),
        # One by one: the pictures of a batch share what does not depend on their regions.
        "layout": lambda: [built_packings(one[None]) for one in fine],
        "pack": lambda: packing.pack(white),
        "unpack": lambda: packing.unpack(tokens),
        "crossing to mixed": lambda: crossing.cross(small, white, grown),
        "crossing to full": lambda: crossing.cross(end, white, whole),
        **{f"edges: {name}": partial(score, replace(evidence)) for name, score in SCORES.items()},
        "choice of regions": lambda: select_ratio(scores, RATIO),
    }


def built_packings(fine: torch.Tensor) -> list[Packing]:
    """A new layout with all that a run asks of it; the packings hold the rest of its tables."""
    layout = Layout(fine)
    assert layout.fine_pixels is not None
    return Packing.parts(layout)


def synthetic_picture(side: int) -> torch.Tensor:
    """(1, side, side, 3) in [0, 1]: soft squares of 32 pixels, as many edges a pixel at any size.

    Its edges are strong, weak and joined to long ones, as those of pictures are.
    """
    generator = torch.Generator().manual_seed(0)
    squares = torch.rand(1, 3, side // 32, side // 32, generator=generator)
    picture = F.interpolate(squares, size=(side, side), mode="nearest")
    return F.avg_pool2d(picture, 5, stride=1, padding=2).movedim(1, -1)  # laid out as decoded


def best_seconds(function: Callable[[], object], least: int = 5, budget: float = 0.3) -> float:
    """CPU time of a call, from the fastest of at least `least` rounds, more while they fit into
    `budget` seconds.

    CPU time of all threads, so that other work on the machine does not count. A round holds as
    many calls as fill CLOCK_STEP.
    """
    function()
    started = time.perf_counter()
    function()
    calls = math.ceil(CLOCK_STEP / (time.perf_counter() - started))
    best, spent, rounds = math.inf, 0.0, 0
    while rounds < least or spent < budget:
        started = time.process_time()
        for _ in range(calls):
            function()
        seconds = time.process_time() - started
        best, spent, rounds = min(best, seconds / calls), spent + seconds, rounds + 1
    return best


def growth(sides: tuple[int, ...], seconds: list[float]) -> float:
    """Exponent of time against tokens, least squares on logarithms: 1 is proportional."""
    x = [2 * math.log(side) for side in sides]
    y = [math.log(value) for value in seconds]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    covariance = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    return covariance / sum((a - mean_x) ** 2 for a in x)


def measure(level: bool = False, sides: tuple[int, ...] = SIDES) -> dict[str, list[float]]:
    """Seconds of every part for one picture of every size; sizes take turns, as the load changes.

    level  run as many pictures at once as hold the pixels of one of the largest size. One picture
           of 2048 pixels fits into a CPU's caches and one of 4096 does not, which alone makes a
           mere copy grow with an exponent of 1.2; growth is fitted where all sizes miss alike.
    """
    found: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for k, side in enumerate(sides):
            pictures = (sides[-1] // side) ** 2 if level else 1
            for name, function in components(side, pictures).items():
                best = found.setdefault(name, [math.inf] * len(sides))
                best[k] = min(best[k], best_seconds(function, least=3, budget=0.05) / pictures)
    return found


def schedule_seconds() -> tuple[float, float]:
    """Solving FLUX 7x for FLUX.1-dev: the first time in a process, and every time after."""
    chosen = preset(PRESET)
    shift = chosen.model_shift

    def cold() -> None:
        matched_plan.cache_clear()
        matched_plan(chosen, shift)

    first = best_seconds(cold, least=3, budget=0)
    return first, best_seconds(lambda: matched_plan(chosen, shift), budget=0)
