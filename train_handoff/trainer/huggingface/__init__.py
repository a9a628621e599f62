"""Checkpoints to Hugging Face's LLaMA layout and back."""
