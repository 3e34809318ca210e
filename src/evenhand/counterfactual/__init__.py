"""Audits of vision-language reports on image pairs that differ in one demographic attribute."""
