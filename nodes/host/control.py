"""ControlNets in the mixed stage: run once per resolution, leave both sets of residuals."""

from __future__ import annotations

import comfy.controlnet
import torch

from ...ralu_core.tokens import pick


class TwoPassControl(comfy.controlnet.ControlBase):
    """Stands in for a chain of ControlNets while the state is mixed.

    The chain runs on the full-size state and a copy of it on every second pixel, which is what the
    state's coarse regions are. `mixed_call.gather_control` then takes each token's row from the
    right one, so an all-fine and an all-coarse layout both equal the plain ControlNet. Two chains,
    because a ControlNet keeps its hint at the size of its last call.
    """

    def __init__(self, control):
        super().__init__()
        self.full = control
        self.coarse = copy_chain(control)

    def get_control(self, x_noisy, t, cond, batched_number, transformer_options):
        call = (t, cond, batched_number, transformer_options)
        full = self.full.get_control(x_noisy, *call)
        if full is None:
            return None
        return _bank(self.coarse.get_control(pick(x_noisy), *call), full)

    def pre_run(self, model, percent_to_timestep_function):
        for control in (self.full, self.coarse):
            control.pre_run(model, percent_to_timestep_function)

    def cleanup(self):
        for control in (self.full, self.coarse):
            control.cleanup()

    def get_models(self):
        return super().get_models() + self.full.get_models()

    def get_extra_hooks(self):
        return self.full.get_extra_hooks()

    def inference_memory_requirements(self, dtype):
        return self.full.inference_memory_requirements(dtype)

    def deepclone_multigpu(self, load_device, autoregister=False):
        """The same on another GPU: newer hosts call each device's own copy there."""
        twin = TwoPassControl(_chain_on(self.full, load_device))
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


def _bank(coarse: dict, full: dict) -> dict:
    """Coarse rows, then full rows, for every residual; shared tensors stay shared."""
    joined: dict[int, torch.Tensor] = {}

    def join(low, high):
        if high is None:
            return None
        if id(high) not in joined:
            joined[id(high)] = torch.cat([low, high], dim=1)
        return joined[id(high)]

    return {
        key: [join(low, high) for low, high in zip(coarse[key], residuals, strict=True)]
        for key, residuals in full.items()
    }
