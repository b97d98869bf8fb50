"""Encode a prompt as CLIP Text Encode does, and mark which vectors are of words in quotes."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from difflib import SequenceMatcher
from itertools import chain
from typing import Any, NoReturn

import torch

from .marks import LETTERING
from .quotes import without_quoted

Tokens = dict[str, list[list[tuple]]]  # of each text encoder: sections of (token, weight, ...)
HEAVIER = 1.0  # added to the weight of a marked token
WEIGHS_NONE = "this CLIP weighs none"
CHANGED = 0.1  # of a vector's length; what rounding moves lies far below


def encode(clip: Any, prompt: str) -> list:
    """A CONDITIONING. ValueError where the CLIP does not tell which vectors are of which words.

    clip    a CLIP of the host. Without words in quotes it is asked once, as by CLIP Text Encode;
            with some once more.
    """
    tokens = clip.tokenize(prompt)
    conditioning = clip.encode_from_tokens_scheduled(tokens)
    emptied = without_quoted(prompt)
    if emptied == prompt:
        return conditioning
    if not isinstance(tokens, dict):
        _refuse(WEIGHS_NONE)
    marked = _marked(tokens, clip.tokenize(emptied))
    weighed = clip.encode_from_tokens_scheduled(_heavier(tokens, marked))
    return [
        [text, {**options, LETTERING: _marks(text, heavier, tokens, marked)}]
        for (text, options), (heavier, _) in zip(conditioning, weighed, strict=True)
    ]


def _marks(text: torch.Tensor, heavier: torch.Tensor, tokens: Tokens, marked: dict) -> torch.Tensor:
    """(n,) bool. A token's weight scales its own vectors and no other. Encoders that stack layers
    weigh none: there vectors stand for the last tokens, as what is dropped comes first."""
    moved = (heavier - text).norm(dim=-1) > CHANGED * text.norm(dim=-1)
    found = moved.any(0).cpu()
    if not found.any() and len(tokens) == 1:
        (sections,) = marked.values()
        found = torch.tensor(list(chain(*sections)))[-text.shape[1] :]
    if not found.any() or len(found) != text.shape[1]:
        unknown = [name for name, sections in marked.items() if not any(chain(*sections))]
        _refuse(f"its {unknown[0]} has none for these" if unknown else WEIGHS_NONE)
    return found


def _refuse(cause: str) -> NoReturn:
    raise ValueError(
        f"RALU finds words in quotes by the weights of their tokens in the CLIP, and {cause}: "
        "encode with CLIP Text Encode, and paint the lettering as a region_mask."
    )


def _marked(tokens: Tokens, emptied: Tokens) -> dict[str, list[list[bool]]]:
    """Which tokens are gone where the quotes are empty."""
    found = {}
    for name, sections in tokens.items():
        names, left = list(_names(sections)), list(_names(emptied[name]))
        flags = [True] * len(names)
        for start, _, count in SequenceMatcher(None, names, left, False).get_matching_blocks():
            flags[start : start + count] = [False] * count
        found[name] = [[flags.pop(0) for _ in section] for section in sections]
    return found


def _names(sections: list[list[tuple]]) -> Iterator[Hashable]:
    """Tokens to compare; an embedding's vectors are all one name."""
    for section in sections:
        for token, *_ in section:
            yield token if isinstance(token, Hashable) and not torch.is_tensor(token) else ""


def _heavier(tokens: Tokens, marked: dict[str, list[list[bool]]]) -> Tokens:
    return {
        name: [
            [
                (token, weight + HEAVIER * flag, *rest)
                for (token, weight, *rest), flag in zip(section, flags, strict=True)
            ]
            for section, flags in zip(sections, marked[name], strict=True)
        ]
        for name, sections in tokens.items()
    }
