"""`python -m csoftmax`: the command line."""

import sys

from csoftmax.cli import main

if __name__ == "__main__":
    sys.exit(main())
