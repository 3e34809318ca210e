"""Reading replies, for every instrument: JSON wherever it stands, and words that decline."""
