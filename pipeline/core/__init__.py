"""The bottom of the house: contracts that every other part uses, importing nothing of ours."""
