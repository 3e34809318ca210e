"""The frozen definition: same registry, same rule, same numbers to the last digit."""
