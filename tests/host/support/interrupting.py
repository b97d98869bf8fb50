"""Stop a run at a call of its network, and look whether that left something on the MODEL."""

from __future__ import annotations

from contextlib import contextmanager

# What ComfyUI's own Anima keeps of its last call.
LAST_CALL = ("affline_scale_log_info", "affline_emb", "crossattn_emb")


def traces(model) -> tuple:
    """Everything of a MODEL that a run might leave something on."""
    network = model.model.diffusion_model
    return (
        {key: value for key, value in vars(network).items() if key not in LAST_CALL},
        {name: {*module.__dict__} for name, module in network.named_modules()},
        set(model.model.__dict__),
        {**model.wrappers},
        {**model.object_patches},
        {**model.object_patches_backup},
        {k: v for k, v in model.model_options.items() if k != "transformer_options"},
        {**model.model_options["transformer_options"]},
        len(model.patches),
    )


@contextmanager
def at_call(model, number: int, act):
    """Let `act` run as the network's call of that number begins."""
    calls = []

    def count(*_):
        calls.append(None)
        if len(calls) == number + 1:
            act()

    network = model.model.diffusion_model
    hooks = network._forward_pre_hooks.copy()
    handle = network.register_forward_pre_hook(count)
    try:
        yield calls
    finally:
        handle.remove()
        assert network._forward_pre_hooks == hooks
