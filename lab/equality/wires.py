"""What users connect to a sampler: prompts, masks, pictures, ControlNets, patched models.

A wire takes the bench and the MODEL and returns inputs of the sampler nodes.
"""

from __future__ import annotations

from typing import Any

import comfy.hooks
import comfy.sd
import torch
from comfy_extras.nodes_controlnet import ControlNetInpaintingAliMamaApply, SetUnionControlNetType

from lab.models import tiny

from .bench import FLUX, SIZE, Bench, Wire, core, family, made_by, prompt

PIXELS = (8 * SIZE[0], 8 * SIZE[1])
QKV = {
    "Flux": "diffusion_model.double_blocks.0.img_attn.qkv",
    "SD3": "diffusion_model.joint_blocks.0.x_block.attn.qkv",
}


def picture(seed: int = 9, batch: int = 1, size: tuple[int, int] = SIZE) -> torch.Tensor:
    """A latent to start from."""
    return torch.randn(batch, 16, *size, generator=torch.Generator().manual_seed(seed))


def photo(seed: int = 21, size: tuple[int, int] = PIXELS, batch: int = 1) -> torch.Tensor:
    """An IMAGE with edges: bright squares on noise."""
    made = 0.3 * torch.rand(batch, *size, 3, generator=torch.Generator().manual_seed(seed))
    made[:, size[0] // 4 : size[0] // 2, size[1] // 8 : size[1] // 3] += 0.6
    made[:, size[0] // 2 :, size[1] // 2 : 3 * size[1] // 4, 1] += 0.5
    return made


def square(size: tuple[int, int] = PIXELS, inside: float = 1.0, outside: float = 0.0):
    """A mask whose middle is sampled, in picture pixels."""
    mask = torch.full((1, *size), outside)
    mask[:, size[0] // 4 : 3 * size[0] // 4, size[1] // 4 : 3 * size[1] // 4] = inside
    return mask


def ramp(size: tuple[int, int] = PIXELS) -> torch.Tensor:
    return torch.linspace(0, 1, size[1]).expand(1, *size)


def painted(batch: int = 2, size: tuple[int, int] = PIXELS) -> torch.Tensor:
    """A region mask under which every picture has another number of tokens."""
    masks = torch.zeros(batch, *size)
    for i in range(batch):
        masks[i, : size[0] * (batch - 1 - i) // batch] = 1
    return masks


def kind_of(model: Any) -> str:
    return type(model.model).__name__.lower()


def controlled(
    kind: str,
    strength: float = 1.0,
    start: float = 0.0,
    end: float = 1.0,
    chained: bool = False,
    negative: bool = True,
    union: str | None = None,
    size: tuple[int, int] = PIXELS,
) -> Wire:
    """A ControlNet from core's Apply ControlNet node, on both prompts unless told otherwise."""

    def wire(bench: Bench, model: Any) -> dict[str, Any]:
        conds = (prompt(kind_of(model)), prompt(kind_of(model), 6))
        for number in range(2 if chained else 1):
            net = bench.controlnet(model, kind, 11 + number)
            if union is not None:
                (net,) = made_by(SetUnionControlNetType, net, union)
            apply = core().ControlNetApplyAdvanced().apply_controlnet
            hint = photo(21 + number, size)
            conds = apply(*conds, net, hint, strength, start, end, bench.vae)
        found = {"positive": conds[0], "negative": conds[1]}
        return found if negative else {"positive": conds[0]}

    return wire


def inpainting_control(bench: Bench, model: Any) -> dict[str, Any]:
    net = bench.controlnet(model, "flux inpainting")
    conds = (prompt(), prompt(FLUX, 6))
    made = made_by(
        ControlNetInpaintingAliMamaApply, *conds, net, bench.vae, photo(), square(), 1.0, 0.0, 1.0
    )
    return {"positive": made[0], "negative": made[1]}


def concat(mask: bool, size: tuple[int, int] = SIZE) -> Wire:
    """A picture beside the latent: of Fill with its mask, of a depth model without."""

    def wire(bench: Bench, model: Any) -> dict[str, Any]:
        values: dict[str, Any] = {"concat_latent_image": picture(30, size=size)}
        if mask:
            values["concat_mask"] = square((8 * size[0], 8 * size[1]))[None]
        conds = {"positive": prompt(), "negative": prompt(FLUX, 6)}
        return {name: tiny.with_values(cond, **values) for name, cond in conds.items()}

    return wire


def fill_inpainting(bench: Bench, model: Any) -> dict[str, Any]:
    latent = {"samples": picture(30), "noise_mask": square()[None]}
    return {**concat(True)(bench, model), "latent_image": latent}


def redux(strength: float = 0.3, size: tuple[int, int] = (SIZE[0] // 2, SIZE[1] // 2)) -> Wire:
    """An attention bias as core's Apply Style Model makes it."""

    def wire(bench: Bench, model: Any) -> dict[str, Any]:
        texts, places = tiny.TEXT_TOKENS, size[0] * size[1]
        bias = torch.zeros(1, texts + places, texts + places)
        place = torch.rand(places, generator=torch.Generator().manual_seed(35))
        bias[:, texts:, 3:6] = (strength * place)[:, None].log()
        bias[:, 3:6, texts:] = (strength * place).log()
        values = {"attention_mask": bias, "attention_mask_img_shape": size}
        return {"positive": tiny.with_values(prompt(), **values)}

    return wire


def kontext(method: str | None = None, count: int = 1) -> Wire:
    """Reference latents of sizes of their own."""

    def wire(bench: Bench, model: Any) -> dict[str, Any]:
        latents = [picture(34 + i, size=(20 + 4 * i, 16)) for i in range(count)]
        values: dict[str, Any] = {"reference_latents": latents}
        if method is not None:
            values["reference_latents_method"] = method
        conds = {"positive": prompt(), "negative": prompt(FLUX, 6)}
        return {name: tiny.with_values(cond, **values) for name, cond in conds.items()}

    return wire


def by_area(node: str, *values: Any) -> Wire:
    """A second prompt for a part of the picture, set by one of core's area nodes."""

    def wire(bench: Bench, model: Any) -> dict[str, Any]:
        kind = kind_of(model)
        (part,) = made_by(getattr(core(), node), prompt(kind, 7), *values)
        return {"positive": part + prompt(kind, 8)}

    return wire


def by_mask(mask: torch.Tensor, strength: float = 1.0, area: str = "default") -> Wire:
    return by_area("ConditioningSetMask", mask, area, strength)


def by_step(border: float) -> Wire:
    """One prompt early and another late."""

    def wire(bench: Bench, model: Any) -> dict[str, Any]:
        kind = kind_of(model)
        early = tiny.with_values(prompt(kind, 7), start_percent=0.0, end_percent=border)
        late = tiny.with_values(prompt(kind, 8), start_percent=border, end_percent=1.0)
        return {"positive": early + late}

    return wire


def two_prompts(bench: Bench, model: Any) -> dict[str, Any]:
    """Another prompt for each picture of a batch of two."""
    return {"positive": prompt(kind_of(model), 7, batch=2)}


def lora_weights(model: Any, seed: int = 60) -> dict[str, torch.Tensor]:
    name = QKV[type(model.model).__name__]
    rows, columns = model.model.state_dict()[f"{name}.weight"].shape
    generator = torch.Generator().manual_seed(seed)
    return {
        f"{name}.lora_up.weight": torch.randn(rows, 4, generator=generator),
        f"{name}.lora_down.weight": torch.randn(4, columns, generator=generator) / 8,
    }


def lora(bench: Bench, model: Any) -> dict[str, Any]:
    return {"model": comfy.sd.load_lora_for_models(model, None, lora_weights(model), 1.0, 0.0)[0]}


def hooked_lora(bench: Bench, model: Any) -> dict[str, Any]:
    """A LoRA of the positive prompt alone, from the middle of the run on."""
    hooks = comfy.hooks.create_hook_lora(lora_weights(model), 1.0, 0.0)
    frames = comfy.hooks.HookKeyframeGroup()
    frames.add(comfy.hooks.HookKeyframe(strength=0.2, start_percent=0.0))
    frames.add(comfy.hooks.HookKeyframe(strength=1.0, start_percent=0.5))
    hooks.set_keyframes_on_hooks(frames)
    positive = prompt(family(kind_of(model)))
    return {"positive": comfy.hooks.set_hooks_for_conditioning(positive, hooks)}


def patched(node: Any, *values: Any) -> Wire:
    """The MODEL behind one of ComfyUI's patch nodes."""
    return lambda bench, model: {"model": made_by(node, model, *values)[0]}
