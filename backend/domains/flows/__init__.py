"""Meter readings that arrive in industry flow files: taken in, kept by line, and found again."""
