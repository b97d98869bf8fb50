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

    def plan_flops(self, plan: Plan, rows: int, columns: int, guided: bool = False) -> float:
        """FLOPs of a run on a full grid of `rows` x `columns` fine tokens.

        guided  whether guidance takes a second call in each step, but for stages that go without.
        """
        tokens = plan.tokens(rows, columns)
        return sum(
            stage.steps * self.flops(count) * (2 if guided and stage.guided else 1)
            for stage, count in zip(plan.stages, tokens, strict=True)
        )

    def speed_up(
        self, plan: Plan, rows: int, columns: int, steps: int, guided: bool = False
    ) -> float:
        """Predicted speed-up of the model calls over `steps` plain full-resolution steps, which
        are guided in any case where the model is."""
        plain = steps * self.flops(rows * columns) * (2 if guided else 1)
        return plain / self.plan_flops(plan, rows, columns, guided)
