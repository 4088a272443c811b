"""Work in one fresh process: read a job, time rounds of calls, and write a result."""
