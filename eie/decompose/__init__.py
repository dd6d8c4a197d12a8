"""Taking a photo apart: query grid, SAM affinity, assignment, connectivity (paper §3.1)."""
