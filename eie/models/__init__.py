"""Networks, the segmenters and element models made of them, and where their weights come from.

segmenter                               loading what cuts photos: the bundled one, or any Sam
tiny_sam, sam_*, object_head            its networks
content_checkpoints                     loading and saving what embeds patches and shows them
content_encoder, light_decoder          its networks (stage 1), and what they consist of:
                                        linear_code, local_attention, patch_compositing
diffusion_checkpoints, pipeline         loading, saving and running what denoises (stage 2)
element_attention, latent_autoencoder   its networks beside the U-Net
from_stable_diffusion                   stage 2's start
hub, weight_files, model_cache          where weights are: folders, the hub, in memory
graph, *_graphs                         the bundled networks as ONNX graphs, without PyTorch
"""
