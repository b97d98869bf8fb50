"""Small models that templates load beside a network: model patches, vision; inside ComfyUI.

All are of the host's classes, and fit the families' small networks.
"""

from __future__ import annotations

from typing import Any

import comfy.clip_vision
import comfy.model_patcher
import comfy.sd
import torch

from lab.models import tiny
from lab.models.controlnets import FP32

WIDTH = 256  # of the families' small networks
VISION_WIDTH, VISION_SIDE, VISION_PATCH = 32, 28, 14
VISION = {
    "model_type": "siglip_vision_model",
    "hidden_size": VISION_WIDTH,
    "intermediate_size": 64,
    "num_hidden_layers": 27,  # of which styles read the last, the eleventh from it and the first
    "num_attention_heads": 2,
    "hidden_act": "gelu_pytorch_tanh",
    "image_size": VISION_SIDE,
    "patch_size": VISION_PATCH,
    "num_channels": 3,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
    "projection_dim": VISION_WIDTH,
}


def _seeded(network: torch.nn.Module, seed: int) -> torch.nn.Module:
    network.load_state_dict(tiny.seeded(network.state_dict(), seed))
    return network


def _patcher(network: torch.nn.Module) -> Any:
    cpu = torch.device("cpu")
    return comfy.model_patcher.ModelPatcher(network, load_device=cpu, offload_device=cpu)


def load_patch(file: str) -> Any:
    """A MODEL_PATCH of the class that a file of that name holds. ValueError for unknown names."""
    from comfy_extras import nodes_model_patch

    if "uso" in file:
        network = nodes_model_patch.SigLIPMultiFeatProjModel(
            siglip_token_nums=(VISION_SIDE // VISION_PATCH) ** 2,
            style_token_nums=4,
            siglip_token_dims=VISION_WIDTH,
            hidden_size=WIDTH,
            **FP32,
        )
    elif "qwen" in file:
        network = nodes_model_patch.QwenImageBlockWiseControlNet(num_layers=2, dim=WIDTH, **FP32)
    elif "z-image" in file or "z_image" in file:
        from comfy.ldm.lumina.controlnet import ZImage_Control

        heads = {"dim": WIDTH, "n_heads": 2, "n_kv_heads": 2}
        # Since 2.0 they read a mask and a picture to be filled, too.
        newer = {"additional_in_dim": 17, "refiner_control": True} if "2." in file else {}
        network = ZImage_Control(n_control_layers=1, **heads, **newer, **FP32)
    elif "lllite" in file:
        network = _lllite(masked="inpaint" in file)
    else:
        raise ValueError(f"There is no small model patch for {file}: add one here.")
    return _patcher(_seeded(network, seed=8))


def _lllite(masked: bool) -> torch.nn.Module:
    """For Anima, of one block; its class reads its sizes off the weights.

    masked  for inpainting: it reads a mask beside its picture.
    """
    from comfy.ldm.anima.lllite import AnimaLLLite

    inner, read, conditioning = 16, 8, "lllite_conditioning1"
    sizes: dict[str, tuple[int, ...]] = {
        f"{conditioning}.conv1.weight": (read, 3 + masked, 4, 4),
        f"{conditioning}.conv3.weight": (read, read, 4, 4),
        f"{conditioning}.proj.weight": (read, read, 1, 1),
    }
    for place in ("self_attn_q_proj", "cross_attn_q_proj", "mlp_layer1"):
        block = f"lllite_dit_blocks_0_{place}"
        sizes[f"{block}.down.weight"] = (inner, WIDTH)
        sizes[f"{block}.cond_to_film.weight"] = (2 * inner, read)
    weights = {name: torch.empty(size, device="meta") for name, size in sizes.items()}
    return AnimaLLLite(weights, {}, **FP32)


def load_vision() -> tuple[Any, Any]:
    """A CLIP_VISION of SigLIP's class, and a STYLE_MODEL of Redux's for it."""
    from comfy.ldm.flux.redux import ReduxImageEncoder

    vision = comfy.clip_vision.ClipVisionModel(VISION)
    _seeded(vision.model, seed=9)
    redux = ReduxImageEncoder(
        redux_dim=VISION_WIDTH, txt_in_features=tiny.CONTEXT, dtype=torch.float32, device="cpu"
    )
    return vision, comfy.sd.StyleModel(_seeded(redux, seed=10))
