"""Write a table as a stream of record batches: CSV, plain or gzip, Parquet, or a folder of Parquet files."""
