"""Networks of videos that also draw stills: Anima, Kandinsky 5 and Wan."""

from __future__ import annotations

from typing import Any

from lab.models.networks.network import Network


def _anima(**config: Any):
    from comfy.ldm.anima.model import Anima

    network = Anima(**config)
    # Prompts of tests are encoded already, and its published size is all that it has.
    network.llm_adapter.embed, network.llm_adapter.blocks = None, network.llm_adapter.blocks[:0]
    return network


def _kandinsky5(**config: Any):
    from comfy.ldm.kandinsky5 import model

    return model.Kandinsky5(**config)


def _wan(**config: Any):
    from comfy.ldm.wan.model import WanModel

    return WanModel(**config)


ANIMA = Network(
    _anima,
    {
        "max_img_h": 240,
        "max_img_w": 240,
        "max_frames": 128,
        "in_channels": 16,
        "out_channels": 16,
        "patch_spatial": 2,
        "patch_temporal": 1,
        "model_channels": 256,
        "num_blocks": 2,
        "num_heads": 2,
        "crossattn_emb_channels": 64,
        "pos_emb_cls": "rope3d",
        "pos_emb_learnable": True,
        "use_adaln_lora": True,
        "adaln_lora_dim": 32,
        "rope_h_extrapolation_ratio": 4.0,
        "rope_w_extrapolation_ratio": 4.0,
        "rope_enable_fps_modulation": False,
    },
    "Anima",
)
KANDINSKY5 = Network(
    _kandinsky5,
    {
        "in_text_dim": 64,
        "in_text_dim2": 32,
        "time_dim": 64,
        "model_dim": 256,
        "ff_dim": 512,
        "visual_embed_dim": 64,
        "num_text_blocks": 1,
        "num_visual_blocks": 2,
        "axes_dims": (32, 48, 48),
        "rope_scale_factor": (1.0, 1.0, 1.0),
    },
    "Kandinsky5Image",
)
WAN = Network(
    _wan,
    {
        "model_type": "t2v",
        "in_dim": 16,
        "out_dim": 16,
        "dim": 256,
        "ffn_dim": 512,
        "text_dim": 64,
        "num_heads": 2,
        "num_layers": 2,
    },
    "WAN21_T2V",
)
