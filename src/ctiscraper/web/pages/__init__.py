"""The web pages, rendered here and readable without JavaScript."""
