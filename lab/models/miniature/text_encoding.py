"""Prompt -> conditioning of the miniature models, by hashing words. Nothing is trained."""

from __future__ import annotations

import hashlib
import re
from statistics import NormalDist

import torch

WORDS = 8
WIDTH = 64


def word_vector(word: str) -> list[float]:
    """WIDTH standard normal numbers that depend on the word alone, on any machine."""
    digest = hashlib.shake_256(word.encode()).digest(4 * WIDTH)
    draws = [int.from_bytes(digest[i : i + 4], "big") for i in range(0, len(digest), 4)]
    return [NormalDist().inv_cdf((n + 0.5) / 2**32) for n in draws]


def encode_prompt(prompt: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Context (WORDS, WIDTH) and pooled vector (WIDTH,) of a prompt.

    Lower-cased words beyond the eighth are dropped, missing ones are zero rows. Each row is the
    word's vector plus half the vector of its place, so that order counts. The pooled vector is
    the sum of the words over the root of their number. The empty prompt is all zeros.
    """
    words = re.findall(r"[a-z0-9]+", prompt.lower())[:WORDS]
    context = torch.zeros(WORDS, WIDTH)
    pooled = torch.zeros(WIDTH)
    for place, word in enumerate(words):
        vector = torch.tensor(word_vector(word))
        context[place] = vector + 0.5 * torch.tensor(word_vector(f"#{place}"))
        pooled += vector / len(words) ** 0.5
    return context, pooled


def encode_prompts(prompts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Contexts (len(prompts), WORDS, WIDTH) and pooled vectors (len(prompts), WIDTH)."""
    contexts, pooled = zip(*map(encode_prompt, prompts), strict=True)
    return torch.stack(contexts), torch.stack(pooled)
