"""ToCa: compute the most urgent tokens, take the others from the cache (Zou et al., 2410.05317)."""

from __future__ import annotations

from collections.abc import Callable

import torch

from ....ralu_core.forecast import urgent_tokens
from .blocks import run_block
from .call import Call, joined
from .run import Memory, RunState

OVERRIDE = "optimized_attention_override"  # the host's hook around its attention function
TOKEN_PATCHES = ("attn1_patch", "attn1_output_patch")


class TokenCall(Call):
    """On skipped evaluations, runs every block on a share of the tokens.

    Their queries attend to the keys and values of all tokens, those of the others as they were when
    last computed, through the host's own attention function. Where the published method caches the
    outputs of attention and feeds chosen tokens to the MLP, chosen tokens here pass whole blocks,
    and the others keep their residual: attention stays fused, and no weight is touched.
    Text tokens take turns, image tokens are chosen by `urgent_tokens`.
    """

    def __init__(self, state: RunState, network, options: dict, sigma: torch.Tensor):
        if any(options.get("patches", {}).get(name) for name in TOKEN_PATCHES):
            raise ValueError(
                "ToCa computes a share of the tokens, and an attention patch of another node "
                "expects all of them: choose TaylorSeer, or remove that node."
            )
        super().__init__(state, network, options, sigma)
        self.outer = options.get(OVERRIDE)
        self.options = {**self.options, OVERRIDE: self.attention}

    def begin(self, args: dict) -> None:
        self._begin_group()
        self.attention_calls = 0
        tokens = self.span.read(args)
        self.groups = self._groups(args, tokens)
        due = self.decide(args, tokens)
        self.before = tokens.clone()
        self.text = args["txt"].shape[1]
        self.partial = bool(due) and all(due) and self._can_gather(args)
        if self.partial:
            self.chosen = joined([self._choose(m, tokens.shape[1]) for m, _ in self.groups])
            self.joint = torch.cat((self._turn(args["txt"]), self.chosen + self.text), 1)
        self.state.note("partial" if self.partial else "computed")

    def _can_gather(self, args: dict) -> bool:
        """Whether blocks can run on a share of these tokens."""
        mask = args.get("attn_mask")
        if any(memory.text != self.text for memory, _ in self.groups):
            return False  # prompts of unequal length that now meet in one call, or no longer do
        return args["vec"].ndim == 2 and (mask is None or mask.ndim in (2, 3))

    def _choose(self, memory: Memory, tokens: int) -> torch.Tensor:
        """(rows, k) image tokens to compute."""
        settings = self.state.settings
        count = max(1, round((1 - settings.cached_ratio) * tokens))
        change, age = memory.extra["change"], memory.extra["age"]
        chosen = urgent_tokens(change, age, settings.interval, count)
        memory.extra["age"] = (age + 1).scatter_(1, chosen, 0)
        return chosen

    def _turn(self, text: torch.Tensor) -> torch.Tensor:
        """(rows, k) text tokens to compute: every n-th, another one each time."""
        stride = max(1, round(1 / (1 - self.state.settings.cached_ratio)))
        first = (self.tracks[0].evaluations - 1) % min(stride, text.shape[1])
        turn = torch.arange(first, text.shape[1], stride, device=text.device)
        return turn.expand(text.shape[0], -1)

    def block(self, args: dict, extra: dict, previous: Callable | None) -> dict:
        if not self.partial:
            return run_block(previous, args, extra)
        if "txt" not in args:
            out = run_block(previous, self._part(args, {"img": self.joint}), extra)
            return {"img": put(args["img"], self.joint, out["img"])}
        turn = self.joint[:, : self.joint.shape[1] - self.chosen.shape[1]]
        part = self._part(args, {"img": self.chosen, "txt": turn})
        out = run_block(previous, part, extra)
        done = {"img": put(args["img"], self.chosen, out["img"]), "txt": args["txt"]}
        if out["txt"] is not None:
            done["txt"] = put(args["txt"], turn, out["txt"])
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

    def end(self, out: dict) -> dict:
        if not self.groups:
            return out
        assert self.before is not None
        after = self.span.read_out(out, self.before.shape[1])
        if not self.partial:
            for memory, rows in self.groups:
                self.remember(memory, rows, after[rows] - self.before[rows])
            return out
        residuals = take(after, self.chosen) - take(self.before, self.chosen)
        for memory, rows in self.groups:
            put(memory.values[0], self.chosen[rows], residuals[rows])
        return self.span.write(out, self.before + joined([m.values[0] for m, _ in self.groups]))

    def remember(self, memory: Memory, rows: slice, residual: torch.Tensor) -> None:
        change = residual - memory.values[0] if memory.fits(residual) else residual
        memory.extra["change"] = change.float().norm(dim=-1)
        memory.extra["age"] = torch.zeros_like(memory.extra["change"])
        memory.text = self.text
        super().remember(memory, rows, residual)

    def attention(self, function: Callable, q, k, v, *args, **kwargs):
        """The host's attention, with keys and values of all tokens."""
        number, self.attention_calls = self.attention_calls, self.attention_calls + 1
        axis = 2 if kwargs.get("skip_reshape") else 1  # (B, heads, tokens, d) or (B, tokens, C)
        if self.groups and not self.partial:
            for memory, rows in self.groups:
                memory.attention[number] = k[rows].contiguous(), v[rows].contiguous()
        elif self.partial:
            k, v = self._complete(number, axis, k, v)
        if self.outer is not None:
            return self.outer(function, q, k, v, *args, **kwargs)
        return function(q, k, v, *args, **kwargs)

    def _complete(self, number: int, axis: int, k, v) -> tuple[torch.Tensor, torch.Tensor]:
        """Renew the chosen tokens' keys and values among all; SD3.5's second attention is image."""
        index = self.chosen if k.shape[axis] == self.chosen.shape[1] else self.joint
        pairs = [memory.attention[number] for memory, _ in self.groups]
        for pair, (_, rows) in zip(pairs, self.groups, strict=True):
            for cache, new in zip(pair, (k[rows], v[rows]), strict=True):
                shape = [1] * new.ndim  # SD3's values have heads apart, its keys have not
                shape[0], shape[axis] = index[rows].shape
                cache.scatter_(axis, index[rows].reshape(shape).expand_as(new), new)
        return joined([pair[0] for pair in pairs]), joined([pair[1] for pair in pairs])

    def cache_bytes(self, args: dict, tokens: torch.Tensor, rows: int) -> int:
        per_token = tokens.shape[-1] * tokens.element_size() * rows
        image, joint = tokens.shape[1], tokens.shape[1] + args["txt"].shape[1]
        second = sum(
            getattr(block.x_block, "x_block_self_attn", False)
            for block in getattr(self.network, "joint_blocks", ())
        )
        return per_token * (image + 2 * (self.depth * joint + second * image))


def take(tokens: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """(B or 1, L, ...) tokens at (B, k) indices: (B, k, ...)."""
    rows = torch.arange(index.shape[0], device=index.device)[:, None]
    return tokens.expand(index.shape[0], *tokens.shape[1:])[rows, index]


def put(tokens: torch.Tensor, index: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
    """Write (B, k, C) new tokens at (B, k) indices, in place: (B, L, C)."""
    rows = torch.arange(index.shape[0], device=index.device)[:, None]
    tokens[rows, index] = new
    return tokens
