"""FLOPs of real runs without weights: the sampler runs, the networks run on the meta device.

Latents, noise, edges, layouts and the host's sampling are real and on the CPU; only the inside of
the network and of the VAE is shapes alone. So token counts come from the code that samples.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only
from torch.utils.flop_counter import flop_registry

from lab.models.blocks import block_lists
from lab.models.blueprint import Blueprint, host_model
from lab.models.vaes import VAE

LINEAR = ("aten.mm", "aten.addmm", "aten.convolution")
BATCHED = ("aten.bmm", "aten.baddbmm")
TERA = 1e12
# Torch has no formula for its attention on a CPU, which takes the same arguments.
FORMULAS = {
    **flop_registry,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: flop_registry[
        torch.ops.aten._scaled_dot_product_flash_attention
    ],
}
OVERRIDE = "optimized_attention_override"  # the host's hook around its attention


@dataclass(frozen=True)
class Count:
    """FLOPs, two per multiply-add. attention: both products of queries, keys and values."""

    linear: float = 0.0
    attention: float = 0.0

    def __add__(self, other: Count) -> Count:
        return Count(self.linear + other.linear, self.attention + other.attention)

    def __mul__(self, times: float) -> Count:
        return Count(self.linear * times, self.attention * times)

    @property
    def total(self) -> float:
        return self.linear + self.attention


class Counter(TorchDispatchMode):
    """Adds up torch's own FLOP formulas of the operations that run while it is open."""

    def __init__(self) -> None:
        super().__init__()
        self.count = Count()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        packet = func._overloadpacket
        if packet not in FORMULAS:
            with self:  # tensors of inference mode bring composite operations here whole
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        result = func(*args, **kwargs)
        if packet in FORMULAS:
            flops = FORMULAS[packet](*args, **kwargs, out_val=result)
            linear = _is_linear(str(packet), args)
            self.count += Count(flops, 0) if linear else Count(0, flops)
        return result


def _is_linear(operation: str, args: tuple) -> bool:
    """Whether weights take part: the rest is attention, fused or as batched products."""
    if operation in BATCHED:  # a layer whose input is not contiguous: one weight for all rows
        return args[-1].stride(0) == 0
    return operation in LINEAR


def counted(function: Callable[..., Any], *args, **kwargs) -> tuple[Any, Count]:
    """Call a function on meta tensors; its result and its FLOPs."""
    with torch.no_grad(), Counter() as counter:
        result = function(*args, **kwargs)
    return result, counter.count


class RememberedBlock(torch.nn.Module):
    """Runs a block once per shape of its inputs; equal blocks of a network share one memory.

    Blocks are equal when their class and the shapes of all their weights are. `skipped` collects
    the FLOPs of the calls that were remembered.
    """

    def __init__(self, block: torch.nn.Module, memory: dict, skipped: list[Count]):
        super().__init__()
        self.block, self.memory, self.skipped = block, memory, skipped
        self.kind = (type(block), tuple(tuple(weight.shape) for weight in block.parameters()))

    @property
    def _orig_mod(self) -> torch.nn.Module:
        """The host's own block, found as in a compiled one."""
        return self.block

    def forward(self, *args, transformer_options: Any = None, **kwargs):
        # Another attention is another count; the host's own is one and the same function.
        attention = (transformer_options or {}).get(OVERRIDE)
        key = (self.kind, shapes(args, kwargs), attention)
        if key in self.memory:
            result, count = self.memory[key]
            self.skipped.append(count)
            return result
        self.memory[key] = counted(
            self.block, *args, transformer_options=transformer_options, **kwargs
        )
        return self.memory[key][0]


@dataclass(frozen=True)
class Call:
    """One forward pass: rows of the batch, image tokens per row, its FLOPs."""

    rows: int
    tokens: int
    count: Count


class MetaNetwork(torch.nn.Module):
    """Stands where the host calls the network: real tensors in, zeros out, shapes inside.

    It holds the network as a compiled module does, out of reach of the host's memory management,
    which cannot move weights that do not exist. `calls` lists what was called.
    """

    def __init__(self, network: torch.nn.Module):
        super().__init__()
        self.__dict__["_orig_mod"] = network
        self.dtype = network.dtype
        self.calls: list[Call] = []
        self._known: dict[Any, Count] = {}
        self._skipped: list[Count] = []
        memory: dict = {}
        for blocks in block_lists(network):
            for k, block in enumerate(blocks):
                blocks[k] = RememberedBlock(block, memory, self._skipped)

    def __getattr__(self, name: str):
        return getattr(self.__dict__["_orig_mod"], name)

    def forward(self, x, timesteps, transformer_options=None, **kwargs):
        given = ((x, timesteps), kwargs)
        key = shapes(*given)
        if _is_replaced(transformer_options):  # such a call depends on more than shapes
            count = self._count(*given, transformer_options)
        elif key in self._known:
            self._look_up_positions(x)
            count = self._known[key]
        else:
            count = self._known[key] = self._count(*given, transformer_options)
        tokens = (-(-x.shape[-2] // 2)) * (-(-x.shape[-1] // 2))
        self.calls.append(Call(x.shape[0], tokens, count))
        return torch.zeros_like(x)

    def _count(self, args: tuple, kwargs: dict, options: dict | None) -> Count:
        self._skipped.clear()
        options = {**(options or {}), OVERRIDE: _plain_under((options or {}).get(OVERRIDE))}
        args, kwargs, options = on_meta((args, kwargs, options))
        network = self.__dict__["_orig_mod"]
        _, executed = counted(network, *args, transformer_options=options, **kwargs)
        return sum(self._skipped, executed)

    def _look_up_positions(self, x: torch.Tensor) -> None:
        """A packed call must ask for its positions, also where its FLOPs are remembered."""
        network = self.__dict__["_orig_mod"]
        if "process_img" in network.__dict__:
            network.process_img(x.to("meta"))
        if "cropped_pos_embed" in network.__dict__:
            network.cropped_pos_embed(x.shape[-2:], device="meta")


class MetaVae:
    """Stands for a VAE: counts the real decoder on the meta device, returns a seeded picture."""

    latent_channels = 16

    def __init__(self) -> None:
        from comfy.ldm.modules.diffusionmodules import model

        with torch.device("meta"):
            self.decoder = model.Decoder(**VAE)
        for module in self.decoder.modules():
            if isinstance(module, model.AttnBlock):  # the split one asks the device for memory
                module.optimized_attention = model.pytorch_attention
        self.calls: list[Count] = []
        self._known: dict[Any, Count] = {}

    def decode(self, latent: torch.Tensor) -> torch.Tensor:
        """(B, 16, h, w) -> (B, 8h, 8w, 3) in [0, 1]: coarse noise, so that there are edges."""
        b, _, h, w = latent.shape
        if latent.shape not in self._known:
            self._known[latent.shape] = counted(self.decoder, latent.to("meta"))[1]
        self.calls.append(self._known[latent.shape])
        blocks = torch.rand(b, 3, h, w, generator=torch.Generator().manual_seed(0))
        return torch.nn.functional.interpolate(blocks, scale_factor=8).movedim(1, -1)


def meta_patcher(blueprint: Blueprint):
    """A MODEL of full size without weights, which the host samples like any other."""
    import comfy.model_patcher

    model = host_model(blueprint, "meta", torch.bfloat16)
    model.diffusion_model = MetaNetwork(model.diffusion_model)
    cpu = torch.device("cpu")
    return comfy.model_patcher.ModelPatcher(model, load_device=cpu, offload_device=cpu)


def shapes(*given: Any) -> tuple:
    """What tells one call from another: the structure and the shape of everything in it."""
    leaves, structure = tree_flatten(given)
    parts = (tuple(leaf.shape) if torch.is_tensor(leaf) else str(leaf) for leaf in leaves)
    return str(structure), *parts


def on_meta(given: Any) -> Any:
    """The same with every tensor's shape alone."""
    return tree_map_only(torch.Tensor, lambda tensor: tensor.to("meta"), given)


def _is_replaced(options: dict | None) -> bool:
    """Whether somebody stands in for blocks, or for the attention."""
    options = options or {}
    return bool(options.get("patches_replace", {}).get("dit")) or OVERRIDE in options


def _plain_under(override: Callable | None) -> Callable:
    """The override of a run's own, with plain attention under it."""
    if override is None:
        return plain_attention
    return lambda function, *args, **kwargs: override(
        functools.partial(plain_attention, function), *args, **kwargs
    )


def plain_attention(function, *args, **kwargs):
    """The host's own choice may split its work by the device's free memory; meta has none."""
    from comfy.ldm.modules.attention import attention_pytorch

    return attention_pytorch(*args, **kwargs)
