"""The page of a login: what it shows, and what a person does there."""
