"""Check on real FLUX or SD3.5 weights what this repository's figures say of small models.

`make bench-real ARGS="--unet flux1-dev.safetensors --clip t5xxl_fp16.safetensors
clip_l.safetensors --vae ae.safetensors"` with COMFYUI_PATH set to a ComfyUI that has them.
"""
