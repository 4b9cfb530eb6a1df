"""Language models: one interface, whoever serves them."""
