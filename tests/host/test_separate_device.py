"""The device of the tests has memory of its own, as a GPU has."""

from __future__ import annotations

import pytest
import torch
from own_memory_device import DEVICE, separate_device


def test_the_device_refuses_what_a_gpu_refuses():
    with separate_device():
        there, here = torch.ones(4, device=DEVICE), torch.ones(4)
        assert (there + there).device == DEVICE and (there * here.sum()).device == DEVICE
        with pytest.raises(RuntimeError, match="two devices"):
            _ = there + here
        with pytest.raises(RuntimeError, match="two devices"):
            _ = here[there > 0]
        with pytest.raises(RuntimeError, match="generator of the CPU"):
            torch.randn(4, device=DEVICE, generator=torch.Generator())
        with pytest.raises(TypeError, match="no numpy array"):
            there.numpy()


def test_what_moves_to_the_device_or_back_shares_no_memory():
    with separate_device():
        there, here = torch.ones(4, device=DEVICE), torch.ones(4)
        moved, back = here.to(DEVICE), there.cpu()
        moved += 1
        back += 1
        assert torch.equal(here, torch.ones(4)) and torch.equal(there.cpu(), here)
        there[1:] = 3
        assert torch.equal(there.cpu(), torch.tensor([1.0, 3, 3, 3]))


def test_the_device_tells_what_would_wait():
    with separate_device() as device:
        there = torch.ones(4, device=DEVICE)
        there.to("cpu", torch.float32)
        here = torch.ones(4).to(DEVICE)
        here.copy_(torch.zeros(4))
        assert device.waits == ["to", "to", "copy_"]
        del device.waits[:]
        torch.ones(4).to(DEVICE, non_blocking=True)
        there.repeat_interleave(2)
        assert not device.waits
        there.sum().item()
        there[there > 0]
        there.nonzero()
        there[torch.tensor([0, 1])]
        there[[0, 1]]
        torch.tensor(1.0, device=DEVICE)
        assert len(device.waits) == 6
