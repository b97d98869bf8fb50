"""The released code's runs, step for step through ComfyUI's own Flux, sampler and guider.

Its noise and its choice of regions are stored and fed in; everything else is computed here.
"""

from __future__ import annotations

import json
from pathlib import Path

import comfy.samplers
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from lab.models import tiny
from ralu_pack.nodes.host.families.inspect import inspect_model
from ralu_pack.nodes.host.sampling.stages import GuiderStages
from ralu_pack.nodes.host.sampling.watch import Watch
from ralu_pack.ralu_core import plans
from ralu_pack.ralu_core.growth import growth_named
from ralu_pack.ralu_core.latents.layout import Layout
from ralu_pack.ralu_core.latents.packing import Packing
from ralu_pack.ralu_core.latents.tokens import unpatchify
from ralu_pack.ralu_core.sampler import Source, run_plan

DATA = Path(__file__).resolve().parents[1] / "data"
GRID = (8, 8)


def load_run(name: str):
    path = str(DATA / f"flux_tiny_{name}.safetensors")
    with safe_open(path, "pt") as file:
        info = json.loads(file.metadata()["info"])
    return load_file(path), info


def schedule_of(info: dict) -> plans.Plan:
    ends = (1 - info["e"][0], 1 - info["e"][1], 0.0)
    return plans.ralu(
        info["N"],
        ends,
        info["h"],
        info["Z"],
        info["up_ratio"],
        3.158193,
        growth="token",
        kept="released",
    )


def uncorrelate(noise: torch.Tensor, c: float) -> torch.Tensor:
    """The white noise that `sibling_noise` turns into the stored one."""
    return noise + (1 / (1 - 4 * c) ** 0.5 - 1) * growth_named("token").mean_of_siblings(noise, 2)


class StoredNoise:
    """Transition noise of the released run, unpacked to full size and uncorrelated."""

    def __init__(self, run: dict, info: dict, layout: Layout):
        self.run, self.layout, self.c = run, layout, info["Z"] ** -2
        (self.packing,) = Packing.parts(layout)

    def __call__(self, stage: int) -> torch.Tensor:
        return self._into_mixed() if stage == 1 else self._into_full()

    def _into_mixed(self) -> torch.Tensor:
        stored = self.run["n_prime_stage2"]
        kept, children = stored[:, :45], stored[:, 45:].reshape(1, 19, 2, 2, 64)
        fine = torch.zeros(1, 8, 2, 8, 2, 64)
        rows, columns = self.run["indices_2x_sorted"].long() // 8, self.run["indices_2x_sorted"] % 8
        for k, (i, j) in enumerate(zip(rows.tolist(), columns.long().tolist(), strict=True)):
            fine[:, i, :, j, :] = children[:, k]
        coarse = torch.zeros(1, 64, 64)
        coarse[:, self.run["indices_1x"].long()] = kept
        tokens = self.packing.gather(coarse, fine.reshape(1, 256, 64))
        noise = self.packing.unpack(tokens)
        return torch.where(self.layout.fine_pixels, uncorrelate(noise, self.c), noise)

    def _into_full(self) -> torch.Tensor:
        order = self.run["stage3_sort_permutation"].long()
        noise = unpatchify(self.run["n_prime_stage3"][:, order], 16, 16)
        return torch.where(self.layout.fine_pixels, noise, uncorrelate(noise, self.c))


@pytest.mark.parametrize("name", ["level4", "custom222"])
def test_released_run_is_reproduced(name):
    run, info = load_run(name)
    model = tiny.load_model(load_file(str(DATA / "flux_tiny_weights.safetensors")))
    options = {
        "pooled_output": run["pooled_prompt_embeds"],
        "guidance": float(run["guidance"]),
    }
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds([[run["prompt_embeds"], options]], [[run["prompt_embeds"], options]])
    schedule = schedule_of(info)
    chosen = torch.zeros(1, 64, dtype=torch.bool)
    chosen[0, run["indices_2x_sorted"].long()] = True
    layout = Layout(chosen.reshape(1, *GRID))
    noise = run["init_unpacked"]
    stages = GuiderStages(
        guider=guider,
        sampler=comfy.samplers.sampler_object("euler"),
        conds=guider.original_conds,
        latent=torch.zeros_like(noise),
        mask=None,
        seed=0,
        family=inspect_model(model).family,
        watch=Watch(model),
        plan=schedule,
    )
    seen = {}

    def record(task, start):
        seen[task.stage.number] = stages(task, start)
        return seen[task.stage.number]

    result = run_plan(
        schedule,
        Source.from_noise(noise),
        record,
        lambda end, ratio: layout.fine,
        StoredNoise(run, info, layout),
    )
    torch.testing.assert_close(seen[1].denoised, run["tweedie_x0_unpacked"], atol=1e-4, rtol=0)
    finished = model.model.process_latent_in(result.x)
    worst = (finished - run["final_unpacked"]).abs().max().item()
    assert worst < 1e-4, worst
    print(f"{name}: largest difference of the final latent {worst:.1e}")
