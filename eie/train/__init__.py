"""Training of the embedded models: one loop, one module per stage."""
