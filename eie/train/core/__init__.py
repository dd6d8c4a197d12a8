"""What the stages share: data, loop, logs, settings."""
