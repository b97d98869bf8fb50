"""What the text encoders cost, and how many text tokens ComfyUI makes."""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from lab.bench.counting import Count, counted

CLIP_TOKENS = 77
PROMPT = "A red fox in the snow at dawn"
PAPER_TOKENS = {"flux1": 512, "sd3": CLIP_TOKENS + 256}


@dataclass(frozen=True)
class Texts:
    """How a family reads a prompt: by T5 and CLIPs.

    tokenizer    module and class of ComfyUI's own.
    clips        ComfyUI's configurations of the CLIPs.
    clip_tokens  of a CLIP that stand before T5's.
    """

    tokenizer: tuple[str, str]
    clips: tuple[str, ...]
    clip_tokens: int = 0


TEXTS = {
    "flux1": Texts(("flux", "FluxTokenizer"), ("sd1_clip_config.json",)),
    "sd3": Texts(
        ("sd3_clip", "SD3Tokenizer"),
        ("sd1_clip_config.json", "clip_config_bigg.json"),
        CLIP_TOKENS,
    ),
}


@lru_cache
def host_tokens(family: str) -> int:
    """Text tokens of a short prompt, from ComfyUI's own tokenizers."""
    texts = TEXTS[family]
    module, name = texts.tokenizer
    tokenizer = getattr(importlib.import_module(f"comfy.text_encoders.{module}"), name)()
    t5 = len(tokenizer.tokenize_with_weights(PROMPT)["t5xxl"][0])
    return texts.clip_tokens + t5


@lru_cache
def encoders(family: str, text_tokens: int) -> Count:
    """FLOPs of encoding one prompt of that many text tokens."""
    texts = TEXTS[family]
    clips = sum((_clip(config) for config in texts.clips), Count())
    return _t5(text_tokens - texts.clip_tokens) + clips


@lru_cache
def t5_attention(family: str, text_tokens: int) -> float:
    """The part of T5's FLOPs that the paper's convention counts, unlike all other attention."""
    return _t5(text_tokens - TEXTS[family].clip_tokens).attention


@lru_cache
def _t5(tokens: int) -> Count:
    from comfy.text_encoders import t5

    model = t5.T5(_config(t5, "t5_config_xxl.json"), **_empty())
    ids = torch.zeros(1, tokens, dtype=torch.long, device="meta")
    return counted(model, ids, None, dtype=torch.bfloat16)[1]


@lru_cache
def _clip(config: str) -> Count:
    import comfy.clip_model

    model = comfy.clip_model.CLIPTextModel(_config(comfy.clip_model, config), **_empty())
    ids = torch.zeros(1, CLIP_TOKENS, dtype=torch.long, device="meta")
    return counted(model, ids, dtype=torch.bfloat16)[1]


def _config(module: Any, name: str) -> dict:
    return json.loads((Path(module.__file__).parent / name).read_text(encoding="utf-8"))


def _empty() -> dict[str, Any]:
    import comfy.ops

    return {"dtype": torch.bfloat16, "device": "meta", "operations": comfy.ops.manual_cast}
