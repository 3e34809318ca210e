"""What a report says, by rule: categories, refusals, wording."""
