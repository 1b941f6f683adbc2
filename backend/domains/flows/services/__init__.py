"""What the domain does; only these change its rows."""
