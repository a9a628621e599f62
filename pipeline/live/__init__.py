"""What a person or a program sees of a command while it works, and at its end."""
