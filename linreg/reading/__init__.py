"""Read tables: CSV, Parquet or any Arrow table in memory, with columns chosen by name."""
