"""Build what is measured, where the device has room for it."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import replace

import torch

from lab.bench.runs import Subject
from lab.comfy import ralu_pack
from lab.models import tiny
from lab.models.blueprint import Blueprint, random_model
from lab.models.vaes import random_vae

GIGABYTE = 10**9


def build(model: Blueprint, device: torch.device) -> Subject:
    """A model with random weights on the device; the VAE is full-size on a GPU, tiny on a CPU."""
    space = ralu_pack.table.family_named(model.family).space
    patcher = random_model(model, device)
    on_gpu = device.type == "cuda"
    vae = random_vae(space, device) if on_gpu else tiny.load_vae(tiny.vae_weights(space))
    return Subject.of(model, patcher, vae)


def build_tiny(model: Blueprint) -> Subject:
    """On the CPU the tiny network of a model's family in its place."""
    family = ralu_pack.table.family_named(model.family)
    patcher = tiny.load_model(tiny.family_weights(family), family)
    small = replace(
        model,
        name=f"{model.name}, tiny",
        called={name: (tiny.POOLED,) if width else () for name, width in model.called.items()},
        text=tiny.CONTEXT,
    )
    return Subject.of(small, patcher, tiny.load_vae(tiny.vae_weights(family.space)))


def build_with_room(
    model: Blueprint, device: torch.device, sizes: Sequence[tuple[int, int]]
) -> Subject:
    """What is measured on the device: `build`, or on a CPU `build_tiny`.

    ValueError where this ComfyUI has no such model, or the device no room for its pictures.
    """
    family = ralu_pack.table.family_named(model.family)
    if not family.is_known:
        raise ValueError(f"This ComfyUI has no {family.short}: use a newer one for {model.name}.")
    if device.type != "cuda":
        return build_tiny(model)
    free = free_memory(device)
    try:
        subject = build(model, device)
    except torch.OutOfMemoryError as error:
        raise ValueError(
            f"The weights of {model.name} do not fit into the {free / GIGABYTE:.1f} GB that are "
            "free on the device: close what else uses it, or choose other --models."
        ) from error
    check_memory(subject, sizes, torch.cuda.mem_get_info(device)[0])
    return subject


def check_memory(subject: Subject, sizes: Sequence[tuple[int, int]], free: int) -> None:
    """Refuse sizes at which the host, by its own estimates, would decode in tiles or move weights.

    free  bytes of device memory beside the model's weights.
    """
    for width, height in sizes:
        shape = subject.empty_latent(width, height).shape
        needed = max(
            subject.vae.memory_used_decode(shape, subject.vae.vae_dtype),
            subject.patcher.model.memory_required([subject.model.rows, *shape[1:]]),
        )
        if needed > free:
            raise ValueError(
                f"{subject.model.name} at {width}x{height} needs {needed / GIGABYTE:.1f} GB of "
                f"device memory beside its weights, and {free / GIGABYTE:.1f} GB are free: choose "
                "smaller --sizes, or other --models."
            )


def free_memory(device: torch.device) -> int:
    """Let go of all models that nobody holds, and tell how many bytes are free on the device."""
    import comfy.model_management

    comfy.model_management.unload_all_models()
    gc.collect()
    comfy.model_management.soft_empty_cache(True)
    return torch.cuda.mem_get_info(device)[0]
