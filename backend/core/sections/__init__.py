"""Sections: pages for people, each drawn from a collection and the actions declared with it.

One on a blueprint of staff is a part of their console, one on an open blueprint is everybody's.
"""

from backend.core.sections.declaration import Action, Input, Section, Values
from backend.core.sections.mounting import mount

__all__ = ["Action", "Input", "Section", "Values", "mount"]
