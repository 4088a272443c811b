"""The result of verifying a bundle."""

from dataclasses import dataclass
from pathlib import Path

from export.formats.names import Format
from linreg.escaping import html_table, text_table

HEADINGS = ("file", "compared with", "cases", "error / allowed", "bit-equal")
"""Bit-equal to the test vectors, or to the outputs of eager mode if compared with the oracle."""


SAID = {True: "yes", False: "no", None: "not compared"}
"""What a table says about bytes."""


@dataclass(frozen=True, kw_only=True)
class VerifiedFile:
    """One artifact, compared with one source of expected outputs.

    Attributes:
        format: format of the artifact.
        file: its name in the bundle.
        against: source of the expected outputs, `test vectors` or `float64 oracle`.
        cases: number of inputs that were run.
        worst_error: largest error, as a multiple of the allowed error; at most 1.
        bytes_equal: every output has the same bytes as the test vectors, or as the module in eager mode; None if they
            were not compared, since torch was not loaded.
        not_tried: cases that would have exceeded the budget, with what they would take.
    """

    format: Format
    file: str
    against: str
    cases: int
    worst_error: float
    bytes_equal: bool | None
    not_tried: tuple[str, ...] = ()

    def cells(self) -> list[str]:
        """Return this result as a table row, with one cell for each of `HEADINGS`."""
        equal = SAID[self.bytes_equal]
        return [self.file, self.against, str(self.cases), f"{self.worst_error:.3f}", equal]


@dataclass(frozen=True, kw_only=True, repr=False)
class VerifiedBundle:
    """The result of `verify`.

    Attributes:
        path: the bundle, or the single artifact that was verified.
        rows: one result per artifact and source of expected outputs.
        files: names of all artifacts to verify.
        not_run: names of artifacts that were not run, because they are programs that this user did not export.
    """

    path: Path
    rows: tuple[VerifiedFile, ...]
    files: tuple[str, ...]
    not_run: tuple[str, ...] = ()

    def __repr__(self) -> str:
        worst = max((row.worst_error for row in self.rows), default=0.0)
        run = len(self.files) - len(self.not_run)
        return f"VerifiedBundle({str(self.path)!r}, {run} of {len(self.files)} artifacts, error / allowed {worst:.3f})"

    def __str__(self) -> str:
        return text_table(HEADINGS, [row.cells() for row in self.rows], left=3)

    def _repr_html_(self) -> str:
        return html_table(HEADINGS, [row.cells() for row in self.rows], caption=str(self.path))
