"""A copy of all that muxd knows, in one file; and putting it back."""
