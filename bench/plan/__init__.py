"""Plan what to time: the models and rows, and the files and expected outputs that they need."""
