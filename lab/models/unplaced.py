"""Tiny models of the host's classes that no family of the pack runs, with what they read.

Import ComfyUI first (`lab.comfy.activate`). Which of them there are depends on its version.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import comfy.ldm.qwen_image.model
import comfy.model_patcher
import comfy.supported_models
import torch
from comfy.ldm.chroma_radiance.model import ChromaRadianceParams
from comfy.ldm.flux.model import FluxParams
from comfy.ldm.hunyuan_video.model import HunyuanVideoParams

from lab.models import tiny

CPU = torch.device("cpu")


def _asked(params: type, **options: Any) -> dict[str, Any]:
    """Those options that this host's network asks for."""
    asked = {field.name for field in dataclasses.fields(params)}
    return {name: value for name, value in options.items() if name in asked}


def _mask() -> dict[str, Any]:
    return {"attention_mask": torch.ones(1, tiny.TEXT_TOKENS, dtype=torch.long)}


@dataclass(frozen=True)
class Kind:
    """A network and what it reads.

    config  of the network, as the host's detection makes it.
    reads   beside the text.
    made_by the host's class in `comfy.supported_models`, where it is not of the kind's own name.
    """

    config: dict[str, Any]
    reads: Callable[[], dict[str, Any]] = dict
    made_by: str = ""


FLUX = {
    "context_in_dim": tiny.CONTEXT,
    "hidden_size": 128,
    "mlp_ratio": 2.0,
    "num_heads": 1,
    "depth": 1,
    "depth_single_blocks": 1,
    "axes_dim": [16, 56, 56],
    "theta": 10000,
    "qkv_bias": True,
}
OMNIGEN2 = {"num_layers": 1, "num_refiner_layers": 1, "axes_dim_rope": (8, 12, 12)}

LAYERED = "Qwen-Image-Layered"
LAYERS = 3  # with the whole picture, which comes first
# By the name of the host's class, or what else people call a model that has none of its own.
KINDS = {
    "AuraFlow": Kind(
        {
            "max_seq": 32 * 32,
            "cond_seq_dim": tiny.CONTEXT,
            "dim": 128,
            "n_heads": 2,
            "n_layers": 2,
            "n_double_layers": 1,
            "global_conddim": 128,
        }
    ),
    "Boogu": Kind(
        {
            **OMNIGEN2,
            "hidden_size": 32,  # its node for edits makes references of a million pixels each
            "num_attention_heads": 1,
            "num_kv_heads": 1,
            "num_double_stream_layers": 1,
            "instruction_feat_dim": tiny.CONTEXT,
        },
        reads=_mask,
    ),
    "ChromaRadiance": Kind(
        {
            **FLUX,
            "in_channels": 3,
            "out_channels": 3,
            "patch_size": 16,
            "in_dim": 64,
            "out_dim": 128,
            "hidden_dim": 64,
            "n_layers": 1,
            "nerf_hidden_size": 16,
            "nerf_mlp_ratio": 2,
            "nerf_depth": 1,
            "nerf_max_freqs": 4,
            "nerf_tile_size": 512,
            "nerf_final_head_type": "conv",
            "nerf_embedder_dtype": torch.float32,
            **_asked(
                ChromaRadianceParams,
                txt_ids_dims=[],
                vec_in_dim=None,
                use_x0=False,  # with it, the host takes no sides of parts of a token
                use_sequential_txt_ids=False,
            ),
        }
    ),
    "HiDream": Kind(
        {
            "patch_size": 2,
            "in_channels": 16,
            "out_channels": 16,
            "num_layers": 1,
            "num_single_layers": 1,
            "attention_head_dim": 128,
            "num_attention_heads": 2,
            "caption_channels": [tiny.CONTEXT, 64],
            "text_emb_dim": tiny.POOLED,
            "axes_dims_rope": (64, 32, 32),
            "llama_layers": [0, 1],
        },
        reads=lambda: {"conditioning_llama3": torch.ones(1, 2, tiny.TEXT_TOKENS, 64)},
    ),
    "HunyuanImage21": Kind(
        {
            "image_model": "hunyuan_video",
            "in_channels": 64,
            "out_channels": 64,
            "vec_in_dim": None,
            "context_in_dim": tiny.CONTEXT,
            "hidden_size": 128,
            "mlp_ratio": 2.0,
            "num_heads": 2,
            "depth": 1,
            "depth_single_blocks": 1,
            "axes_dim": [32, 32],
            "theta": 256,
            "patch_size": [1, 1],
            "qkv_bias": True,
            "guidance_embed": False,
            "byt5": False,
            "meanflow": False,
            "use_cond_type_embedding": False,
            "vision_in_dim": None,
            **_asked(HunyuanVideoParams, meanflow_sum=False),
        }
    ),
    "Ideogram4": Kind(
        {
            "num_layers": 1,
            "num_attention_heads": 2,
            "attention_head_dim": 32,
            "intermediate_size": 64,
            "adaln_dim": 32,
            "llm_features_dim": tiny.CONTEXT,
            "mrope_section": (6, 5, 5),
        },
        reads=_mask,
    ),
    "JoyImage": Kind(
        {
            "hidden_size": 128,
            "num_attention_heads": 1,
            "num_layers": 1,
            "mlp_width_ratio": 2.0,
            "text_dim": tiny.CONTEXT,
        }
    ),
    "Lens": Kind(
        {
            "num_layers": 1,
            "num_attention_heads": 2,
            "enc_hidden_dim": tiny.CONTEXT // 2,
            "selected_layer_index": (0, 1),
        },
        reads=_mask,
    ),
    "Omnigen2": Kind(
        {
            **OMNIGEN2,
            "hidden_size": 128,
            "num_attention_heads": 4,
            "num_kv_heads": 2,
            "text_feat_dim": tiny.CONTEXT,
        },
        reads=_mask,
    ),
    "Ovis-Image": Kind(
        {
            **FLUX,
            "in_channels": 16,
            "out_channels": 16,
            "patch_size": 2,
            "vec_in_dim": None,
            "guidance_embed": False,
            "txt_ids_dims": [1, 2],
            "yak_mlp": True,
            "txt_norm": True,
        },
        made_by="FluxSchnell",
    ),
    "PixelDiTT2I": Kind(
        {
            "num_groups": 2,
            "hidden_size": 128,
            "pixel_hidden_size": 8,
            "pixel_attn_hidden_size": 64,
            "pixel_num_groups": 2,
            "patch_depth": 1,
            "pixel_depth": 1,
            "txt_embed_dim": tiny.CONTEXT,
            "txt_max_length": 64,
        },
        reads=_mask,
    ),
    LAYERED: Kind(
        {
            "image_model": "qwen_image",
            "in_channels": 64,
            "num_layers": 1,
            "num_attention_heads": 2,
            "joint_attention_dim": tiny.CONTEXT,
            "default_ref_method": "negative_index",
            "use_additional_t_cond": True,
        },
        made_by="QwenImage",
    ),
}


def is_known(name: str) -> bool:
    """Whether this host, of whatever version, has the network."""
    if name == "Ovis-Image":
        return bool(_asked(FluxParams, yak_mlp=True))
    if name == LAYERED:
        network = comfy.ldm.qwen_image.model.QwenImageTransformer2DModel
        return "use_additional_t_cond" in inspect.signature(network).parameters
    return hasattr(comfy.supported_models, name)


def load(name: str, seed: int = 3):
    """A MODEL of seeded weights."""
    made_by = getattr(comfy.supported_models, KINDS[name].made_by or name)
    config = made_by({**KINDS[name].config, "dtype": torch.float32})
    config.unet_config |= KINDS[name].config  # over the published sizes, which some classes add
    model = config.get_model({}, device=CPU)
    network = model.diffusion_model
    network.load_state_dict(tiny.seeded(network.state_dict(), seed))
    return comfy.model_patcher.ModelPatcher(model, load_device=CPU, offload_device=CPU)


def load_vae(model: Any, seed: int = 4):
    """The smallest VAE for a MODEL's latents; for one that samples pixels, the host's of pixels."""
    latents = model.model.latent_format
    if latents.latent_channels == 3:
        return tiny.load_vae({"pixel_space_vae": torch.tensor(1.0)})
    if latents.latent_channels == 128:
        return tiny.load_vae(tiny.flux2_vae_weights(seed))
    if latents.latent_dimensions == 3:
        return tiny.load_vae(tiny.wan_vae_weights(seed))
    return tiny.load_vae(tiny.taesd_weights(seed))


def prompt(name: str, seed: int) -> list:
    """A CONDITIONING with all that the network reads."""
    return tiny.with_values(tiny.conditioning(seed), **KINDS[name].reads())
