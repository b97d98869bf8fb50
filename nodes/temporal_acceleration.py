"""RALU Temporal Acceleration: forecasts across steps, inside each stage or in a plain KSampler."""

from __future__ import annotations

import dataclasses
from functools import partial

from comfy_api.latest import io

from .host.families.inspect import inspect_model
from .host.families.words import ENGLISH
from .host.showing.status import show_line
from .host.sockets import check_counts, check_numbers, check_sockets
from .host.temporal.acceleration import Acceleration
from .host.temporal.attach import accelerate
from .host.temporal.policies import POLICIES
from .host.temporal.policies.taylorseer import MAX_ORDER
from .host.way_out import for_node_in_front
from .shared_inputs import CATEGORY, advanced, model_input, search_words

DEFAULT = Acceleration()


class TemporalAcceleration(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="RALU_TemporalAcceleration",
            display_name="RALU Temporal Acceleration",
            category=CATEGORY,
            description="Forecasts some steps from the steps before, so that they cost almost "
            "nothing. Works inside each stage of a RALU Sampler and in a plain KSampler, on "
            f"{ENGLISH.forecast()}.",
            inputs=_with_readers(
                model_input(ENGLISH.forecast()),
                io.Combo.Input(
                    "method",
                    options=list(POLICIES),
                    default=DEFAULT.method,
                    tooltip="TaylorSeer extrapolates the network's output. Delta-DiT holds a range "
                    "of blocks. ToCa computes the most urgent tokens only. TeaCache skips while "
                    "the input changes little.",
                ),
                io.Int.Input(
                    "interval",
                    default=DEFAULT.interval,
                    min=1,
                    max=100,
                    tooltip="TaylorSeer, Delta-DiT, ToCa: every N-th step is computed, the rest "
                    "skipped; 1 skips nothing. Their papers: 2 to 6.",
                ),
                io.Int.Input(
                    "order",
                    default=DEFAULT.order,
                    min=0,
                    max=MAX_ORDER,
                    tooltip="TaylorSeer: 0 holds the last computed step, 1 extends it by a line, 2 "
                    "by a parabola in the noise level. Less where fewer steps were computed.",
                ),
                io.Int.Input(
                    "warm_up",
                    default=DEFAULT.warm_up,
                    min=1,
                    max=100,
                    tooltip="TaylorSeer, Delta-DiT, ToCa: the first steps of every stage that are "
                    "computed in any case. Papers: 1 to 3.",
                ),
                io.Float.Input(
                    "threshold",
                    default=DEFAULT.threshold,
                    min=0.0,
                    max=10.0,
                    step=0.01,
                    tooltip="TeaCache: relative change of the first block's input that may add up "
                    "before a step is computed; 0 skips nothing.",
                ),
                *_expert_inputs(),
            ),
            outputs=[io.Model.Output(display_name="MODEL", tooltip="For any sampler.")],
            hidden=[io.Hidden.unique_id],
            not_idempotent=True,  # the MODEL tells this very node; another's would tell that one
            **search_words("ralu", "taylorseer", "teacache", "toca", "delta-dit", "cache"),
        )

    @classmethod
    def execute(
        cls,
        model,
        method,
        interval,
        order,
        warm_up,
        threshold,
        range_start=DEFAULT.range_start,
        range_end=DEFAULT.range_end,
        cached_ratio=DEFAULT.cached_ratio,
        max_memory=DEFAULT.max_memory,
    ) -> io.NodeOutput:
        check_sockets(model=model)
        check_counts(interval=interval, order=order, warm_up=warm_up)
        check_numbers(threshold=threshold, range_start=range_start, range_end=range_end)
        check_numbers(cached_ratio=cached_ratio, max_memory=max_memory)
        settings = Acceleration(
            method=method,
            interval=int(interval),
            order=int(order),
            warm_up=int(warm_up),
            range_start=range_start,
            range_end=range_end,
            cached_ratio=cached_ratio,
            threshold=threshold,
            max_memory=max_memory,
        )
        return io.NodeOutput(accelerated(model, settings, getattr(cls.hidden, "unique_id", None)))


def accelerated(model, settings: Acceleration, node_id: str | None = None):
    """A copy of the MODEL that skips as `settings` say. ValueError where it cannot.

    node_id  of the node to show on what each sampling call skipped, if any.
    """
    with for_node_in_front():
        facts = inspect_model(model)
    tell = partial(show_line, node_id)
    blocks = facts.family.blocks
    if blocks is None:
        raise ValueError(
            "RALU Temporal Acceleration replaces blocks that it knows, and those of this MODEL "
            f"({facts.family.short}) it does not: remove the node; it runs {ENGLISH.forecast()}."
        )
    return accelerate(model, settings, blocks=blocks, depth=facts.size.blocks, tell=tell)


def _with_readers(*inputs: io.Input) -> list[io.Input]:
    """The inputs; those that some methods do not read say which do, for `web` to hide them."""
    readers: dict[str, list[str]] = {}
    for method, policy in POLICIES.items():
        for field in dataclasses.fields(policy):
            readers.setdefault(field.name, []).append(method)
    for one in inputs:
        if one.id in readers:
            one.extra_dict["methods"] = readers[one.id]
    return list(inputs)


def _expert_inputs() -> list[io.Input]:
    shares = [
        advanced(
            io.Float.Input(
                name,
                default=default,
                min=0.0,
                max=1.0,
                step=0.01,
                tooltip=f"Delta-DiT: where the held blocks {where}, as a share of the network's "
                "depth. Flux's single blocks begin at 0.33.",
            )
        )
        for name, default, where in (
            ("range_start", DEFAULT.range_start, "begin"),
            ("range_end", DEFAULT.range_end, "end"),
        )
    ]
    ratio = advanced(
        io.Float.Input(
            "cached_ratio",
            default=DEFAULT.cached_ratio,
            min=0.0,
            max=0.99,
            step=0.01,
            tooltip="ToCa: share of tokens that skipped steps take from the cache; the rest is "
            "computed. Paper: 0.9.",
        )
    )
    memory = advanced(
        io.Float.Input(
            "max_memory",
            default=DEFAULT.max_memory,
            min=0.01,
            max=1000.0,
            step=0.1,
            tooltip="Most GB that caches may take beside the model; a stage that would need more "
            "stops before its first step.",
        )
    )
    return [*shares, ratio, memory]
