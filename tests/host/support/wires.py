"""What users wire into a RALU Sampler, as options of `driving.ralu` for a tiny Flux."""

from __future__ import annotations

import torch
from controls import applied, hint

from lab.models import tiny
from lab.models.controlnets import controlnet

PROMPT = tiny.conditioning(5, guidance=3.5)
SIDE = 32  # of the latent


def picture(seed: int = 9) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, 16, SIDE, SIDE, generator=generator)


def middle() -> torch.Tensor:
    """An inpaint mask in picture pixels."""
    mask = torch.zeros(1, 1, 256, 256)
    mask[..., 64:192, 64:192] = 1
    return mask


def attention_mask() -> dict:
    """As Apply Style Model of a Redux picture makes one: text tokens 3 to 5 count less."""
    tokens = tiny.TEXT_TOKENS + SIDE * SIDE // 4
    bias = torch.zeros(1, tokens, tokens)
    bias[:, tiny.TEXT_TOKENS :, 3:6] = -1
    return {"attention_mask": bias, "attention_mask_img_shape": (SIDE // 2, SIDE // 2)}


def controlled(model, vae) -> dict:
    conds = (PROMPT, PROMPT)
    net = controlnet(model, "flux instantx")
    return {"positive": applied(net, vae, end=0.6, image=hint(size=(256, 256)), conds=conds)[0]}


WIRES = {
    "batch with guidance": lambda model, vae: {"batch": 2, "cfg": 2.0},
    "img2img": lambda model, vae: {"latent": {"samples": picture()}, "denoise": 0.9},
    "inpaint mask": lambda model, vae: {"latent": {"samples": picture(), "noise_mask": middle()}},
    "ControlNet": controlled,
    "Redux": lambda model, vae: {"positive": tiny.with_values(PROMPT, **attention_mask())},
    "Kontext": lambda model, vae: {
        "positive": tiny.with_values(PROMPT, reference_latents=[picture()])
    },
}
