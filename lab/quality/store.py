"""Keeps pictures and their measures between runs, so that a run can stop and go on."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

BATCH = 8


def stamped(folder: Path, made_with: str) -> Path:
    """The folder, which keeps what its first use was made with. ValueError for anything else."""
    stamp = folder / "made_with.txt"
    if not stamp.exists():
        folder.mkdir(parents=True, exist_ok=True)
        stamp.write_text(made_with, encoding="utf-8")
    if stamp.read_text(encoding="utf-8") != made_with:
        raise ValueError(
            f"What is kept must be measured by this judge and decoded by this VAE, got {folder} of "
            "others: set --out, or delete that folder."
        )
    return folder


@dataclass(frozen=True)
class Store:
    """A folder for one model and its weights; every array's rows are pictures in order."""

    folder: Path

    def rows(self, name: str, count: int, make: Callable[[int, int], torch.Tensor]) -> torch.Tensor:
        """The first `count` rows of `name`; `make(start, stop)` computes those that are missing.

        Rows are kept as they are made, a batch at a time.
        """
        path = self.folder / f"{name}.npy"
        have = torch.from_numpy(np.load(path)) if path.exists() else None
        while have is None or len(have) < count:
            start = 0 if have is None else len(have)
            made = make(start, min(count, start - start % BATCH + BATCH))
            have = made if have is None else torch.cat([have, made])
            self._save(path, have)
        return have[:count]

    def _save(self, path: Path, rows: torch.Tensor) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npy")
        np.save(part, rows.numpy())
        os.replace(part, path)


def as_bytes(pictures: torch.Tensor) -> torch.Tensor:
    """(B, H, W, 3) in [0, 1] -> (B, 3, H, W) uint8."""
    return (pictures.clamp(0, 1) * 255).round().to(torch.uint8).movedim(-1, 1).contiguous()


def as_pictures(rows: torch.Tensor) -> torch.Tensor:
    return rows.float() / 255
