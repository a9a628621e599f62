"""Near-duplicates: signatures, candidates by bands, components, and who stays by an exact comparison."""
