"""`python -m trunkline`: the same as the `trunkline` command."""

import sys

from trunkline.cli import main

if __name__ == "__main__":
    sys.exit(main())
