"""Checks of a released artifact bundle, one line each."""
