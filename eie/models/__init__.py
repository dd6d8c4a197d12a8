"""Networks, the segmenters and element models made of them, and where their weights come from."""
