"""What is timed: subjects and variants, and the files and outputs that they need before anything is timed."""
