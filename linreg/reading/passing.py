"""Columns that pass through, the same in every file of a table."""

import pyarrow as pa

from linreg.errors import DataError


def with_schema(
    passed: pa.RecordBatch | None, schema: pa.Schema, origin: str, first_origin: str
) -> pa.RecordBatch | None:
    """Return columns with the names and types that they have in the first file.

    Args:
        passed: the columns as they stand in a file.
        schema: their names and types in the first file.
        origin: what messages call the file.
        first_origin: what messages call the first file.

    Raises:
        DataError: a type cannot be converted.
    """
    if passed is None or (passed.schema.types == schema.types and passed.schema.names == schema.names):
        return passed
    columns = []
    for column, field in zip(passed.columns, schema, strict=True):
        try:
            columns.append(column.cast(field.type))
        except pa.ArrowException:
            raise DataError(
                f"{origin}: column {field.name!r}: is {column.type}, and cannot become {field.type} as in "
                f"{first_origin}; give every file the same types, or leave the column out of --columns"
            ) from None
    return pa.record_batch(columns, schema=schema)
