"""The host's own text encoders, a few numbers wide, with its real tokenizers."""

from __future__ import annotations

import importlib
from types import SimpleNamespace

import comfy.sd
import pytest
import torch

WIDTH = 32
CLIP = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2}
T5 = {"d_model": WIDTH, "d_ff": 64, "num_heads": 2, "d_kv": 16, "num_layers": 2}
LLAMA = {
    "hidden_size": WIDTH,
    "intermediate_size": 64,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
}
SMALL = {
    "clip_l": {**CLIP, "num_hidden_layers": 3},
    "clip_g": {**CLIP, "num_hidden_layers": 3},
    "t5xxl": T5,
    "qwen25_7b": {**LLAMA, "num_hidden_layers": 2},
    "qwen3_4b": {**LLAMA, "num_hidden_layers": 28},
    "qwen3vl_4b": {**LLAMA, "num_hidden_layers": 36},
}
# A family's file among the host's text encoders, its tokenizer and what makes its encoder.
ENCODERS = {
    "Flux.1": ("flux", "FluxTokenizer", lambda module: module.flux_clip(torch.float32)),
    "SD3": ("sd3_clip", "SD3Tokenizer", lambda module: module.sd3_clip(t5=False)),
    "Chroma": ("pixart_t5", "PixArtTokenizer", lambda module: module.pixart_te(torch.float32)),
    "Flux.2 klein": ("flux", "KleinTokenizer", lambda module: module.klein_te()),
    "Qwen-Image": ("qwen_image", "QwenImageTokenizer", lambda module: module.te()),
    "Krea 2": ("krea2", "Krea2Tokenizer", lambda module: module.te()),
    "LongCat": ("longcat_image", "LongCatImageTokenizer", lambda module: module.te()),
    "Mage-Flow": ("mage_flow", "MageFlowTokenizer", lambda module: module.te()),
}


def small_clip(family: str) -> comfy.sd.CLIP:
    """A CLIP whose words all have vectors of their own; skips where this ComfyUI has no such."""
    file, tokenizer, make = ENCODERS[family]
    try:
        module = importlib.import_module(f"comfy.text_encoders.{file}")
        target = SimpleNamespace(clip=make(module), tokenizer=getattr(module, tokenizer), params={})
    except (ImportError, AttributeError):
        pytest.skip(f"this ComfyUI has no text encoder of {family}")
    options = {f"{name}_model_config": some for name, some in SMALL.items()}
    clip = comfy.sd.CLIP(target, model_options={**options, "dtype": torch.float32})
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in clip.cond_stage_model.named_parameters():
            if "visual" not in name:
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.3)
    return clip
