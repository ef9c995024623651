"""What a body is given beside its page, and what is kept of it: a noun a file."""
