"""Names of the files of a network in diffusers' layout."""

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "diffusion_pytorch_model.safetensors"
