"""People: their accounts and roles, and how they sign in and stay signed in."""
