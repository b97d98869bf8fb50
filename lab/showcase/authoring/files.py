"""The model files that the workflows name, and where they come from."""

from __future__ import annotations

from lab.showcase.authoring.sheet import ModelFile

COMFY_ORG, ENCODERS, STABILITY = (
    "https://huggingface.co/Comfy-Org",
    "https://huggingface.co/comfyanonymous/flux_text_encoders/resolve/main",
    "https://huggingface.co/stabilityai",
)
SD35 = f"{COMFY_ORG}/stable-diffusion-3.5-fp8/resolve/main"
CLIP_L = ModelFile("clip_l.safetensors", f"{ENCODERS}/clip_l.safetensors", "text_encoders")
CLIP_G = ModelFile(
    "clip_g.safetensors", f"{SD35}/text_encoders/clip_g.safetensors", "text_encoders"
)
T5 = ModelFile("t5xxl_fp16.safetensors", f"{ENCODERS}/t5xxl_fp16.safetensors", "text_encoders")
FLUX_VAE = ModelFile(
    "ae.safetensors",
    f"{COMFY_ORG}/Lumina_Image_2.0_Repackaged/resolve/main/split_files/vae/ae.safetensors",
    "vae",
)


def checkpoint(repository: str, name: str) -> ModelFile:
    return ModelFile(name, f"{repository}/{name}", "checkpoints")


def flux_file(kind: str, repository: str = "", folder: str = "") -> ModelFile:
    name = f"flux1-{kind}.safetensors"
    url = f"{COMFY_ORG}/flux1-{repository or kind}/resolve/main/{folder}{name}"
    return ModelFile(name, url, "diffusion_models")


FLUX_DEV, FLUX_SCHNELL = flux_file("dev"), flux_file("schnell")
FLUX_CHECKPOINT = checkpoint(f"{COMFY_ORG}/flux1-dev/resolve/main", "flux1-dev-fp8.safetensors")
FLUX_FILL = flux_file("fill-dev", "dev", "split_files/diffusion_models/")
FLUX_FILES = (CLIP_L, T5, FLUX_VAE)  # beside any Flux
LORA = ModelFile(
    "flux_realism_lora.safetensors",
    "https://huggingface.co/comfyanonymous/flux_RealismLora_converted_comfyui/resolve/main/"
    "flux_realism_lora.safetensors",
    "loras",
)
CONTROLNET = ModelFile(
    "FLUX.1-dev-ControlNet-Union-Pro-2.0.safetensors",
    "https://huggingface.co/Shakker-Labs/FLUX.1-dev-ControlNet-Union-Pro-2.0/resolve/main/"
    "diffusion_pytorch_model.safetensors",
    "controlnet",
)
UPSCALER = ModelFile(
    "RealESRGAN_x4plus.safetensors",
    f"{COMFY_ORG}/Real-ESRGAN_repackaged/resolve/main/RealESRGAN_x4plus.safetensors",
    "upscale_models",
)
SD3_MEDIUM = checkpoint(
    f"{STABILITY}/stable-diffusion-3-medium/resolve/main",
    "sd3_medium_incl_clips_t5xxlfp8.safetensors",
)
SD35_LARGE = checkpoint(SD35, "sd3.5_large_fp8_scaled.safetensors")
SD35_TURBO = checkpoint(
    f"{STABILITY}/stable-diffusion-3.5-large-turbo/resolve/main", "sd3.5_large_turbo.safetensors"
)
