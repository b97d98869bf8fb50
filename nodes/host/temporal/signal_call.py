"""TeaCache: compute when the first block's input has changed enough (Liu et al., 2411.19108)."""

from __future__ import annotations

import torch

from .call import Call
from .run import Memory


class SignalCall(Call):
    """Decides each picture by the relative L1 change of the first block's modulated input.

    Changes add up over skipped evaluations; below the threshold the last residual is held. The
    published polynomial that rescales the change is left out: it is fitted to 28 even steps of one
    model at one size. The first and the last step of every stage are computed.
    """

    def forecasts_due(self) -> list[bool]:
        return []

    def hooks_every_block(self) -> bool:
        return True

    def parts(self, count: int) -> list[slice]:
        return [slice(k, k + 1) for k in range(count)]

    def decide(self, args: dict, tokens: torch.Tensor) -> list[bool]:
        if not self.groups or args["vec"].ndim != 2:
            return [False] * len(self.groups)
        signal = modulated_input(self.network, args)
        totals = [self._accumulate(memory, signal[rows], rows) for memory, rows in self.groups]
        # The only value that the host waits for, once in a call.
        small = (torch.stack(totals) < self.state.settings.threshold).tolist()
        decisions = []
        for is_small, (memory, rows) in zip(small, self.groups, strict=True):
            skips = is_small and memory.fits(tokens[rows])
            if not skips:
                memory.extra["change"] = torch.zeros_like(memory.extra["change"])
            decisions.append(skips)
        return decisions

    def _accumulate(self, memory: Memory, signal: torch.Tensor, rows: slice) -> torch.Tensor:
        """The change since the last computed evaluation: a number on the device, inf at the end."""
        before = memory.extra.get("input")
        memory.extra["input"] = signal
        if before is None or before.shape != signal.shape or before.device != signal.device:
            memory.forget()
            memory.extra["change"] = signal.new_zeros((), dtype=torch.float32)
            return memory.extra["change"]
        change = (signal - before).abs().float().mean() / before.abs().float().mean()
        memory.extra["change"] = memory.extra["change"] + change
        steps = self.options.get("sample_sigmas")  # of the stage
        if steps is None or len(steps) < 2:
            return memory.extra["change"]
        is_last = self.sigma_of(rows)[0] <= steps[-2].to(signal.device)
        return memory.extra["change"].masked_fill(is_last, torch.inf)

    def cache_bytes(self, args: dict, tokens: torch.Tensor, rows: int) -> int:
        return 2 * super().cache_bytes(args, tokens, rows)


def modulated_input(network, args: dict) -> torch.Tensor:
    """(B, L, C) what the first block's attention reads: normalised and modulated image tokens."""
    img, vec = args["img"], args["vec"]
    if hasattr(network, "joint_blocks"):
        block, width = network.joint_blocks[0].x_block, img.shape[-1]
        modulation = block.adaLN_modulation(vec)[:, None]
        shift, scale = modulation[..., :width], modulation[..., width : 2 * width]
        return torch.addcmul(shift, block.norm1(img), 1 + scale)
    block = network.double_blocks[0]
    modulation, _ = block.img_mod(vec)
    return torch.addcmul(modulation.shift, block.img_norm1(img), 1 + modulation.scale)
