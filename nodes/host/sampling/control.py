"""ControlNets in a run: once per resolution in the mixed stage, and hints that are encoded once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import comfy.controlnet
import comfy.hooks
import torch

from ....ralu_core.latents.packing import Packing
from ....ralu_core.latents.space import Space
from ....ralu_core.latents.tokens import pick
from ..families.residuals import bank_or_tokens, each_residual


class TwoPassControl(comfy.controlnet.ControlBase):
    """Stands in for a chain of ControlNets while the state is mixed.

    The chain runs on the full-size state and a copy of it on every second pixel, which is what the
    state's coarse regions are. Each token's row is then taken from the right one, so an all-fine
    and an all-coarse layout both equal the plain ControlNet. Two chains, because a ControlNet keeps
    its hint at the size of its last call.
    """

    def __init__(self, control, packings: list[Packing], space: Space):
        super().__init__()
        self.full = control
        self.coarse = copy_chain(control)
        self.packings, self.space = packings, space
        self.extra_hooks = comfy.hooks.HookGroup.combine_all_hooks(control.get_extra_hooks())

    def get_control(self, x_noisy, t, cond, batched_number, transformer_options):
        call = (t, cond, batched_number, transformer_options)
        full = self.full.get_control(x_noisy, *call)
        if full is None:
            return None
        small = self.space.leave(pick(self.space.enter(x_noisy)))
        coarse = self.coarse.get_control(small, *call)
        return self._joined(coarse, full, x_noisy.device)

    def _joined(self, coarse: dict, full: dict, device: torch.device) -> dict:
        """Each token's rows, or, where pictures differ in number of tokens, all rows of both."""
        low = {id(f): c for key in full for c, f in zip(coarse[key], full[key], strict=True)}
        packings = [packing.to(device) for packing in self.packings]

        def join(fine: torch.Tensor) -> torch.Tensor:
            return bank_or_tokens(packings, torch.cat([low[id(fine)], fine], dim=1))

        return each_residual(join, full)

    def pre_run(self, model, percent_to_timestep_function):
        for control in (self.full, self.coarse):
            control.pre_run(model, percent_to_timestep_function)

    def cleanup(self):
        for control in (self.full, self.coarse):
            control.cleanup()

    def get_models(self):
        return self.full.get_models()

    def inference_memory_requirements(self, dtype):
        return self.full.inference_memory_requirements(dtype)

    def deepclone_multigpu(self, load_device, autoregister=False):
        """The same on another GPU: newer hosts call each device's own copy there."""
        packings = [packing.to(load_device) for packing in self.packings]
        twin = TwoPassControl(_chain_on(self.full, load_device), packings, self.space)
        if autoregister:
            self.multigpu_clones[load_device] = twin
        return twin


def _chain_on(control, device):
    """The copies of a chain of ControlNets on another GPU, made where there is none yet."""
    twin = control.multigpu_clones.get(device) or control.deepclone_multigpu(device, True)
    if control.previous_controlnet is not None:
        twin.set_previous_controlnet(_chain_on(control.previous_controlnet, device))
    return twin


def copy_chain(control):
    """A copy of a ControlNet and of those chained before it, sharing weights and hints."""
    twin = control.copy()
    if control.previous_controlnet is not None:
        twin.set_previous_controlnet(copy_chain(control.previous_controlnet))
    return twin


def links(control) -> Iterator[Any]:
    """A ControlNet and those chained before it."""
    while control is not None:
        yield control
        control = control.previous_controlnet


class RememberingVae:
    """The VAE of a ControlNet, which encodes a hint once for a run.

    A ControlNet forgets its hint after each stage, and the hint comes at no more than two sizes.
    Encoding it anew would also move the model off the GPU and back where both do not fit.
    """

    def __init__(self, vae):
        self._vae = vae
        self._known: list[tuple[torch.Tensor, torch.Tensor]] = []

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        for seen, latent in self._known:
            if torch.equal(seen, pixels):
                return latent
        latent = self._vae.encode(pixels)
        self._known.append((pixels, latent))
        return latent

    def __getattr__(self, name: str) -> Any:
        # A copy that is still being made has none, and must not ask for it here again.
        return getattr(object.__getattribute__(self, "_vae"), name)
