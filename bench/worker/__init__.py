"""One fresh process: a job comes in, rounds of calls are timed, results go out."""
