"""What the company spent: a list that is imported from a file and read in every way."""
