"""`python -m linreg`, and the program `linreg`."""

import signal


def main() -> None:
    """Run the command line; until it handles signals itself, an interruption is silent."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from _linreg import load_own_packages

    load_own_packages()
    from linreg.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
