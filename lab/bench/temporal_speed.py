"""Seconds that a skipped step saves on a CPU, against the FLOPs it saves."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import torch

from lab.bench.room import build
from lab.comfy import ralu_pack
from lab.models.architectures import ARCHITECTURES

KEY, SIDE, STEPS = "mid", 512, 12


@dataclass(frozen=True)
class Gain:
    """CPU seconds of a computed and of a skipped call, medians; their FLOPs."""

    computed: float
    skipped: float
    computed_flops: float
    skipped_flops: float

    @property
    def of_seconds(self) -> float:
        return 1 - self.skipped / self.computed

    @property
    def of_flops(self) -> float:
        return 1 - self.skipped_flops / self.computed_flops


def measure() -> Gain:
    """TaylorSeer, N=3, O=1, W=2 in plain sampling of a mid-size Flux with random weights."""
    import comfy.samplers
    from comfy.patcher_extension import WrappersMP

    subject = build(ARCHITECTURES[KEY].blueprint, torch.device("cpu"))
    node, forecast = ralu_pack.temporal_acceleration, ralu_pack.forecast
    chosen = node.Acceleration(interval=3, order=1, warm_up=2)
    fast = node.accelerated(subject.patcher, chosen)
    seconds: list[float] = []

    def timed(executor, *args, **kwargs):
        started = time.process_time()  # other work on the machine does not count
        result = executor(*args, **kwargs)
        seconds.append(time.process_time() - started)
        return result

    # In front of ours, so that its own work is timed too.
    wrappers = fast.wrappers[WrappersMP.APPLY_MODEL]
    fast.wrappers[WrappersMP.APPLY_MODEL] = {"timed": [timed], **wrappers}
    guider = comfy.samplers.CFGGuider(fast)
    guider.set_conds(subject.positive, subject.negative)
    guider.set_cfg(1.0)
    latent = subject.empty_latent(SIDE, SIDE)
    with torch.inference_mode():
        guider.sample(
            torch.randn(latent.shape, generator=torch.Generator().manual_seed(0)),
            latent,
            comfy.samplers.sampler_object("euler"),
            torch.linspace(1, 0, STEPS + 1),
            disable_pbar=True,
            seed=0,
        )
    kinds = [forecast.is_computed(k, chosen.interval, chosen.warm_up) for k in range(STEPS)]
    pairs = list(zip(kinds, seconds, strict=True))[1:]  # the first call fills caches of the CPU
    return Gain(
        statistics.median(s for computed, s in pairs if computed),
        statistics.median(s for computed, s in pairs if not computed),
        *_flops(),
    )


def _flops() -> tuple[float, float]:
    """Of a computed and of a skipped call: all but the blocks is linear in the tokens."""
    architecture = ARCHITECTURES[KEY]
    tokens, text, width = (SIDE // 16) ** 2, architecture.text_tokens, architecture.width
    outside = 2 * width * (tokens * 2 * 64 + text * architecture.context)  # embeddings, last layer
    return architecture.cost.flops(tokens) + outside, outside
