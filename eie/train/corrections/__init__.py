"""`eie train corrections`: what clicks select, the first one and those that correct."""
