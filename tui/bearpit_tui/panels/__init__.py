"""The screen's own parts around the market widgets: status, banner, ticket, command line, keys."""
