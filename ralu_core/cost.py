"""What a model call costs, to predict speed-ups before anything is sampled."""

from __future__ import annotations

from dataclasses import dataclass

from .plans import Plan

# Per token and block, in units of width^2: query, key, value and output projections (4) and a
# four times wider MLP (8), two FLOPs per weight. Double and single blocks come to the same.
LINEAR_FLOPS = 24


@dataclass(frozen=True)
class CallCost:
    """Size of a diffusion transformer: FLUX.1 is 57 blocks of width 3072, SD3 Medium 24 of 1536.

    linear  FLOPs of a block per token, in units of width^2.
    """

    blocks: int
    width: int
    text_tokens: int
    linear: float = LINEAR_FLOPS

    def flops(self, tokens: int) -> float:
        """FLOPs of one forward pass over `tokens` image tokens, attention included."""
        sequence = tokens + self.text_tokens
        linear = self.linear * self.width**2 * sequence
        attention = 4 * self.width * sequence**2
        return self.blocks * (linear + attention)

    def plan_flops(self, plan: Plan, rows: int, columns: int) -> float:
        """FLOPs of a run on a full grid of `rows` x `columns` fine tokens."""
        tokens = plan.tokens(rows, columns)
        return sum(n * self.flops(t) for n, t in zip(plan.steps, tokens, strict=True))

    def speed_up(self, plan: Plan, rows: int, columns: int, steps: int) -> float:
        """Predicted speed-up of the model calls over `steps` plain full-resolution steps."""
        return steps * self.flops(rows * columns) / self.plan_flops(plan, rows, columns)
