"""The engine: one call of the network, its rows by prompt, and what stands for its blocks."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import torch

from ..families.blocks import BlockKey, Blocks
from ..sampling.keys import ROWS
from .caches import RunState
from .hooks import Span, guidance_kind, replaced
from .memory import Memory, Track
from .passes import Evaluation, Group, Pass


class Call:
    """Replaces blocks in one call of the guided model, so that they run as the policy decides.

    Rows of the call are the pictures of the batch, once for each prompt: chunk-major. Residuals
    are what all blocks of the range add to the tokens; the embedding, what ControlNets add after
    the last block, and the final layer run at every step.

    sigma    (rows,) noise levels.
    options  the transformer_options to call the network with.
    running  the pass through the blocks; between two, one that leaves all as it is.
    """

    def __init__(self, state: RunState, blocks: Blocks, options: dict, sigma: torch.Tensor):
        self.state, self.blocks, self.sigma = state, blocks, sigma
        self.policy = state.settings.policy
        self.running = Pass()
        self.given = options
        begun = self.policy.begin(options, lambda: self.running)
        self.tracks = tracks_of(state, options)
        self.evaluations = [track.evaluations for track in self.tracks]
        keys = blocks.keys
        chosen = [keys[k] for k in self.policy.blocks(len(keys))]
        # After the last block nothing reads the text.
        self.span = Span(text=chosen[-1] != keys[-1])
        self.options = replaced(begun, self._hooks(chosen))
        for track in self.tracks:
            track.evaluations += 1

    def _hooks(self, blocks: list[BlockKey]) -> dict[BlockKey, BlockHook]:
        others = self.given.get("patches_replace", {}).get("dit", {})
        may_skip = any(map(self.policy.may_skip, self.evaluations))
        hooks = {}
        for key in blocks:
            first, last = key == blocks[0], key == blocks[-1]
            # Where all rows are computed, only the ends matter: compiled graphs stay whole.
            if first or last or may_skip:
                hooks[key] = BlockHook(self, others.get(key), first, last)
        return hooks

    # What follows runs inside the network, once for each group of rows of RALU's mixed stage.

    def begin(self, args: dict) -> None:
        """Before the first block: the policy decides."""
        tokens = self.span.read(args)
        rows = (args.get("transformer_options") or {}).get(ROWS)
        sigma = self.sigma
        if rows is not None:  # one by one: a list as an index would wait for the device
            sigma = torch.stack([sigma[row] for row in rows])
        self.running = Pass()
        if groups := self._groups(args, tokens, rows):
            self.running = self.policy.start(
                Evaluation(groups, args, tokens, sigma, self.span, self.blocks, self.given)
            )
        self.state.note(self.running.kind)

    def end(self, out: dict) -> dict:
        """After the last block."""
        running, self.running = self.running, Pass()
        return running.end(out)

    def _groups(self, args: dict, tokens: torch.Tensor, rows: list[int] | None) -> list[Group]:
        """The tokens' rows by prompt; none where they are not what was announced.

        rows  of the whole call that these are; None: all.
        """
        announced = self.sigma.shape[0] if rows is None else len(rows)
        if tokens.shape[0] != announced or announced % len(self.tracks):
            return []
        count = announced // len(self.tracks)
        items = None if rows is None else tuple(rows[:count])
        groups = []
        for k, (track, evaluation) in enumerate(zip(self.tracks, self.evaluations, strict=True)):
            for part in self.policy.parts(count):
                memory = track.memories.get((items, part.start))
                if memory is None:
                    cost = self.policy.cost(args, tokens, self.blocks)
                    self.state.reserve(track, cost * (part.stop - part.start))
                    memory = track.memories[items, part.start] = Memory()
                lie = slice(k * count + part.start, k * count + part.stop)
                groups.append(Group(memory, lie, evaluation))
        return groups


class BlockHook:
    """What stands in the place of one block."""

    def __init__(self, call: Call, previous: Callable | None, first: bool, last: bool):
        self.call, self.previous, self.first, self.last = call, previous, first, last

    def __call__(self, args: dict, extra: dict) -> dict:
        if self.first:
            self.call.begin(args)
        out = self.call.running.block(args, extra, self.previous)
        return self.call.end(out) if self.last else out


def tracks_of(state: RunState, options: dict) -> list[Track]:
    """One track for each prompt of the call. The host puts a prompt with an area among the negative
    ones, too, under the same uuid: their sides tell them apart."""
    kind, sides = guidance_kind(options), tuple(options.get("cond_or_uncond", ()))
    prompts: list[Hashable] = [
        (uuid, sides[k : k + 1], kind) for k, uuid in enumerate(options["uuids"])
    ]
    return [state.track(prompt) for prompt in prompts]
