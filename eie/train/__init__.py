"""Training of the embedded models: one loop, a folder a stage.

    segmenter     photos that people segmented ⇒ what cuts photos into elements
    objects       things that people outlined ⇒ its object head, what a click stands for
    corrections   things that people outlined, simulated clicks ⇒ how further clicks correct one
    encoder       decomposed photos ⇒ content encoder and light decoder (stage 1, paper §3.2)
    autoencoder   photos ⇒ the latents of the tiny diffusion decoder
    diffusion     encoded photos, object masks ⇒ the diffusion decoder (stage 2, paper §3.3, §3.4)
    core          what they share: images, the loop, checkpoints, logs, settings

In each folder `settings` has all that determines a run and needs no torch, and `stage` model, data
and loss as :class:`eie.train.core.loop.Stage` has them.
"""
