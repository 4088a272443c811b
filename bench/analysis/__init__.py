"""From block times to claims: statistics, the rows of a report, and the self-check; nothing is printed here."""
