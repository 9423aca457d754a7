"""Detection of the names of persons."""
