"""``python -m xdr_bench``, and the command ``xdr``: by way of this package, which sees to it that ``harness`` is ours."""

from harness.cli import main

if __name__ == "__main__":
    main()
