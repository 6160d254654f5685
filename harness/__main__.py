"""``python -m harness``: the command ``xdr``."""

from harness.cli import main

if __name__ == "__main__":
    main()
