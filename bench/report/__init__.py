"""The report, a type that reads and writes its JSON, and what is made from it: tables, page, plots and the gate."""
