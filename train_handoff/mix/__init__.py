"""The mix: which rows, in which order, and the jobs that write them."""
