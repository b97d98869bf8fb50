"""ControlNets in a run: once per resolution in the mixed stage, and hints that are encoded once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import comfy.controlnet
import comfy.hooks
import torch

from ...ralu_core.layout import Layout
from ...ralu_core.tokens import pick


class TwoPassControl(comfy.controlnet.ControlBase):
    """Stands in for a chain of ControlNets while the state is mixed.

    The chain runs on the full-size state and a copy of it on every second pixel, which is what the
    state's coarse regions are. Each token's row is then taken from the right one, so an all-fine
    and an all-coarse layout both equal the plain ControlNet. Two chains, because a ControlNet keeps
    its hint at the size of its last call.
    """

    def __init__(self, control, layout: Layout):
        super().__init__()
        self.full = control
        self.coarse = copy_chain(control)
        self.layout = layout
        self.extra_hooks = comfy.hooks.HookGroup.combine_all_hooks(control.get_extra_hooks())

    def get_control(self, x_noisy, t, cond, batched_number, transformer_options):
        call = (t, cond, batched_number, transformer_options)
        full = self.full.get_control(x_noisy, *call)
        if full is None:
            return None
        coarse = self.coarse.get_control(pick(x_noisy), *call)
        return self._joined(coarse, full, x_noisy.device)

    def _joined(self, coarse: dict, full: dict, device: torch.device) -> dict:
        """Each token's rows, or, where pictures differ in number of tokens, all rows of both."""
        low = {id(f): c for key in full for c, f in zip(coarse[key], full[key], strict=True)}
        layout = self.layout.to(device)

        def join(fine: torch.Tensor) -> torch.Tensor:
            bank = torch.cat([low[id(fine)], fine], dim=1)
            check_bank(bank, layout)
            return bank if len(layout.groups) > 1 else layout.take(bank)

        return each_residual(join, full)

    def pre_run(self, model, percent_to_timestep_function):
        for control in (self.full, self.coarse):
            control.pre_run(model, percent_to_timestep_function)

    def cleanup(self):
        for control in (self.full, self.coarse):
            control.cleanup()

    def get_models(self):
        return super().get_models() + self.full.get_models()

    def inference_memory_requirements(self, dtype):
        return self.full.inference_memory_requirements(dtype)

    def deepclone_multigpu(self, load_device, autoregister=False):
        """The same on another GPU: newer hosts call each device's own copy there."""
        twin = TwoPassControl(_chain_on(self.full, load_device), self.layout.to(load_device))
        if autoregister:
            self.multigpu_clones[load_device] = twin
        return twin


def check_bank(bank: torch.Tensor, layout: Layout) -> None:
    """Refuse residuals (n, N, D) of other tokens than the coarse and the fine ones."""
    h, w = layout.grid
    if bank.shape[1] != 5 * h * w:
        raise ValueError(
            f"RALU needs ControlNet residuals of {5 * h * w} tokens in its mixed stage, got "
            f"{bank.shape[1]}: apply the ControlNet with ComfyUI's own Apply node."
        )


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


def each_residual(change: Callable[[torch.Tensor], torch.Tensor], control: dict) -> dict:
    """A ControlNet's residuals, each changed once: one tensor may serve many blocks."""
    changed: dict[int, torch.Tensor] = {}

    def once(residual):
        if residual is None:
            return None
        if id(residual) not in changed:
            changed[id(residual)] = change(residual)
        return changed[id(residual)]

    return {key: [once(residual) for residual in residuals] for key, residuals in control.items()}


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
