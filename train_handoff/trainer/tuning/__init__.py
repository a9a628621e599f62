"""Instruction tuning: examples of prompts and completions, packed into rows that the loop of pretraining reads."""
