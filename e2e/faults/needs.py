"""Tools that a machine may lack: the test is skipped with a word, or fails where all must be."""

import os
from typing import TypeVar

import pytest

Tool = TypeVar("Tool")


def needed(name: str, tool: Tool | None) -> Tool:
    """Return the tool, or end the test."""
    if tool is not None:
        return tool
    if os.environ.get("QUINTET_REQUIRE_TOOLS") == "1":
        pytest.fail(f"{name} is required here and missing")
    pytest.skip(f"{name} is not installed")
