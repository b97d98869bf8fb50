from __future__ import annotations

import torch

# The tensors here are small, and a second thread waits for whatever else the machine runs.
torch.set_num_threads(1)
