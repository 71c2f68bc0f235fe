"""``python -m finops_kit.cli`` is ``finops``."""

from finops_kit.cli import main

if __name__ == "__main__":
    main()
