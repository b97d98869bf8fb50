"""Short ways to sample with the real host, plain or through the pack."""

from __future__ import annotations

import comfy.patcher_extension
import comfy.samplers
import torch
from comfy_extras.nodes_custom_sampler import Noise_RandomNoise

from lab.models import tiny
from ralu_pack.nodes.host.families.inspect import inspect_model
from ralu_pack.nodes.host.sampling.mixed_call import MixedCall
from ralu_pack.nodes.sampler import Sampler
from ralu_pack.nodes.sampler_advanced import SamplerAdvanced
from ralu_pack.ralu_core import plans
from ralu_pack.ralu_core.latents.frame import Frame
from ralu_pack.ralu_core.latents.layout import Layout
from ralu_pack.ralu_core.latents.packing import Packing

SIGMAS = torch.tensor([1.0, 0.8, 0.5, 0.0])
SHIFT = {"Flux": 3.158193, "SD3": 3.0}
QKV = {
    "Flux": "diffusion_model.double_blocks.0.img_attn.qkv",
    "SD3": "diffusion_model.joint_blocks.0.x_block.attn.qkv",
}


def family(model) -> str:
    return type(model.model).__name__


def quick_schedule(
    model_shift: float = 3.158193, ratio: float = 0.3, steps: tuple[int, ...] = (2, 2, 2)
) -> plans.Plan:
    """Two steps per stage: enough to pass every seam."""
    shifts = (4.4, 2.1, 2.0)
    return plans.ralu(steps, (0.7, 0.55, 0.0), shifts, 4.0, ratio, model_shift)


def schedule_for(model, ratio: float = 0.3, steps: tuple[int, ...] = (2, 2, 2)) -> plans.Plan:
    return quick_schedule(SHIFT[family(model)], ratio, steps)


def short_plan(model, size=(256, 256)) -> plans.Plan:
    """Five steps in three stages, for a MODEL of any family."""
    facts = inspect_model(model)
    shift = facts.shift_for(Frame.of_picture(*size, facts.space), None)
    return plans.ralu((1, 2, 2), (0.7, 0.55, 0.0), (4.4, 2.1, 2.0), 4.0, 0.3, shift)


def guider_for(model, cfg: float = 1.0, batch: int = 1) -> comfy.samplers.CFGGuider:
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(tiny.conditioning(5, batch), tiny.conditioning(6, batch))
    guider.set_cfg(cfg)
    return guider


def mixed_call(model, layout: Layout) -> MixedCall:
    return MixedCall(Packing.parts(layout), inspect_model(model).family)


def plain(model, x, layout=None, cfg=1.0, sampler="euler", batch=1, sigmas=SIGMAS, **options):
    """Three plain steps from noise x; with a layout, each through the packed call."""
    guider = guider_for(model if layout is None else model.clone(), cfg, batch)
    if layout is not None:
        kind = comfy.patcher_extension.WrappersMP.APPLY_MODEL
        call = mixed_call(model, layout)
        guider.model_patcher.add_wrapper_with_key(kind, "test", call)
    return guider.sample(
        x,
        torch.zeros_like(x),
        comfy.samplers.sampler_object(sampler),
        sigmas,
        disable_pbar=True,
        seed=0,
        **options,
    )


def ralu(model, vae, size=(256, 256), batch=1, seed=7, cfg=1.0, latent=None, **options):
    """The RALU Sampler node's outputs: samples of the host and edge mask (B, H, W)."""
    space = inspect_model(model).space
    sides = (side // space.host_pixels for side in size)
    empty = {"samples": torch.zeros(batch, space.host_channels, *sides)}
    settings = {"schedule": quick_schedule(), "sampler_name": "euler", "denoise": 1.0, **options}
    out = Sampler.execute(
        model=model,
        positive=settings.pop("positive", None) or tiny.conditioning(5),
        negative=settings.pop("negative", None) or tiny.conditioning(6),
        latent_image=latent or empty,
        seed=seed,
        cfg=cfg,
        vae=vae,
        **settings,
    )
    return out.args[0]["samples"], out.args[1]


def advanced(model, **changes):
    """RALU Sampler (Advanced) without a VAE; `changes` are to its inputs."""
    wires = {
        "noise": Noise_RandomNoise(7),
        "guider": guider_for(model),
        "sampler": comfy.samplers.sampler_object("euler"),
        "latent_image": {"samples": torch.zeros(1, 16, 32, 32)},
        "denoise": 1.0,
        "schedule": quick_schedule(),
        "edge_detector": "latent_gradient",
    }
    return SamplerAdvanced.execute(**{**wires, **changes})


def sample(model, vae, schedule=None, **options) -> torch.Tensor:
    """The RALU Sampler's samples, with the quick schedule of the MODEL's family unless given."""
    return ralu(model, vae, schedule=schedule or schedule_for(model), **options)[0]


def lora(model, seed=60, scale=1.0) -> dict:
    """A rank-4 LoRA of one attention's weights, in the format that core loads."""
    name = QKV[family(model)]
    out_width, in_width = model.model.state_dict()[f"{name}.weight"].shape
    generator = torch.Generator().manual_seed(seed)
    return {
        f"{name}.lora_up.weight": scale * torch.randn(out_width, 4, generator=generator),
        f"{name}.lora_down.weight": torch.randn(4, in_width, generator=generator) / 8,
    }


class Calls:
    """Counts the rows of tokens that pass the network's first block."""

    def __init__(self, model):
        network = model.model.diffusion_model
        blocks = (
            network.double_blocks if hasattr(network, "double_blocks") else network.joint_blocks
        )
        self.tokens: list[int] = []
        self.handle = blocks[0].register_forward_pre_hook(self._note, with_kwargs=True)

    def _note(self, _module, args, kwargs):
        self.tokens.append(kwargs["img"].shape[1] if "img" in kwargs else args[1].shape[1])

    def per_stage(self, schedule: plans.Plan) -> list[int]:
        return [self.tokens.count(n) for n in schedule.tokens(16, 16)]
