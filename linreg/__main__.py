"""Entry point of `python -m linreg` and of the program `linreg`."""

import gc
import signal


def main() -> None:
    """Run the command line.

    Until the command line installs its own signal handlers, Ctrl-C ends the process silently. What is imported is never
    collected; looking for garbage in it would take a tenth of the CPU time of a short command.
    """
    gc.disable()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from _linreg import load_own_packages

    load_own_packages()
    from linreg.cli.main import main as run

    gc.freeze()
    gc.enable()
    run()


if __name__ == "__main__":
    main()
