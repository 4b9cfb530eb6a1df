"""How people and programs prove who they are: pure, without a database."""
