"""One fresh process: it reads a job, times rounds of calls and writes a result."""
