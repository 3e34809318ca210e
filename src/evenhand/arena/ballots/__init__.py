"""The ballot box: who votes, what they were shown, what they said, kept so that nothing is lost."""
