"""`python -m service.cli`: how the stack starts its own parts."""

from service.cli import main

main()
