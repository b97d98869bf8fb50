"""Let torchvision's CUDA build be imported beside a CPU-only torch.

The registries' torchvision is compiled for CUDA, so its operators cannot load without a CUDA
torch. ComfyUI needs only its Python part, but `import torchvision` fails while describing two of
the missing operators. This start-up module makes those two descriptions no-ops.

On PYTHONPATH it works by being named sitecustomize; in a running process call `apply()`.
"""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder


class _BeforeTorchvision(MetaPathFinder):
    """Patches torch when torchvision is first looked for; finds no module itself.

    Importing torch any earlier would make ComfyUI warn about it.
    """

    def find_spec(self, fullname, path=None, target=None):
        if fullname == "torchvision":
            sys.meta_path.remove(self)
            _ignore_torchvision_operators()
        return None


def _ignore_torchvision_operators() -> None:
    import torch

    if torch.version.cuda is not None:
        return
    register_fake = torch.library.register_fake

    def register_known_fake(op, *args, **kwargs):
        if isinstance(op, str) and op.startswith("torchvision::"):
            return lambda function: function
        return register_fake(op, *args, **kwargs)

    torch.library.register_fake = register_known_fake


def apply() -> None:
    """Make a later `import torchvision` work in this process; does nothing with a CUDA torch."""
    if not any(isinstance(finder, _BeforeTorchvision) for finder in sys.meta_path):
        sys.meta_path.insert(0, _BeforeTorchvision())


if __name__ == "sitecustomize":
    apply()
