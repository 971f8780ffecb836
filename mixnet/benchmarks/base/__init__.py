"""What every measurement uses: statistics, figures, tables, sizes, workers."""
