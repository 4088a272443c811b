"""The report: its JSON, the tables of the terminal, the page and the plots."""
