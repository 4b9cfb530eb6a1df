"""Rehearses a deployment on this machine: emulated stacks, and tasks that really run."""
