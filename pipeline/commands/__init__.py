"""One verb of the command line a file; heavy imports happen inside the functions."""
