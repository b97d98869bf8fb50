"""What a model call costs, to predict speed-ups before anything is sampled."""

from __future__ import annotations

from dataclasses import dataclass

from .latents.grid import HALF
from .latents.views import View, view_named
from .plans import Plan

# Per token and block, in units of width^2: query, key, value and output projections (4) and a
# four times wider MLP (8), two FLOPs per weight. Double and single blocks come to the same.
LINEAR_FLOPS = 24


@dataclass(frozen=True)
class References:
    """Tokens of other pictures that each call reads beside its own.

    half  those in stages at half size; None: as many.
    """

    tokens: int = 0
    half: int | None = None

    def on(self, grid: str) -> int:
        """In a call on the grid of that name."""
        return self.tokens if self.half is None or grid != HALF.name else self.half


NO_REFERENCES = References()


@dataclass(frozen=True)
class CallCost:
    """Size of a diffusion transformer: FLUX.1 is 57 blocks of width 3072, SD3 Medium 24 of 1536.
    ValueError unless there are blocks, a width, and 0 text tokens or more.

    linear  FLOPs of a block per token, in units of width^2.
    texts   most copies of the text that a call of a mixed stage may carry.
    splits  whether corrected views split the attention by the size of tokens; not where they only
            change what is added to the tokens.
    """

    blocks: int
    width: int
    text_tokens: int
    linear: float = LINEAR_FLOPS
    texts: int = 2
    splits: bool = True

    def __post_init__(self) -> None:
        if min(self.blocks, self.width) < 1 or self.text_tokens < 0:
            raise ValueError(
                "A model has 1 block or more, of a width of 1 or more, and reads 0 text tokens or "
                f"more, got {self.blocks}, {self.width} and {self.text_tokens}: FLUX.1 has 57, "
                "3072 and 256."
            )

    def flops(self, tokens: int) -> float:
        """FLOPs of one forward pass over `tokens` image tokens, attention included."""
        sequence = tokens + self.text_tokens
        return self._flops(sequence, sequence**2)

    def _flops(self, sequence: int, pairs: int) -> float:
        """pairs: of a query and a key that it sees."""
        linear = self.linear * self.width**2 * sequence
        return self.blocks * (linear + 4 * self.width * pairs)

    def mixed_flops(self, tokens: int, coarse: int, view: View, references: int = 0) -> float:
        """FLOPs of one forward pass of a mixed stage.

        tokens      of the picture, coarse ones and fine ones.
        coarse      tokens of the coarse grid.
        references  tokens of other pictures, which the fine tokens' attention answers.
        """
        grown = (tokens - coarse) // 3
        kept = coarse - grown
        if not (view.corrected and self.splits and kept and grown):
            return self.flops(tokens + references)
        text, second = self.text_tokens, self.text_tokens * (min(self.texts, view.texts) - 1)
        ours = (text + kept) * (text + coarse + references)
        theirs = second + 4 * grown + references
        theirs *= text + view.near * kept + 4 * grown + references
        return self._flops(text + second + tokens + references, ours + theirs)

    def plan_flops(
        self,
        plan: Plan,
        rows: int,
        columns: int,
        guided: bool = False,
        references: References = NO_REFERENCES,
    ) -> float:
        """FLOPs of a run on a full grid of `rows` x `columns` fine tokens.

        guided  whether guidance takes a second call in each step, but for stages that go without.
        """
        return sum(self.stage_flops(plan, rows, columns, guided, references))

    def stage_flops(
        self,
        plan: Plan,
        rows: int,
        columns: int,
        guided: bool = False,
        references: References = NO_REFERENCES,
    ) -> tuple[float, ...]:
        """The same of each stage."""
        tokens, coarse = plan.tokens(rows, columns), rows * columns // 4
        return tuple(
            stage.steps
            * self.mixed_flops(
                count, coarse, view_named(stage.views), references.on(stage.grid.name)
            )
            * (2 if guided and stage.guided else 1)
            for stage, count in zip(plan.stages, tokens, strict=True)
        )

    def speed_up(
        self,
        plan: Plan,
        rows: int,
        columns: int,
        steps: int,
        guided: bool = False,
        references: References = NO_REFERENCES,
    ) -> float:
        """Predicted speed-up of the model calls over `steps` plain full-resolution steps, which
        are guided in any case where the model is."""
        plain = steps * self.flops(rows * columns + references.tokens) * (2 if guided else 1)
        return plain / self.plan_flops(plan, rows, columns, guided, references)
