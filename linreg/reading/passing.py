"""Columns that pass through, the same in every file of a table."""

from collections.abc import Sequence

import pyarrow as pa

from linreg.errors import DataError


def common_kind(kinds: Sequence[pa.DataType]) -> pa.DataType:
    """Return the type of a column whose type differs between files: one that holds the values of all, or the first.

    Writers give a column without values the type null, and others the narrowest type.
    """
    try:
        schemas = [pa.schema([("", kind)]) for kind in dict.fromkeys(kinds)]
        return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except pa.ArrowException:
        return kinds[0]


def with_schema(passed: pa.RecordBatch | None, schema: pa.Schema, origin: str) -> pa.RecordBatch | None:
    """Return columns with the names that they have in the first file, and the types of all files.

    Args:
        passed: the columns as they stand in a file.
        schema: their names and types.
        origin: what messages call the file.

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
                "other files; give every file the same types, or leave the column out of --columns"
            ) from None
    return pa.record_batch(columns, schema=schema)
