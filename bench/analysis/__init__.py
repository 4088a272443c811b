"""From block times to claims: statistics, rows, the gate and the self-check; nothing is printed here."""
