"""A device with memory of its own, without hardware: what a GPU refuses, it refuses.

Its tensors are computed on the CPU, but torch and ComfyUI see another device. An operation on
tensors of both devices fails, and all that would make the host wait for a GPU is written down.
It has no random generators.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import comfy.model_management
import torch
from comfy.cli_args import args as options
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "separate"
_setup_privateuseone_for_python_backend(NAME)
DEVICE = torch.device(NAME, 0)
MEMORY = 8 * 2**30

COPIES = {"to", "_to_copy", "copy_"}
# Their results' sizes or values are known on the host only after the device has computed them.
READS = {
    "_local_scalar_dense",
    "_unique2",
    "allclose",
    "bincount",
    "equal",
    "is_nonzero",
    "item",
    "masked_select",
    "nonzero",
    "nonzero_numpy",
    "aten.repeat_interleave.Tensor",
    "aten.repeat_interleave.self_Tensor",
    "unique_consecutive",
}
INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_"}


class SeparateTensor(torch.Tensor):
    """`inside` holds its numbers."""

    inside: torch.Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl  # pyright: ignore[reportAssignmentType]

    def __new__(cls, inside: torch.Tensor):
        self = torch.Tensor._make_wrapper_subclass(
            cls,
            inside.shape,
            strides=inside.stride(),
            storage_offset=inside.storage_offset(),
            dtype=inside.dtype,
            device=DEVICE,
        )
        self.inside = inside
        return self

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):  # no mode is entered
        raise RuntimeError(f"{func} on the separate device, which is not in use here.")

    def __repr__(self, **_) -> str:
        return f"SeparateTensor({self.inside})"

    def numpy(self, *_, **__):
        raise TypeError("A tensor of the separate device is no numpy array: copy it to the CPU.")

    __array__ = numpy

    def tolist(self):
        return self.cpu().tolist()


class Memory:
    """Bytes that the device's tensors hold, now and at most."""

    def __init__(self):
        self.held = self.peak = 0
        self._users: Counter[int] = Counter()

    def keep(self, tensor: SeparateTensor) -> SeparateTensor:
        storage = tensor.inside.untyped_storage()
        place, size = storage.data_ptr(), storage.nbytes()
        if not self._users[place]:
            self.held += size
            self.peak = max(self.peak, self.held)
        self._users[place] += 1
        weakref.finalize(tensor, self._release, place, size)
        return tensor

    def _release(self, place: int, size: int) -> None:
        self._users[place] -= 1
        if not self._users[place]:
            self.held -= size


class SeparateDevice(TorchDispatchMode):
    """While it is entered, torch has the device. `waits` names the operations that would wait."""

    def __init__(self):
        super().__init__()
        self.waits: list[str] = []
        self.memory = Memory()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name = func.overloadpacket.__name__
        tensors = [one for one in tree_leaves((args, kwargs)) if torch.is_tensor(one)]
        inside = [one for one in tensors if isinstance(one, SeparateTensor)]
        if name == "_has_compatible_shallow_copy_type":
            return not inside
        named = _device_argument(func, args, kwargs)
        if named is not None:
            goes_inside = named.type == NAME
        else:
            goes_inside = isinstance(args[0], SeparateTensor) if name == "copy_" else bool(inside)
        if goes_inside and kwargs.get("generator") is not None:
            raise RuntimeError(f"{func} met a generator of the CPU.")
        if inside:
            _check(func, name, args, tensors)
        touches = bool(inside) or goes_inside
        if touches and _waits(func, name, args, kwargs, tensors, goes_inside):
            self.waits.append(name)
        args, kwargs = _on_cpu(func, args, kwargs)
        out = func(*args, **kwargs)
        if name in {"to", "_to_copy"} and isinstance(tensors[0], SeparateTensor) != goes_inside:
            out = out.clone()  # what moved shares no memory, also where the CPU had nothing to do
        if not goes_inside:
            return out
        if func._schema.is_mutable:  # the caller's own tensor, not another of the same numbers
            for one in inside:
                if one.inside is out:
                    return one
        return tree_map_only(torch.Tensor, self._wrapped, out)

    def kernels(self) -> dict[str, Callable]:
        """How torch itself makes a tensor of Python numbers, past every dispatch mode."""

        def empty_strided(size, stride, dtype=None, **_):
            return self._wrapped(torch.empty_strided(size, stride, dtype=dtype))

        def copy_from(source, destination, non_blocking=False):
            self.waits.append("copy_")
            destination.inside.copy_(source)
            return destination

        return {"empty_strided": empty_strided, "_copy_from": copy_from}

    def _wrapped(self, inside: torch.Tensor) -> SeparateTensor:
        return self.memory.keep(SeparateTensor(inside))


def _check(func, name: str, args, tensors: list[torch.Tensor]) -> None:
    """Refuse tensors of both devices: torch takes numbers and indices from the CPU, and no more."""
    if name in COPIES:
        return
    outside = [one for one in tensors if not isinstance(one, SeparateTensor) and one.ndim]
    if name in INDEXING and isinstance(args[0], SeparateTensor):
        outside = [one for one in outside if any(one is value for value in args[2:3])]
    if outside:
        shapes = [tuple(one.shape) for one in outside]
        raise RuntimeError(f"{func} met tensors of two devices; these are on the CPU: {shapes}")


def _waits(func, name: str, args, kwargs, tensors: list[torch.Tensor], inside: bool) -> bool:
    """inside  whether the result is on the device."""
    if name in COPIES:
        crosses = any(isinstance(one, SeparateTensor) != inside for one in tensors)
        runs_ahead = inside and (kwargs.get("non_blocking") or args[-1] is True)
        return crosses and not runs_ahead
    if name in INDEXING:
        indices = [one for one in tree_leaves(args[1]) if torch.is_tensor(one)]
        return any(not isinstance(i, SeparateTensor) or i.dtype == torch.bool for i in indices)
    return name in READS or str(func) in READS


def _device_argument(func, args, kwargs) -> torch.device | None:
    for argument, value in zip(func._schema.arguments, args, strict=False):
        if "Device" in str(argument.type) and value is not None:
            return torch.device(value)
    named = kwargs.get("device")
    return None if named is None else torch.device(named)


def _on_cpu(func, args, kwargs) -> tuple[Any, Any]:
    args, kwargs = tree_map_only(SeparateTensor, lambda one: one.inside, (args, kwargs))
    kwargs.pop("pin_memory", None)
    return tree_map_only(torch.device, lambda _: torch.device("cpu"), (args, kwargs))


@contextmanager
def separate_device(offloaded: bool = False, gpu_only: bool = False, main: bool = True):
    """ComfyUI on the device, by the way it has for DirectML; its weights in fp32, as on this CPU.

    main       False: ComfyUI stays on the CPU, and the device is there beside it.
    offloaded  as --novram: the weights stay on the CPU, and each layer's follow it to the device.
    gpu_only   as --gpu-only: all that is kept between nodes lies on the device.
    """
    device = SeparateDevice()
    state = comfy.model_management.VRAMState
    placed = state.NO_VRAM if offloaded else state.HIGH_VRAM if gpu_only else state.NORMAL_VRAM
    settings = {
        "directml_enabled": main,
        "directml_device": DEVICE,
        "lowvram_available": False,
        "vram_state": placed,
    }
    with ExitStack() as stack:
        for name, value in settings.items():
            stack.enter_context(patch.object(comfy.model_management, name, value, create=True))
        stack.enter_context(patch.object(comfy.model_management, "get_free_memory", _free_memory))
        stack.enter_context(patch.object(options, "gpu_only", gpu_only))
        for name in ("fp32_unet", "fp32_vae", "fp32_text_enc"):
            stack.enter_context(patch.object(options, name, True))
        library = stack.enter_context(torch.library._scoped_library("aten", "IMPL"))
        for name, kernel in device.kernels().items():
            library.impl(name, kernel, "PrivateUse1")
        stack.enter_context(device)
        stack.callback(comfy.model_management.unload_all_models)  # after a failure, too
        yield device


def _free_memory(_device=None, torch_free_too: bool = False):
    return (MEMORY, MEMORY) if torch_free_too else MEMORY
