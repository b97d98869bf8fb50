"""Networks that carry text and picture in two streams: Flux's and SD3's relatives."""

from __future__ import annotations

import dataclasses
from typing import Any

from comfy.ldm.chroma import model as chroma

from lab.models.networks.network import Network

TABLE = 192  # side of SD3 Medium's table, in tokens
FLUX_BLOCKS = {
    "context_in_dim": 64,
    "hidden_size": 256,
    "num_heads": 2,
    "depth": 1,
    "depth_single_blocks": 1,
}
# Of Chroma, what ComfyUI 0.3.75 does not ask for yet.
NEWER = {"txt_ids_dims": [], "vec_in_dim": None}
NEWER = {f.name: NEWER[f.name] for f in dataclasses.fields(chroma.ChromaParams) if f.name in NEWER}


def _flux(newer: list[int], **config: Any):
    """newer  the `txt_ids_dims` of hosts that ask for them."""
    from comfy.ldm.flux.model import Flux, FluxParams

    known = {field.name for field in dataclasses.fields(FluxParams)}
    asked = {"txt_ids_dims": newer} if "txt_ids_dims" in known else {}
    return Flux(**FLUX_BLOCKS, **asked, **config)


def _flux1(guidance: bool = True, in_channels: int = 16, **factory: Any):
    """guidance: dev, else schnell; in_channels 96: Fill."""
    return _flux(
        [],
        in_channels=in_channels,
        out_channels=16,
        patch_size=2,
        vec_in_dim=32,
        mlp_ratio=4.0,
        axes_dim=[16, 56, 56],
        theta=10000,
        qkv_bias=True,
        guidance_embed=guidance,
        **factory,
    )


def _flux2(guidance: bool = True, **factory: Any):
    """guidance: dev, else klein."""
    return _flux(
        [3],
        in_channels=128,
        out_channels=128,
        patch_size=1,
        vec_in_dim=None,
        mlp_ratio=3.0,
        axes_dim=[32, 32, 32, 32],
        theta=2000,
        qkv_bias=False,
        guidance_embed=guidance,
        global_modulation=True,
        mlp_silu_act=True,
        ops_bias=False,
        default_ref_method="index",
        ref_index_scale=10.0,
        **factory,
    )


def _longcat(**config: Any):
    from comfy.ldm.flux.model import Flux

    return Flux(**config)


def _chroma(**config: Any):
    return chroma.Chroma(**config)


def _sd3(depth: int = 2, dual_attention: bool = False, **factory: Any):
    """depth blocks of width 64 * depth; dual attention makes an SD3.5 Medium."""
    from comfy.ldm.modules.diffusionmodules.mmdit import OpenAISignatureMMDITWrapper

    return OpenAISignatureMMDITWrapper(
        input_size=None,  # pyright: ignore[reportArgumentType] -- as ComfyUI itself passes it
        patch_size=2,
        in_channels=16,
        depth=depth,
        adm_in_channels=32,
        context_embedder_config={
            "target": "torch.nn.Linear",
            "params": {"in_features": 64, "out_features": 64 * depth},
        },
        num_patches=TABLE**2,
        pos_embed_max_size=TABLE,
        pos_embed_scaling_factor=None,
        qk_norm="rms" if dual_attention else None,
        x_block_self_attn_layers=[0] if dual_attention else [],
        **factory,
    )


def _qwen_image(**config: Any):
    from comfy.ldm.qwen_image.model import QwenImageTransformer2DModel

    return QwenImageTransformer2DModel(num_layers=2, **config)


def _mage_flow(**config: Any):
    from comfy.ldm.mage_flow.model import MageFlowTransformer2DModel

    return MageFlowTransformer2DModel(**config)


FLUX1, FLUX2, SD3 = Network(_flux1), Network(_flux2), Network(_sd3)
CHROMA = Network(
    _chroma,
    {
        **FLUX_BLOCKS,
        "in_channels": 64,
        "out_channels": 64,
        "mlp_ratio": 4.0,
        "axes_dim": [16, 56, 56],
        "theta": 10000,
        "patch_size": 2,
        "qkv_bias": True,
        "in_dim": 64,
        "out_dim": 256,
        "hidden_dim": 64,
        "n_layers": 1,
        **NEWER,
    },
    "Chroma",
)
LONGCAT = Network(
    _longcat,
    {
        **FLUX_BLOCKS,
        "in_channels": 16,
        "out_channels": 16,
        "patch_size": 2,
        "vec_in_dim": None,
        "mlp_ratio": 4.0,
        "axes_dim": [16, 56, 56],
        "theta": 10000,
        "qkv_bias": True,
        "guidance_embed": False,
        "txt_ids_dims": [1, 2],
    },
    "LongCatImage",
)
QWEN_IMAGE = Network(_qwen_image, {"num_attention_heads": 2, "joint_attention_dim": 64})
MAGE_FLOW = Network(
    _mage_flow,
    {"in_channels": 128, "num_layers": 2, "num_attention_heads": 2, "joint_attention_dim": 64},
    "MageFlow",
)
