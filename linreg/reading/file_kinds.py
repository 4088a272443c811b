"""Recognise files that are not tables by their first bytes, and say how to convert them."""

import json
import re

from linreg.errors import DataError

SAVE = "save it as 'CSV UTF-8'"
UNPACK = "decompress it first"
CONVERT = "write it as CSV or Parquet"

# (first bytes, what the file is, what to do)
KINDS = (
    (b"\xfd7zXZ\0", "is compressed with xz", f"{UNPACK}: unxz FILE"),
    (b"\xff\x06\0\0sNaPpY", "is compressed with Snappy", UNPACK),
    (b"\x1f\x9d", "is compressed with compress", f"{UNPACK}: uncompress FILE"),
    (b"7z\xbc\xaf\x27\x1c", "is a 7-Zip archive", UNPACK),
    (b"Rar!\x1a\x07", "is a RAR archive", UNPACK),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is an old Excel workbook (xls), or password-protected", SAVE),
    (b"ARROW1\0\0", "is Feather (Arrow IPC)", "write Parquet: pandas.read_feather(FILE).to_parquet(OTHER)"),
    (b"\xff\xff\xff\xff", "is an Arrow IPC stream", "write Parquet"),
    (b"Obj\x01", "is Avro", CONVERT),
    (b"SQLite format 3\0", "is an SQLite database", "write one of its tables as CSV or Parquet"),
    (b"\x89HDF\r\n\x1a\n", "is HDF5", CONVERT),
    (b"CDF\x01", "is netCDF", CONVERT),
    (b"CDF\x02", "is netCDF", CONVERT),
    (b"\x93NUMPY", "is a NumPy array", f"{CONVERT}, with column names"),
    (b"MATLAB 5.0 MAT-file", "is a MATLAB file", CONVERT),
    (b"RDX2\n", "is R data", f"{CONVERT}: write.csv(table, FILE, row.names = FALSE)"),
    (b"RDX3\n", "is R data", f"{CONVERT}: write.csv(table, FILE, row.names = FALSE)"),
    (b"X\n\0\0\0", "is R data (rds)", f"{CONVERT}: write.csv(table, FILE, row.names = FALSE)"),
    (b"$FL2", "is an SPSS file", CONVERT),
    (b"%PDF-", "is PDF", "get the table itself, as CSV"),
    (b"<", "is HTML or XML, expected a CSV", "fetch the file that the page links to, or save the table as CSV"),
    (b"version https://git-lfs", "is a Git LFS pointer, expected a CSV", "fetch the file itself: git lfs pull"),
)
# (bytes inside a zip archive, what it is, what to do); the first match counts
ZIPS = (
    (b"xl/workbook", "is an Excel workbook", SAVE),
    (b"application/vnd.oasis.opendocument.spreadsheet", "is an OpenDocument workbook", SAVE),
    (b"Index/Document.iwa", "is a Numbers workbook", SAVE),
    (b"/data.pkl", "was written by torch.save", "a table is CSV or Parquet; a model is given with -m"),
    (b".npy", "is a NumPy archive (npz)", f"{CONVERT}, with column names"),
    (b"", "is a zip archive", f"{UNPACK}: unzip FILE"),
)
UTF_8_MARK = b"\xef\xbb\xbf"


def check_kind(name: str, raw: bytes, end: bytes = b"") -> None:
    """Check that a file may be a CSV in UTF-8: not empty, not binary, and not another kind of text.

    Args:
        name: what messages call the file.
        raw: its first bytes, unpacked.
        end: its last bytes; those of a compressed file or a pipe are not known.

    Raises:
        DataError: the file cannot be a CSV; the message names the kind of file and what to do.
    """
    start = raw[:512].removeprefix(UTF_8_MARK).lstrip()
    if not start or (len(raw) < 3 and UTF_8_MARK.startswith(raw)):
        rest = " (it holds nothing but a byte order mark)" if raw[:1] == UTF_8_MARK[:1] else ""
        raise DataError(f"{name}: is empty{rest}, expected a CSV or Parquet table; write or fetch it again")
    if raw[:4] in (b"\xff\xfe\0\0", b"\0\0\xfe\xff"):
        raise DataError(f"{name}: is UTF-32, expected UTF-8; save it again as 'CSV UTF-8'")
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff") or _every_second_is_zero(raw[:64]):
        raise DataError(f"{name}: is UTF-16, expected UTF-8; save it again as 'CSV UTF-8'")
    what, remedy = _kind(raw, start, end or raw)
    if what:
        expected = "" if "expected" in what else ", expected CSV or Parquet"
        raise DataError(f"{name}: {what}{expected}; {remedy}")
    if (zero := raw.find(b"\0")) >= 0:
        raise DataError(
            f"{name}: has a zero byte at offset {zero}, expected text; is it a binary file? Write it as CSV or Parquet"
        )


def _kind(raw: bytes, start: bytes, end: bytes) -> tuple[str, str]:
    """Return what a file is if it is not a CSV, and what to do about it; otherwise return two empty strings."""
    if raw[:4] == b"PK\x03\x04":
        return next((what, remedy) for inside, what, remedy in ZIPS if inside in raw or inside in end)
    # A column name could begin with these bytes, so a second marker elsewhere in the file must match too.
    if raw[:3] == b"ORC" and end[-4:-1] == b"ORC":
        return "is ORC", CONVERT
    if raw[:4] == end[-4:] == b"FEA1":
        return "is Feather, version 1", "write Parquet: pandas.read_feather(FILE).to_parquet(OTHER)"
    if raw[:4] == end[-4:] == b"PARE":
        return "is encrypted Parquet", "write it without encryption"
    if raw[257:262] == b"ustar":
        return "is a tar archive", f"{UNPACK}: tar -xf FILE"
    if re.match(rb"\x80[\x02-\x05][\x80-\xff(\[\]}c]", raw):
        return "is a Python pickle", f"{CONVERT}, with the program that made it"
    first_line, _, rest = raw.partition(b"\n")
    if re.match(rb'\{\s*"|\{\s*\}|\[\s*[\[{]', start) or (start[:1] == b"[" and _is_json(first_line)):
        return "is JSON lines" if rest.strip() and _is_json(first_line) else "is JSON", CONVERT
    for first, what, remedy in KINDS:
        if (start if first[:1].isascii() and first[:1] in b"<v" else raw).startswith(first):
            return what, remedy
    return "", ""


def _every_second_is_zero(text: bytes) -> bool:
    return len(text) > 2 and any(not any(text[first::2]) and all(text[1 - first :: 2]) for first in (0, 1))


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line[: 2**20])
    except (ValueError, RecursionError):
        return False
    return True
