"""One call of the network: which rows are forecast, and the blocks that do it."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import torch

from ....ralu_core.forecast import extrapolate, is_computed
from ..mixed_call import ROWS
from .blocks import BlockKey, Span, block_keys, guidance_kind, replaced, run_block
from .run import Memory, RunState, Track

RowGroup = tuple[Memory, slice]


class Call:
    """Replaces the blocks of one call of the guided model by residuals where a forecast is due.

    Rows of the call are the pictures of the batch, once for each prompt: chunk-major. Residuals
    are what all blocks of the range add to the tokens; the embedding, what ControlNets add after
    the last block, and the final layer run at every step.

    sigma  (rows,) noise levels.
    """

    def __init__(self, state: RunState, network, options: dict, sigma: torch.Tensor):
        self.state, self.network, self.sigma = state, network, sigma
        self.tracks = tracks_of(state, options)
        keys = block_keys(network)
        self.depth = len(keys)
        blocks = [keys[k] for k in state.settings.blocks(self.depth)]
        # After the last block nothing reads the text.
        self.span = Span(text=blocks[-1] != keys[-1])
        self.due = self.forecasts_due()
        self._begin_group()
        self.options = self._hooked(options, blocks)
        for track in self.tracks:
            track.evaluations += 1

    def forecasts_due(self) -> list[bool]:
        """For each prompt of the call, whether it is to be forecast."""
        settings = self.state.settings
        return [
            not is_computed(track.evaluations, settings.interval, settings.warm_up)
            for track in self.tracks
        ]

    def _hooked(self, options: dict, blocks: list[BlockKey]) -> dict:
        others = options.get("patches_replace", {}).get("dit", {})
        hooks = {}
        for key in blocks:
            first, last = key == blocks[0], key == blocks[-1]
            # Where all rows are computed, only the ends matter: compiled graphs stay whole.
            if first or last or self.hooks_every_block():
                hooks[key] = BlockHook(self, others.get(key), first, last)
        return replaced(options, hooks)

    def hooks_every_block(self) -> bool:
        return any(self.due)

    # What follows runs inside the network, once for each group of rows of RALU's mixed stage.

    def _begin_group(self) -> None:
        self.groups: list[RowGroup] = []
        self.forecasts: list[torch.Tensor | None] = []
        self.before: torch.Tensor | None = None
        self.computes = True

    def begin(self, args: dict) -> None:
        """Before the first block: decide, and forecast what is to be forecast."""
        self._begin_group()
        tokens = self.span.read(args)
        self.groups = self._groups(args, tokens)
        self.forecasts = [
            self._forecast(group, tokens) if due else None
            for group, due in zip(self.groups, self.decide(args, tokens), strict=True)
        ]
        self.computes = not self.groups or any(one is None for one in self.forecasts)
        if self.computes and self.groups:
            self.before = tokens.clone() if tokens is args["img"] else tokens
        self.state.note("computed" if self.computes else "skipped")

    def decide(self, args: dict, tokens: torch.Tensor) -> list[bool]:
        """Which groups of rows can be forecast now."""
        return [
            due and memory.fits(tokens[rows])
            for due, (memory, rows) in zip(self.due, self.groups, strict=False)
        ]

    def block(self, args: dict, extra: dict, previous: Callable | None) -> dict:
        if self.computes:
            return run_block(previous, args, extra)
        return {key: args[key] for key in ("img", "txt") if key in args}

    def end(self, out: dict) -> dict:
        """After the last block: put forecasts in their rows, remember the others."""
        if not self.groups:
            return out
        if not self.computes:
            return self.span.write(out, joined(self.forecasts))
        assert self.before is not None
        after = self.span.read_out(out, self.before.shape[1])
        for (memory, rows), forecast in zip(self.groups, self.forecasts, strict=True):
            if forecast is None:
                self.remember(memory, rows, after[rows] - self.before[rows])
        if all(forecast is None for forecast in self.forecasts):
            return out
        pairs = zip(self.groups, self.forecasts, strict=True)
        return self.span.write(
            out, joined([after[rows] if one is None else one for (_, rows), one in pairs])
        )

    def remember(self, memory: Memory, rows: slice, residual: torch.Tensor) -> None:
        memory.push(residual, self.sigma_of(rows), self.state.settings.kept_evaluations)

    def sigma_of(self, rows: slice) -> torch.Tensor:
        """Noise levels of rows of the running group, on the device of its tokens."""
        sigma = self.sigma
        if self.rows is not None:  # one by one: a list as an index would wait for the device
            sigma = torch.stack([sigma[row] for row in self.rows])
        return sigma[rows].to(self.device)

    def cache_bytes(self, args: dict, tokens: torch.Tensor, rows: int) -> int:
        """What the method will keep for `rows` rows of these tokens."""
        per_row = tokens[0].numel() * tokens.element_size()
        return self.state.settings.kept_evaluations * per_row * rows

    def _groups(self, args: dict, tokens: torch.Tensor) -> list[RowGroup]:
        """Prompt, memory and rows of the tokens; none where rows are not what was announced."""
        self.rows = (args.get("transformer_options") or {}).get(ROWS)
        self.device = tokens.device
        announced = self.sigma.shape[0] if self.rows is None else len(self.rows)
        if tokens.shape[0] != announced or announced % len(self.tracks):
            return []
        count = announced // len(self.tracks)
        items = None if self.rows is None else tuple(self.rows[:count])
        groups = []
        for k, track in enumerate(self.tracks):
            for part in self.parts(count):
                rows = slice(k * count + part.start, k * count + part.stop)
                memory = track.memories.get((items, part.start))
                if memory is None:
                    self.state.reserve(self.cache_bytes(args, tokens, part.stop - part.start))
                    memory = track.memories[items, part.start] = Memory()
                groups.append((memory, rows))
        return groups

    def parts(self, count: int) -> list[slice]:
        """Which of a prompt's `count` rows are decided together: all."""
        return [slice(0, count)]

    def _forecast(self, group: RowGroup, tokens: torch.Tensor) -> torch.Tensor:
        memory, rows = group
        return extrapolate(memory.values, memory.sigmas, self.sigma_of(rows)).add_(tokens[rows])


class BlockHook:
    """What stands in the place of one block."""

    def __init__(self, call: Call, previous: Callable | None, first: bool, last: bool):
        self.call, self.previous, self.first, self.last = call, previous, first, last

    def __call__(self, args: dict, extra: dict) -> dict:
        if self.first:
            self.call.begin(args)
        out = self.call.block(args, extra, self.previous)
        return self.call.end(out) if self.last else out


def joined(parts: list) -> torch.Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def tracks_of(state: RunState, options: dict) -> list[Track]:
    """One track for each prompt of the call."""
    kind = guidance_kind(options)
    keys: list[Hashable] = [(uuid, kind) for uuid in options["uuids"]]
    return [state.track(key) for key in keys]
