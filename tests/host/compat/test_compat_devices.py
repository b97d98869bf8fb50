"""Several GPUs: what their threads share holds nothing that a call changes.

ComfyUI's own nodes for them are in test_compat_multigpu.py.
"""

from __future__ import annotations

import threading

import pytest
import torch
from comfy.patcher_extension import WrappersMP
from limits import noise, scattered

from driving import family, mixed_call
from lab.models import tiny
from ralu_pack.nodes.host.sampling.mixed_call import MixedCall
from ralu_pack.ralu_core.latents.layout import Layout


@pytest.fixture
def twin(request, model):
    """The same model again, with a network of its own."""
    return tiny.load_model(request.getfixturevalue(f"{family(model).lower()}_weights"))


@pytest.mark.promise("Several GPUs: nothing is shared that a call changes")
def test_a_mixed_call_holds_nothing_that_a_call_changes(model, twin):
    """Two threads, each with a network of its own, share one MixedCall and one layout."""
    layouts = [scattered(), uneven()]
    for layout in layouts:
        call = mixed_call(model, layout)
        copies = [model.model, twin.model]
        states = [noise(seed) for seed in (70, 71)]
        alone = [apply(base, call, x).clone() for base, x in zip(copies, states, strict=True)]
        before = {**call.__dict__}
        out: dict[int, list] = {0: [], 1: []}
        start = threading.Barrier(2)

        def work(i, call=call, copies=copies, states=states, out=out, start=start):
            with torch.no_grad():
                for _ in range(6):
                    start.wait()
                    out[i].append(apply(copies[i], call, states[i]))

        threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for i in range(2):
            assert len(out[i]) == 6 and all(torch.equal(alone[i], one) for one in out[i])
        assert call.__dict__ == before


def uneven() -> Layout:
    fine = scattered().fine.clone()
    fine[1, 0] = True
    return Layout(fine)


def apply(base, call: MixedCall, x: torch.Tensor) -> torch.Tensor:
    conditioning = tiny.conditioning(5, batch=2)
    options = {"wrappers": {WrappersMP.APPLY_MODEL: {"ralu": [call]}}}
    kwargs = {"guidance": torch.full((2,), 3.5)} if type(base).__name__ == "Flux" else {}
    return base.apply_model(
        x,
        torch.full((2,), 0.8),
        c_crossattn=conditioning[0][0],
        y=conditioning[0][1]["pooled_output"],
        transformer_options=options,
        **kwargs,
    )
