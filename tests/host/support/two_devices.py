"""Two devices where the machine has one, for the multi-GPU nodes of newer ComfyUI versions.

The nodes, the copies they make, the thread pool and the split of a call are ComfyUI's own; only
its list of devices is another. The second device is "cpu:0", to ComfyUI another than "cpu", or
the one with memory of its own, which refuses what two GPUs would refuse.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

import comfy.model_management
import comfy.sd
import pytest
import torch
from own_memory_device import DEVICE, separate_device
from safetensors.torch import save_file

CPU, OTHER_CPU = torch.device("cpu"), torch.device("cpu", 0)
HAS_NODES = importlib.util.find_spec("comfy_extras.nodes_multigpu") is not None
needs_nodes = pytest.mark.skipif(
    not HAS_NODES, reason="this ComfyUI has no MultiGPU CFG Split and no Select Model Device"
)


@contextmanager
def devices(*present: torch.device) -> Iterator[None]:
    """ComfyUI with those devices, the first of them its main one."""
    with ExitStack() as stack:
        if DEVICE in present:
            main = present[0] == DEVICE
            separate = stack.enter_context(separate_device(main=main))
            stack.enter_context(entered_by_workers(separate))
        listed = lambda exclude_current=False: list(present)  # noqa: E731
        stack.enter_context(patch.object(comfy.model_management, "get_all_torch_devices", listed))
        stack.callback(comfy.model_management.unload_all_models)
        yield


def entered_by_workers(mode):
    """A dispatch mode is of one thread: the pool's workers enter it, too."""
    import comfy.multigpu

    pool = comfy.multigpu.MultiGPUThreadPool
    loop = pool._worker_loop

    def entered(self, *args):
        with mode:
            loop(self, *args)

    return patch.object(pool, "_worker_loop", entered)


def load_file(weights: dict, folder: Path):
    """A MODEL as a loader node makes it, which ComfyUI can load again for another device."""
    path = folder / "model.safetensors"
    save_file({name: value.clone().contiguous() for name, value in weights.items()}, path)
    return comfy.sd.load_diffusion_model(str(path))


def split(model, max_gpus: int = 2):
    """The MODEL behind MultiGPU CFG Split."""
    from comfy_extras.nodes_multigpu import MultiGPUCFGSplitNode

    return MultiGPUCFGSplitNode.execute(model, max_gpus).args[0]


def placed(model, choice: str):
    """The MODEL behind Select Model Device."""
    from comfy_extras.nodes_multigpu import SelectModelDeviceNode

    return SelectModelDeviceNode.execute(model, choice).args[0]


def copies_of(model) -> list:
    """The MODELs that stand for this one on other devices."""
    return model.get_additional_models_with_key("multigpu")


def place_of(model) -> torch.device:
    """Where its weights lie."""
    return next(model.model.parameters()).device
