"""What every measurement uses: statistics, figures, tables, the size of a run, workers, kept results."""
