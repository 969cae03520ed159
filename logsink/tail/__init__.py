"""Live views: what is stored now reaches those who watch, without a way through the database."""
