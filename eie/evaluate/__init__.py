"""Measures of quality, beside baselines: a module an evaluation, and what they share."""
