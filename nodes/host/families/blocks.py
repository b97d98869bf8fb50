"""The transformer blocks of a network: their names, and what their weights make of an input."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch

BlockKey = tuple[str, int]


class Blocks(ABC):
    """Blocks as the host lets other code replace them. Where text and picture are joined, in a
    block's tokens or in its attention, the text lies first.

    splits  whether they run on a share of their tokens, as nothing but their arguments tells them
            of the others.
    """

    splits: ClassVar[bool] = True

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

    def is_even(self, args: dict) -> bool:
        """Whether the first block modulates all image tokens alike."""
        return args["vec"].ndim == 2

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


class ModulatedBlocks(DoubleAndSingleBlocks):
    """Flux.2 and Chroma: the same blocks, given their modulation; some may be left out."""

    @property
    def keys(self) -> list[BlockKey]:
        left_out = {
            "double_block": getattr(self.network, "skip_mmdit", ()),
            "single_block": getattr(self.network, "skip_dit", ()),
        }
        return [(kind, i) for kind, i in super().keys if i not in left_out[kind]]

    def modulated_input(self, args: dict) -> torch.Tensor:
        img, ((modulation, _), _) = args["img"], args["vec"]
        block = self.network.double_blocks[0]
        return torch.addcmul(modulation.shift, block.img_norm1(img), 1 + modulation.scale)

    def is_even(self, args: dict) -> bool:
        (modulation, _), _ = args["vec"]
        return modulation.shift.shape[1] == 1


class TransformerBlocks(Blocks):
    """Qwen-Image and Mage-Flow: blocks hold text and picture apart. They know from elsewhere where
    references begin and which text is a filler."""

    splits = False

    @property
    def keys(self) -> list[BlockKey]:
        return [("double_block", i) for i in range(len(self.network.transformer_blocks))]

    def modulated_input(self, args: dict) -> torch.Tensor:
        img, vec = args["img"], args["vec"]
        block, width = self.network.transformer_blocks[0], img.shape[-1]
        modulation = block.img_mod(vec)[:, None]
        shift, scale = modulation[..., :width], modulation[..., width : 2 * width]
        return torch.addcmul(shift, block.img_norm1(img), 1 + scale)

    def is_even(self, args: dict) -> bool:
        # References of another noise level double the rows.
        return args["vec"].shape[0] == args["img"].shape[0]
