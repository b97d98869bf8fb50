"""The transformer blocks of ComfyUI's networks, as modules, whatever a network calls them."""

from __future__ import annotations

import torch

LISTS = ("double_blocks", "single_blocks", "joint_blocks")


def block_lists(network: torch.nn.Module) -> list[torch.nn.ModuleList]:
    """The network's lists of blocks, in the order they run. ValueError where it has none."""
    children = dict(network.named_children())
    found = [
        child for name in LISTS if isinstance(child := children.get(name), torch.nn.ModuleList)
    ]
    if not found:
        raise ValueError(
            f"{type(network).__name__} has no blocks of a known name: add it to LISTS."
        )
    return found


def blocks_of(network: torch.nn.Module) -> list[torch.nn.Module]:
    """All blocks in the order they run."""
    return [block for blocks in block_lists(network) for block in blocks]
