"""Datatrove's executors, so that a run neither hangs nor is lost: local, Slurm and Ray, and what they note on disk."""
