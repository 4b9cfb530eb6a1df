"""What the rendered templates cost in a month, by prices and amounts that are written down."""
