"""Stage 2: the diffusion decoder (paper §3.3, §3.4), and the data that it is trained on."""
