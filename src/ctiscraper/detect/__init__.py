"""Detections: Sigma rules drafted from what an article says, proved before anyone uses them."""
