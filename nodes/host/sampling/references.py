"""Reference pictures of edit models: how many tokens they are, and half-size copies of them."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from ....ralu_core.cost import References
from ....ralu_core.latents.space import Space
from .conds import Conds

IN_FULL, POOLED = "full", "pooled at half size"
REFERENCES = (IN_FULL, POOLED)
LATENTS = "reference_latents"  # in an entry, what the host places beside the picture
FRAMES = "time_dim_concat"  # what it places behind it, in no other size


def check_references(references: object) -> None:
    """ValueError for what is none of REFERENCES."""
    if references not in REFERENCES:
        raise ValueError(
            f"The references must be one of {', '.join(REFERENCES)}, got {references!r}."
        )


def check_frames(conds: Conds) -> None:
    """ValueError for pictures that the host joins to the latent as further frames, since a stage of
    another size cannot take them."""
    count = sum(FRAMES in entry for entries in conds.values() for entry in entries)
    if count:
        raise ValueError(
            "RALU's half-size stages cannot read subjects that are joined to the latent, as "
            f"WanPhantomSubjectToVideo does, got them in {count} conditionings: set the quality to "
            "fine, balanced or draft."
        )


def references_of(conds: Conds, space: Space, half: Conds | None = None) -> References:
    """Tokens of the reference pictures of one call.

    half  conds of the half-size stage, where they are others.
    """
    return References(_tokens(conds, space), None if half is None else _tokens(half, space))


def _tokens(conds: Conds, space: Space) -> int:
    side = space.fold / space.patch  # tokens along one of the host's pixels
    counts = [0]
    for entries in conds.values():
        for entry in entries:
            sizes = [latent.shape[-2:] for latent in entry.get(LATENTS) or ()]
            counts.append(sum(math.ceil(h * side) * math.ceil(w * side) for h, w in sizes))
    return max(counts)


def half_conds(references: str, conds: Conds, space: Space) -> Conds | None:
    """Those of stages at half size, by one of REFERENCES; None where they are those of all."""
    return pooled_references(conds, space) if references == POOLED else None


def pooled_references(conds: Conds, space: Space) -> Conds:
    """The conds with reference pictures of half the size, for a half-size stage, which so is what
    the host samples natively at half the size, references and all. Others are shared."""

    def fit(entry: dict) -> dict:
        latents = entry.get(LATENTS)
        if not latents:
            return entry
        return {**entry, LATENTS: [_pooled(latent, space) for latent in latents]}

    return {name: [fit(entry) for entry in entries] for name, entries in conds.items()}


def _pooled(latent: torch.Tensor, space: Space) -> torch.Tensor:
    """Means of 2x2 latent pixels, in the host's form; of an odd side, of windows that overlap."""
    height, width = (space.fold * math.ceil(side / 2) for side in latent.shape[-2:])
    pooled = space.leave(F.adaptive_avg_pool2d(space.enter(latent), (height, width)))
    return pooled.reshape(*latent.shape[:-2], *pooled.shape[-2:])
