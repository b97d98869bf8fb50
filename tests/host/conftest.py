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
from few_cases import pytest_addoption, pytest_collection_modifyitems
from in_core import any_model

__all__ = [
    "any_model",
    "flux",
    "flux_weights",
    "inference_mode",
    "model",
    "pytest_addoption",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "sd3",
    "sd3_weights",
    "vae",
]
