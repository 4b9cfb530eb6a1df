"""Operates an installation on AWS."""
