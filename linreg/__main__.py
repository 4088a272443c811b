"""Entry point of `python -m linreg` and of the program `linreg`."""

import signal


def main() -> None:
    """Run the command line.

    Until the command line installs its own signal handlers, Ctrl-C ends the process silently.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from _linreg import load_own_packages

    load_own_packages()
    from linreg.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
