"""The commands: each file reads its options, lets the rooms below do the work, and shows the result."""
