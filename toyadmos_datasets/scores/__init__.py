"""What scores of a detector come to: figures of merit, intervals, comparisons."""
