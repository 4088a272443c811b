"""The runtimes of deploy/, timed beside Python."""
