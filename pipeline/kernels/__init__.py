"""The bottom of the house: raw memory, UTF-8, hashing, the word table. Compiled, and no contract lives here."""
