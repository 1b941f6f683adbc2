"""The staff console: each section is drawn from a collection and the actions declared with it."""

from backend.core.console.declaration import Action, Input, Section, Values
from backend.core.console.mounting import mount

__all__ = ["Action", "Input", "Section", "Values", "mount"]
