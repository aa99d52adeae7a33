"""One thin servicer for each proto service: translate, call, translate back."""
