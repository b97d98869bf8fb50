"""The published networks of every family, built by ComfyUI's classes at their real size.

Each row names a model, what its own template in ComfyUI samples it with, and the preset that the
pack recommends for it.
"""

from __future__ import annotations

from typing import Any

from lab.models.blueprint import (
    FEW,
    FIVE,
    FLUX,
    FOUR,
    SD3,
    TURBO,
    Blueprint,
    flux_config,
    sd3_config,
)


def _flux2(depth: int, single: int, width: int, context: int, guidance: bool) -> dict[str, Any]:
    channels = {"in_channels": 128, "out_channels": 128, "patch_size": 1, "vec_in_dim": None}
    axes = {"axes_dim": [32] * 4, "theta": 2000, "txt_ids_dims": [3]}
    blocks = {"global_modulation": True, "mlp_silu_act": True, "ops_bias": False}
    more = {**channels, **axes, **blocks, "mlp_ratio": 3.0, "qkv_bias": False}
    return flux_config(depth, single, width, context, **more, guidance_embed=guidance)


_NEXT = {"in_channels": 16, "n_refiner_layers": 2, "qk_norm": True}
_LUMINA = {**_NEXT, "dim": 2304, "n_layers": 26, "n_heads": 24, "n_kv_heads": 8}
_LUMINA |= {"cap_feat_dim": 2304, "axes_dims": [32, 32, 32], "axes_lens": [300, 512, 512]}
_Z_IMAGE = {**_NEXT, "dim": 3840, "n_layers": 30, "n_heads": 30, "n_kv_heads": 30}
_Z_IMAGE |= {"cap_feat_dim": 2560, "axes_dims": [32, 48, 48], "axes_lens": [1536, 512, 512]}
_Z_IMAGE |= {"rope_theta": 256.0, "ffn_dim_multiplier": 8 / 3, "z_image_modulation": True}
_Z_IMAGE |= {"time_scale": 1000.0, "pad_tokens_multiple": 32}
_ANIMA = {"max_img_h": 240, "max_img_w": 240, "max_frames": 128, "in_channels": 16}
_ANIMA |= {"out_channels": 16, "patch_spatial": 2, "patch_temporal": 1, "model_channels": 2048}
_ANIMA |= {"num_blocks": 28, "num_heads": 16, "crossattn_emb_channels": 1024}
_ANIMA |= {"pos_emb_cls": "rope3d", "pos_emb_learnable": True, "use_adaln_lora": True}
_ANIMA |= {"rope_h_extrapolation_ratio": 4.0, "rope_w_extrapolation_ratio": 4.0}
_CHROMA = {key: flux_config(19, 38, 3072, 4096)[key] for key in ("mlp_ratio", "axes_dim", "theta")}
_CHROMA |= {"in_channels": 64, "out_channels": 64, "context_in_dim": 4096, "hidden_size": 3072}
_CHROMA |= {"num_heads": 24, "depth": 19, "depth_single_blocks": 38, "patch_size": 2}
_CHROMA |= {"qkv_bias": True, "in_dim": 64, "out_dim": 3072, "hidden_dim": 5120, "n_layers": 5}
_CHROMA |= {"txt_ids_dims": [], "vec_in_dim": None}
_KANDINSKY = {"model_dim": 2560, "ff_dim": 10240, "time_dim": 512, "visual_embed_dim": 64}
_KANDINSKY |= {"num_visual_blocks": 50, "axes_dims": (32, 48, 48)}
_KANDINSKY |= {"rope_scale_factor": (1.0, 1.0, 1.0)}
_WAN = {"model_type": "t2v", "dim": 5120, "ffn_dim": 13824, "num_heads": 40, "num_layers": 40}
_LONGCAT = flux_config(10, 20, 3072, 3584, vec_in_dim=None, txt_ids_dims=[1, 2])
_FLUX2 = _flux2(8, 48, 6144, 15360, True)
_KLEIN_9B, _KLEIN_4B = _flux2(8, 24, 4096, 12288, False), _flux2(5, 20, 3072, 7680, False)
QWEN = "comfy.ldm.qwen_image.model:QwenImageTransformer2DModel"
NEXT, KREA = "comfy.ldm.lumina.model:NextDiT", "comfy.ldm.krea2.model:SingleStreamDiT"
MAGE = "comfy.ldm.mage_flow.model:MageFlowTransformer2DModel"
ERNIE = "comfy.ldm.ernie.model:ErnieImageModel"
_POOLED, _GUIDED = {"y": (768,)}, {"guidance": ()}

MODELS = (
    Blueprint(
        "FLUX.1-dev", "flux1", FLUX, 20, 1, FIVE,
        flux_config(19, 38, 3072, 4096, guidance_embed=True), {**_POOLED, **_GUIDED},
    ),
    Blueprint("FLUX.1-schnell", "flux1", FLUX, 4, 1, FEW, flux_config(19, 38, 3072, 4096), _POOLED),
    Blueprint("SD3 Medium", "sd3", SD3, 20, 4, "SD3 2x", sd3_config(24), {"y": (2048,)}),
    Blueprint("SD3.5 Large", "sd3", SD3, 20, 4, "SD3 2x", sd3_config(38, rms=True), {"y": (2048,)}),
    Blueprint("Flux.2 dev", "flux2", FLUX, 20, 1, FOUR, _FLUX2, _GUIDED),
    Blueprint(
        "Flux.2 dev, one picture", "flux2", FLUX, 20, 1, FOUR, _FLUX2, _GUIDED, references=1
    ),
    Blueprint("Flux.2 klein base 9B", "flux2", FLUX, 20, 5, FOUR, _KLEIN_9B),
    Blueprint("Flux.2 klein base 4B", "flux2", FLUX, 20, 5, FOUR, _KLEIN_4B),
    Blueprint("Flux.2 klein 9B", "flux2", FLUX, 4, 1, FEW, _KLEIN_9B),
    Blueprint("Qwen-Image", "qwen_image", QWEN, 20, 4, FIVE),
    Blueprint("Qwen-Image 2512", "qwen_image", QWEN, 50, 4, FIVE),
    Blueprint("Qwen-Image-Edit 2511, one picture", "qwen_image", QWEN, 40, 4, FIVE, references=1),
    Blueprint("Z-Image", "z_image", NEXT, 25, 4, FIVE, _Z_IMAGE),
    Blueprint("Z-Image-Turbo", "z_image", NEXT, 8, 1, TURBO, _Z_IMAGE),
    Blueprint("Lumina Image 2.0", "lumina2", NEXT, 30, 4, FIVE, _LUMINA),
    Blueprint("Krea 2 Turbo", "krea2", KREA, 8, 1, TURBO),
    Blueprint("Anima", "anima", "comfy.ldm.anima.model:Anima", 30, 4, FIVE, _ANIMA, text=1024),
    Blueprint("Chroma", "chroma", "comfy.ldm.chroma.model:Chroma", 26, 3.5, FIVE, _CHROMA, _GUIDED),
    Blueprint("LongCat-Image", "longcat", FLUX, 20, 4, FIVE, _LONGCAT),
    Blueprint("Mage-Flow", "mage_flow", MAGE, 30, 5, FIVE),
    Blueprint("Ernie-Image", "ernie", ERNIE, 20, 4, FOUR),
    Blueprint(
        "Kandinsky 5 Image Lite", "kandinsky5", "comfy.ldm.kandinsky5.model:Kandinsky5", 50, 3.5,
        FIVE, _KANDINSKY, {"y": (768,)},
    ),
    Blueprint("Wan 2.1 14B, one frame", "wan", "comfy.ldm.wan.model:WanModel", 20, 4, FOUR, _WAN),
)  # fmt: skip
