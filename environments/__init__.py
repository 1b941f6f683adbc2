"""What differs between the places where Quintet runs."""
