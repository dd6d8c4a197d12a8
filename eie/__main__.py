"""`python -m eie` is the `eie` command."""

from eie_command import main

main()
