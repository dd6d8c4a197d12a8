"""The latent autoencoder of the tiny diffusion decoder."""
