"""What can be done with expenses."""
