"""What is timed: subjects and variants, and the files and answers that they need before anything is timed."""
