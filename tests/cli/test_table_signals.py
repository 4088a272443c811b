"""Ctrl-C reaches a command while pyarrow reads a table for it."""

import subprocess
import sys

# A file that interrupts its reader. Python's own handler writes to the wakeup pipe at once; one of pyarrow would not.
DRIVER = """
import io, os, select, signal
from linreg.cli.cold_start import prepare_for_tables

prepare_for_tables()
import pyarrow.csv

class Interrupting(io.BytesIO):
    def read(self, size=-1):
        os.kill(os.getpid(), signal.SIGINT)
        print("at once" if select.select([wakeup], [], [], 2)[0] and os.read(wakeup, 64) else "later")
        return super().read(size)

wakeup, end = os.pipe()
os.set_blocking(end, False)
signal.set_wakeup_fd(end)
signal.signal(signal.SIGINT, lambda number, _: None)
pyarrow.csv.read_csv(Interrupting(b"a,b" + bytes([10]) + b"1,2"))
"""


def test_pyarrow_holds_no_signal_back():
    ran = subprocess.run([sys.executable, "-c", DRIVER], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert set(ran.stdout.splitlines()) == {"at once"}
