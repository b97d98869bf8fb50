"""How the host lets other code replace a network's blocks, and the tokens that pass them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

import torch

from ..families.blocks import BlockKey
from ..families.views import OVERRIDE


def replaced(transformer_options: dict, hooks: dict[BlockKey, Any]) -> dict:
    """Options with these block replacements; the caller's own are left as they are."""
    patches = transformer_options.get("patches_replace", {})
    dit = {**patches.get("dit", {}), **hooks}
    return {**transformer_options, "patches_replace": {**patches, "dit": dit}}


def run_block(previous: Callable | None, args: dict, extra: dict) -> dict:
    """A block as it would run without us: another node's replacement, or the network's own."""
    return extra["original_block"](args) if previous is None else previous(args, extra)


def guidance_kind(transformer_options: dict) -> Hashable:
    """What tells guidance calls of one prompt apart: skipped layers, perturbed attention.

    Functions are known by their code, because some nodes make them anew at every step.
    """
    dit = transformer_options.get("patches_replace", {}).get("dit", {})
    patches = transformer_options.get("patches", {})
    override = transformer_options.get(OVERRIDE)
    return (
        frozenset((key, _code(function)) for key, function in dit.items()),
        frozenset((key, tuple(map(_code, functions))) for key, functions in patches.items()),
        _code(override),
    )


def _code(function: Any) -> Hashable:
    return getattr(function, "__code__", type(function))


@dataclass(frozen=True)
class Span:
    """Which tokens are kept between the first and the last block of a range.

    Flux's double blocks have text and picture apart, its single blocks have them joined, text
    first. SD3's joint blocks are as double ones; the last drops the text.
    text  whether text tokens are kept as well: no block after the range reads them otherwise.
    """

    text: bool

    def read(self, args: dict) -> torch.Tensor:
        """(B, n, C) the kept tokens before the first block."""
        if "txt" not in args:
            return args["img"]
        return torch.cat((args["txt"], args["img"]), 1) if self.text else args["img"]

    def read_out(self, out: dict, count: int) -> torch.Tensor:
        """The same tokens after the last block; `count` of them."""
        if self.text and out.get("txt") is not None:
            return torch.cat((out["txt"], out["img"]), 1)
        return out["img"][:, -count:]

    def write(self, out: dict, tokens: torch.Tensor) -> dict:
        """What the last block returns, with these tokens in it."""
        img, count = out["img"], tokens.shape[1]
        if self.text and out.get("txt") is not None:
            text = out["txt"].shape[1]
            return {**out, "txt": tokens[:, :text], "img": tokens[:, text:]}
        if count == img.shape[1]:
            return {**out, "img": tokens}
        return {**out, "img": torch.cat((img[:, :-count], tokens), 1)}


def joined(parts: list[torch.Tensor]) -> torch.Tensor:
    """Rows one after the other."""
    return parts[0] if len(parts) == 1 else torch.cat(parts)
