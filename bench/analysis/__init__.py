"""Turn block times into claims: statistics, the rows of a report, and the self-check; nothing is printed here."""
