"""`python -m lehr` and the `lehr` command."""

import sys

__all__ = ["main"]


def main() -> int:
    """Run the command line.

    Returns:
        1 where click or rich is missing; otherwise the command ends the process itself.
    """
    try:
        from lehr.cli import lehr

        lehr(prog_name="lehr")
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich"):
            raise
        print("The command line needs: pip install 'lehr[cli]'", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
