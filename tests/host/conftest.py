"""Host tests import the real ComfyUI into this process and load the pack as ComfyUI does."""

from __future__ import annotations

from comfyui_fixtures import (
    flux,
    flux_weights,
    inference_mode,
    model,
    pytest_configure,
    sd3,
    sd3_weights,
    vae,
)

__all__ = [
    "flux",
    "flux_weights",
    "inference_mode",
    "model",
    "pytest_configure",
    "sd3",
    "sd3_weights",
    "vae",
]
