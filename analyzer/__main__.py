"""`python -m analyzer` is `interference`."""

from analyzer.cli import main

if __name__ == "__main__":  # worker processes import this module too
    main()
