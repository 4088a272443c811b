"""`python -m linreg`, and the program `linreg`."""

import signal


def main() -> None:
    """Run the command line; an interruption before it takes care of signals itself is silent."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from linreg.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
