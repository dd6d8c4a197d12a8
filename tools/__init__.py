"""What who develops eie runs, and nobody else: it needs the packages of extra `dev`."""
