"""The PyTorch FSDP trainer; torch is imported here and nowhere else."""
