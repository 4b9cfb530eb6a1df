"""Migrations, oldest first by name."""
