"""Short ways to sample with RALU Temporal Acceleration and to see what it computed."""

from __future__ import annotations

import comfy.samplers
import torch

from driving import Calls, guider_for, plain, ralu
from ralu_pack.nodes import temporal_acceleration
from ralu_pack.nodes.host import request, run
from ralu_pack.nodes.host.temporal import attach
from ralu_pack.nodes.host.temporal.acceleration import Acceleration
from ralu_pack.nodes.host.temporal.caches import RunState
from ralu_pack.ralu_core import plans

STEPS = 8
SIGMAS = torch.linspace(1, 0, STEPS + 1) ** 0.8  # uneven, as real ones
SHIFT = {"Flux": 3.158193, "SD3": 3.0}
METHODS = {
    "TaylorSeer": Acceleration(order=2, warm_up=2),
    "Delta-DiT": Acceleration(method="Delta-DiT", interval=2, warm_up=1, range_start=0.5),
    "Delta-DiT, first half": Acceleration(method="Delta-DiT", interval=2, warm_up=1, range_end=0.5),
    "ToCa": Acceleration(method="ToCa", warm_up=2, cached_ratio=0.7),
    "TeaCache": Acceleration(method="TeaCache", threshold=0.6),
}


def accelerated(model, settings: Acceleration | None = None, **changes):
    return temporal_acceleration.accelerated(model, settings or Acceleration(**changes))


def noise(batch: int = 1, seed: int = 0, side: int = 16) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, 16, side, side, generator=generator)


def sample(model, batch: int = 1, x: torch.Tensor | None = None, **options) -> torch.Tensor:
    """A plain run of 8 uneven steps."""
    x = noise(batch) if x is None else x
    return plain(model, x, **{"sigmas": SIGMAS, **options})


def stages(model, steps=(4, 5, 6)) -> plans.Plan:
    shift = SHIFT[type(model.model).__name__]
    return plans.ralu(steps, (0.7, 0.55, 0.0), (4.4, 2.1, 2.0), 4.0, 0.3, shift)


def in_stages(model, vae, **options) -> torch.Tensor:
    """The samples of a RALU Sampler's run of 4, 5 and 6 steps."""
    return ralu(model, vae, **{"schedule": stages(model), **options})[0]


def staged_report(model, vae) -> run.RunReport:
    """What the node shows of such a run."""
    latent = {"samples": torch.zeros(1, 16, 32, 32)}
    euler = comfy.samplers.sampler_object("euler")
    wires = request.Wires(guider_for(model), euler, latent, vae, lambda _: noise(side=32), 7)
    return run.sample(wires, request.Settings(stages(model))).report


class Runs:
    """Keeps the state of every sampling call, to look at when it is over."""

    def __init__(self, monkeypatch):
        self.states: list[RunState] = []
        keep = self.states

        class Kept(RunState):
            def __post_init__(self):
                super().__post_init__()
                keep.append(self)

        monkeypatch.setattr(attach, "RunState", Kept)

    @property
    def patterns(self) -> list[str]:
        return [state.pattern for state in self.states]


class BlockCalls:
    """Counts forward passes of the network's real blocks, and the image tokens of the first."""

    def __init__(self, model):
        network = model.model.diffusion_model
        if hasattr(network, "joint_blocks"):
            blocks = list(network.joint_blocks)
        else:
            blocks = [*network.double_blocks, *network.single_blocks]
        self.count, self.tokens = 0, Calls(model).tokens
        for block in blocks:
            block.register_forward_pre_hook(self._note)

    def _note(self, _module, _args):
        self.count += 1
