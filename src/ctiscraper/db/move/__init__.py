"""Moving all that a database holds into another one, while it is used."""
