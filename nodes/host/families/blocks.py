"""The transformer blocks of a network: their names, and what their weights make of an input."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch

BlockKey = tuple[str, int]


class Blocks(ABC):
    """Blocks as the host lets other code replace them. Where text and picture are joined, in a
    block's tokens or in its attention, the text lies first.
    """

    def __init__(self, network: Any):
        self.network = network

    @property
    @abstractmethod
    def keys(self) -> list[BlockKey]:
        """Names of all blocks in the order they run, as `patches_replace["dit"]` has them."""

    @abstractmethod
    def modulated_input(self, args: dict) -> torch.Tensor:
        """(B, L, C) what the first block's attention reads: normalised, modulated image tokens.

        args  of the first block, as its replacement gets them.
        """

    @property
    def image_attentions(self) -> int:
        """How many blocks have a second attention, among the image tokens alone."""
        return 0


class JointBlocks(Blocks):
    """SD3: blocks hold text and picture apart and attend to both; the last drops the text."""

    @property
    def keys(self) -> list[BlockKey]:
        return [("double_block", i) for i in range(len(self.network.joint_blocks))]

    def modulated_input(self, args: dict) -> torch.Tensor:
        img, vec = args["img"], args["vec"]
        block, width = self.network.joint_blocks[0].x_block, img.shape[-1]
        modulation = block.adaLN_modulation(vec)[:, None]
        shift, scale = modulation[..., :width], modulation[..., width : 2 * width]
        return torch.addcmul(shift, block.norm1(img), 1 + scale)

    @property
    def image_attentions(self) -> int:
        return sum(
            getattr(block.x_block, "x_block_self_attn", False)
            for block in self.network.joint_blocks
        )


class DoubleAndSingleBlocks(Blocks):
    """Flux: double blocks hold text and picture apart, the single blocks after them joined."""

    @property
    def keys(self) -> list[BlockKey]:
        double = [("double_block", i) for i in range(len(self.network.double_blocks))]
        return double + [("single_block", i) for i in range(len(self.network.single_blocks))]

    def modulated_input(self, args: dict) -> torch.Tensor:
        img, vec = args["img"], args["vec"]
        block = self.network.double_blocks[0]
        modulation, _ = block.img_mod(vec)
        return torch.addcmul(modulation.shift, block.img_norm1(img), 1 + modulation.scale)


def blocks_of(network: Any) -> Blocks:
    """The blocks of a network of either family."""
    return (JointBlocks if hasattr(network, "joint_blocks") else DoubleAndSingleBlocks)(network)
