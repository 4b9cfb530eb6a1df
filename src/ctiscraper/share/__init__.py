"""Handing on what was found: tables for other programs."""
