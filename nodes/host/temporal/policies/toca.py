"""ToCa: compute the most urgent tokens, take the others from the cache (Zou et al., 2410.05317)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from .....ralu_core.forecast import urgent_tokens
from ...families.blocks import Blocks
from ...families.inspect import has_foreign_blocks
from ...families.views import OVERRIDE
from ...sampling.keys import VIEWS
from ..hooks import joined, run_block
from ..passes import Computed, Evaluation, Group, Pass
from ..policy import EveryNth

TOKEN_PATCHES = ("attn1_patch", "attn1_output_patch")


@dataclass(frozen=True, kw_only=True)
class ToCa(EveryNth):
    """On skipped evaluations, runs every block on a share of the tokens.

    Their queries attend to the keys and values of all tokens, those of the others as they were when
    last computed, through the host's own attention function. Where the published method caches the
    outputs of attention and feeds chosen tokens to the MLP, chosen tokens here pass whole blocks,
    and the others keep their residual: attention stays fused, and no weight is touched.
    Text tokens take turns, image tokens are chosen by `urgent_tokens`.

    cached_ratio  R in [0, 1): share of image tokens kept from the cache.

    In the memory of some rows:
    change, age  (rows, n) as `urgent_tokens` reads them.
    attention    keys and values of all tokens, by the order of the attention calls.
    text         how many of those tokens are text.
    """

    cached_ratio: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.cached_ratio < 1:
            raise ValueError(
                f"The cached_ratio must lie in [0, 1), got {self.cached_ratio:g}: try 0.9."
            )

    @property
    def computes_all(self) -> bool:
        return super().computes_all or self.cached_ratio == 0

    @property
    def partial_work(self) -> float:
        return 1 - self.cached_ratio

    @property
    def cheaper(self) -> str:
        return "choose TaylorSeer, "

    def check(self, blocks: type[Blocks]) -> None:
        if not blocks.splits:
            raise ValueError(
                "ToCa computes a share of the tokens, and the blocks of this MODEL know from "
                "elsewhere how many there are: choose TaylorSeer."
            )

    def begin(self, options: dict, running: Callable[[], Pass]) -> dict:
        if any(options.get("patches", {}).get(name) for name in TOKEN_PATCHES):
            raise ValueError(
                "ToCa computes a share of the tokens, and an attention patch of another node "
                "expects all of them: choose TaylorSeer, or remove that node."
            )
        if options.get(VIEWS):
            raise ValueError(
                "ToCa computes a share of the tokens, and the plan's mixed stage splits attention "
                "by their size: choose TaylorSeer, or set the plan's views to 'paper'."
            )
        outer = options.get(OVERRIDE)

        def attention(function: Callable, q, k, v, *args, **kwargs):
            axis = 2 if kwargs.get("skip_reshape") else 1  # (B, heads, tokens, d) or (B, tokens, C)
            k, v = running().attend(k, v, axis)
            if outer is not None:
                return outer(function, q, k, v, *args, **kwargs)
            return function(q, k, v, *args, **kwargs)

        return {**options, OVERRIDE: attention}

    def cost(self, args: dict, tokens: torch.Tensor, blocks: Blocks) -> int:
        per_token = tokens.shape[-1] * tokens.element_size()
        image, joint = tokens.shape[1], tokens.shape[1] + args["txt"].shape[1]
        return per_token * (
            image + 2 * (len(blocks.keys) * joint + blocks.image_attentions * image)
        )

    def decide(self, evaluation: Evaluation) -> list[bool]:
        """All groups or none, as their tokens pass the blocks together."""
        skips = all(super().decide(evaluation)) and _can_gather(evaluation)
        return [skips] * len(evaluation.groups)

    def keep(self, group: Group, residual: torch.Tensor, sigma: torch.Tensor) -> None:
        memory = group.memory
        change = residual - memory.values[0] if memory.fits(residual) else residual
        memory.extra["change"] = change.float().norm(dim=-1)
        memory.extra["age"] = torch.zeros_like(memory.extra["change"])
        super().keep(group, residual, sigma)

    def start(self, evaluation: Evaluation) -> Pass:
        if not all(self.decide(evaluation)):
            return AllTokens(evaluation, self.keep)
        before = evaluation.tokens.clone()
        chosen = joined([self._choose(one, before.shape[1]) for one in evaluation.groups])
        return SomeTokens(evaluation, before, chosen, self._turn(evaluation))

    def _choose(self, group: Group, tokens: int) -> torch.Tensor:
        """(rows, k) image tokens to compute."""
        count = max(1, round((1 - self.cached_ratio) * tokens))
        change, age = group.memory.extra["change"], group.memory.extra["age"]
        chosen = urgent_tokens(change, age, self.interval, count)
        group.memory.extra["age"] = (age + 1).scatter_(1, chosen, 0)
        return chosen

    def _turn(self, evaluation: Evaluation) -> torch.Tensor:
        """(rows, k) text tokens to compute: every n-th, another one each time."""
        text = evaluation.args["txt"]
        stride = max(1, round(1 / (1 - self.cached_ratio)))
        first = evaluation.groups[0].evaluation % min(stride, text.shape[1])
        turn = torch.arange(first, text.shape[1], stride, device=text.device)
        return turn.expand(text.shape[0], -1)


def _can_gather(evaluation: Evaluation) -> bool:
    """Whether blocks can run on a share of these tokens."""
    args = evaluation.args
    mask, text = args.get("attn_mask"), args["txt"].shape[1]
    if any(group.memory.extra["text"] != text for group in evaluation.groups):
        return False  # prompts of unequal length that now meet in one call, or no longer do
    return evaluation.blocks.is_even(args) and (mask is None or mask.ndim in (2, 3))


class AllTokens(Computed):
    """Computes all tokens, and notes their keys and values."""

    def __init__(self, evaluation: Evaluation, keep: Callable):
        super().__init__(evaluation, [None] * len(evaluation.groups), keep)
        self.blocks, self.attention_calls = evaluation.blocks, 0
        for group in self.groups:
            group.memory.extra["text"] = evaluation.args["txt"].shape[1]

    def end(self, out: dict) -> dict:
        blocks = len(self.blocks.keys)
        if self.attention_calls < (blocks if has_foreign_blocks(self.blocks.network) else 1):
            raise ValueError(
                "ToCa attends to tokens that it does not compute, and the model asked for its "
                f"attention in {self.attention_calls} of {blocks} blocks, because another node "
                "replaced them: choose TaylorSeer, or remove that node."
            )
        return super().end(out)

    def attend(self, k, v, axis: int) -> tuple[torch.Tensor, torch.Tensor]:
        number, self.attention_calls = self.attention_calls, self.attention_calls + 1
        for group in self.groups:
            pair = k[group.rows].contiguous(), v[group.rows].contiguous()
            group.memory.extra.setdefault("attention", {})[number] = pair
        return k, v


class SomeTokens(Pass):
    """Runs the blocks on chosen tokens; the others keep their residual.

    before  (rows, n, C) image tokens before the first block, no block writes into them.
    chosen  (rows, k) image tokens to compute.
    turn    (rows, l) text tokens to compute.
    """

    kind = "partial"

    def __init__(
        self,
        evaluation: Evaluation,
        before: torch.Tensor,
        chosen: torch.Tensor,
        turn: torch.Tensor,
    ):
        self.groups, self.span = evaluation.groups, evaluation.span
        self.before, self.chosen, self.turn = before, chosen, turn
        self.joint = torch.cat((turn, chosen + evaluation.args["txt"].shape[1]), 1)
        self.attention_calls = 0

    def block(self, args: dict, extra: dict, previous: Callable | None) -> dict:
        if "txt" not in args:
            out = run_block(previous, self._part(args, {"img": self.joint}), extra)
            return {"img": put(args["img"], self.joint, out["img"])}
        part = self._part(args, {"img": self.chosen, "txt": self.turn})
        out = run_block(previous, part, extra)
        done = {"img": put(args["img"], self.chosen, out["img"]), "txt": args["txt"]}
        if out["txt"] is not None:
            done["txt"] = put(args["txt"], self.turn, out["txt"])
        return done

    def _part(self, args: dict, chosen: dict[str, torch.Tensor]) -> dict:
        """A block's arguments for the chosen tokens."""
        part = {**args, **{name: take(args[name], index) for name, index in chosen.items()}}
        if args.get("pe") is not None:  # (B, 1, tokens, ...)
            part["pe"] = take(args["pe"][:, 0], self.joint)[:, None]
        mask = args.get("attn_mask")
        if mask is not None:
            part["attn_mask"] = take(mask if mask.ndim == 3 else mask[None], self.joint)
        return part

    def attend(self, k, v, axis: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Renew the chosen tokens' keys and values among all; SD3.5's second attention is image."""
        number, self.attention_calls = self.attention_calls, self.attention_calls + 1
        index = self.chosen if k.shape[axis] == self.chosen.shape[1] else self.joint
        pairs = [group.memory.extra["attention"][number] for group in self.groups]
        for pair, group in zip(pairs, self.groups, strict=True):
            for cache, new in zip(pair, (k[group.rows], v[group.rows]), strict=True):
                shape = [1] * new.ndim  # SD3's values have heads apart, its keys have not
                shape[0], shape[axis] = index[group.rows].shape
                cache.scatter_(axis, index[group.rows].reshape(shape).expand_as(new), new)
        return joined([pair[0] for pair in pairs]), joined([pair[1] for pair in pairs])

    def end(self, out: dict) -> dict:
        after = self.span.read_out(out, self.before.shape[1])
        residuals = take(after, self.chosen) - take(self.before, self.chosen)
        for group in self.groups:
            put(group.memory.values[0], self.chosen[group.rows], residuals[group.rows])
        kept = joined([group.memory.values[0] for group in self.groups])
        return self.span.write(out, self.before + kept)


def take(tokens: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """(B or 1, L, ...) tokens at (B, k) indices: (B, k, ...)."""
    rows = torch.arange(index.shape[0], device=index.device)[:, None]
    return tokens.expand(index.shape[0], *tokens.shape[1:])[rows, index]


def put(tokens: torch.Tensor, index: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
    """Write (B, k, C) new tokens at (B, k) indices, in place: (B, L, C)."""
    rows = torch.arange(index.shape[0], device=index.device)[:, None]
    tokens[rows, index] = new
    return tokens
