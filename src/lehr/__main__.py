"""`python -m lehr` and the `lehr` command."""

import sys

from lehr.extras import MissingExtra, needs


def main() -> int:
    """Run the command line.

    Returns:
        The exit code; 2 if click is not installed.
    """
    try:
        with needs("the command line", "cli", "click"):
            # Loads click, which is an extra.
            from lehr.cli import run
    except MissingExtra as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    return run()


if __name__ == "__main__":
    sys.exit(main())
