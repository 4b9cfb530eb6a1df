"""From text to intelligence: what a clean text names, with the words that say so."""
