"""Studies: comparisons, experiments and frontiers that put policies beside each other."""
