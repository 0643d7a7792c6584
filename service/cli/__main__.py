"""`python -m service.cli`: how the stack starts its own parts."""

from service.cli import main

if __name__ == "__main__":
    main()
