"""PostgreSQL: the models, their migrations, and how threads talk to it."""
