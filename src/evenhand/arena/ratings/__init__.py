"""From votes to strengths, ranks and claims, and what of them a board or a report shows."""
