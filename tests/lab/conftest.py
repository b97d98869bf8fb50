from __future__ import annotations

import pytest
import torch

# The tensors here are small, and a second thread waits for whatever else the machine runs.
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def one_thread():
    """One again after a test of a command, which takes more."""
    yield
    torch.set_num_threads(1)
