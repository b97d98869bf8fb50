"""Where enlargers are saved: a safetensors file for each VAE, found again by its weights."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import folder_paths
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ....ralu_core.growth.enlarger import Enlarger
from ....ralu_core.growth.enlarger_fit import Fitted

FOLDER = "ralu_enlargers"  # in ComfyUI's models folder, or as extra_model_paths.yaml names it
SUFFIX = ".safetensors"

log = logging.getLogger(__name__)


def folders() -> list[Path]:
    """Where files are looked for; new ones go into the first."""
    known = folder_paths.folder_names_and_paths.get(FOLDER)
    return [Path(path) for path in known[0]] if known else [Path(folder_paths.models_dir) / FOLDER]


def fingerprint(vae: Any) -> str | None:
    """A VAE by its weights, the same in float32 and bfloat16; None where they are not to be read.
    Float16 rounds otherwise, so that a VAE in it counts as another."""
    if not hasattr(vae, "get_sd"):
        return None
    weights: Mapping[str, torch.Tensor] = vae.get_sd()
    digest = hashlib.sha256()
    for name in sorted(weights):
        rounded = weights[name].detach().to("cpu", torch.bfloat16).flatten().contiguous()
        digest.update(f"{name} {tuple(weights[name].shape)}\n".encode())
        digest.update(rounded.view(torch.uint8).numpy().data)
    return digest.hexdigest()[:32]


def saved_for(vae: Any) -> Enlarger | None:
    """The enlarger that was fitted for this VAE, if any. ValueError for a file that holds none."""
    name = fingerprint(vae)
    found = (folder / f"{name}{SUFFIX}" for folder in folders())
    path = next((path for path in found if name and path.is_file()), None)
    if path is None:
        return None
    try:
        return Enlarger.of_tensors(load_file(path))
    except (OSError, SafetensorError, ValueError) as error:
        raise ValueError(
            f"The enlarger of this VAE cannot be read from {path} ({error}): delete that file, and "
            "fit anew."
        ) from error


def save(vae: Any, fitted: Fitted) -> Path | None:
    """Write an enlarger for this VAE in place of the one before; None where nothing can be written,
    which the log tells."""
    name = fingerprint(vae)
    if name is None:
        log.warning("RALU: this VAE's weights cannot be read, so no enlarger is saved for it.")
        return None
    path = folders()[0] / f"{name}{SUFFIX}"
    facts = {f"wrong {reading}": f"{share:.4f}" for reading, share in fitted.wrong.items()}
    unfinished = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(
            fitted.enlarger.tensors(), unfinished, {**facts, "pictures": str(fitted.pictures)}
        )
        unfinished.replace(path)
    except (OSError, SafetensorError) as error:
        log.warning("RALU: the enlarger was not saved, as %s cannot be written: %s.", path, error)
        with contextlib.suppress(OSError):
            unfinished.unlink()
        return None
    return path


def known_files() -> list[str]:
    """Names and times of all that are saved: others after every fit."""
    paths = (path for folder in folders() for path in folder.glob(f"*{SUFFIX}"))
    return sorted(f"{path} {path.stat().st_mtime_ns}" for path in paths)
