"""The real ComfyUI in the tests' process, the pack loaded as ComfyUI does, and small models.

A conftest that imports these names makes its folder's tests run inside ComfyUI.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)  # the models are tiny, and a second thread waits for whatever else runs

ROOT = Path(__file__).resolve().parents[3]
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != ROOT]
sys.path.append(str(ROOT))  # last, so that `nodes` is ComfyUI's and `lab` is still found

from lab.comfy import activate, ralu_pack  # noqa: E402

activate()
ralu_pack.import_pack()

from lab.models import tiny  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "promise(text): a line of the README's compatibility table")
    config.addinivalue_line("markers", "every_case: none is left out where tests have few cases")


@pytest.fixture(autouse=True)
def inference_mode():
    """ComfyUI runs every node without gradients."""
    with torch.inference_mode():
        yield


@pytest.fixture(scope="session")
def flux_weights():
    return tiny.flux_weights(seed=1)


@pytest.fixture(scope="session")
def sd3_weights():
    return tiny.sd3_weights(seed=2)


@pytest.fixture
def flux(flux_weights):
    return tiny.load_model(flux_weights)


@pytest.fixture
def sd3(sd3_weights):
    return tiny.load_model(sd3_weights)


@pytest.fixture(params=["flux", "sd3"])
def model(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def vae():
    return tiny.narrow_taesd(seed=3)
