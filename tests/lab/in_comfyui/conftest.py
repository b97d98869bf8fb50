"""The lab's tests that run inside the real ComfyUI, as the host tests do."""

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
