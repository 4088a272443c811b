"""The report, which reads and writes bench.json, and what is made from it: tables, page, plots and the gate."""
