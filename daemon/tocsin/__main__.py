"""The command `tocsin`, which is `python -m tocsin` too."""

import gc


def main() -> None:
    """Run what the command line says."""
    # All that is loaded stays; to look through it for garbage meanwhile took a third of the time until it pages.
    gc.disable()
    from tocsin.cli import main as command  # noqa: PLC0415 (only now)

    gc.freeze()
    gc.enable()
    command()


if __name__ == "__main__":
    main()
