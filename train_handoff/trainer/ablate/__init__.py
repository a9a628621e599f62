"""Data judged by training: the same small model on each of several mixes, and which of them it does better on."""
