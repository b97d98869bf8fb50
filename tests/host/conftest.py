"""Host tests import the real ComfyUI into this process and load the pack as ComfyUI does."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)  # the models are tiny, and a second thread waits for whatever else runs

ROOT = Path(__file__).resolve().parents[2]
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != ROOT]
sys.path.append(str(ROOT))  # last, so that `nodes` is ComfyUI's and `demo` is still found

from demo.host import activate  # noqa: E402

activate()


def load_pack():
    """Import the repository as a custom node pack under a name of its own."""
    name = "ralu_pack"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            name, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
        )
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


load_pack()


def pytest_configure(config):
    config.addinivalue_line("markers", "promise(text): a line of the README's compatibility table")


@pytest.fixture(autouse=True)
def inference_mode():
    """ComfyUI runs every node without gradients."""
    with torch.inference_mode():
        yield


@pytest.fixture(scope="session")
def flux_weights():
    from demo import tiny

    return tiny.flux_weights(seed=1)


@pytest.fixture(scope="session")
def sd3_weights():
    from demo import tiny

    return tiny.sd3_weights(seed=2)


@pytest.fixture
def flux(flux_weights):
    from demo import tiny

    return tiny.load_model(flux_weights)


@pytest.fixture
def sd3(sd3_weights):
    from demo import tiny

    return tiny.load_model(sd3_weights)


@pytest.fixture(params=["flux", "sd3"])
def model(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def vae():
    from demo import tiny

    return tiny.load_vae(tiny.taesd_weights(seed=3))
