"""The rules of people: who there is, and how they sign in."""
