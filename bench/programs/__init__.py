"""Time the runtimes of deploy/ beside Python."""
