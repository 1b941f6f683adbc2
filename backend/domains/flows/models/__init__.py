"""What the domain keeps: each receipt of a file, what the file said, and how files come in."""

from backend.domains.flows.models.contents import (
    CHANNELS,
    STATUSES,
    SUCCESSFUL,
    UNFINISHED,
    FlowFile,
    FlowFinding,
    FlowMeter,
    FlowReading,
    FlowSiteVisit,
)
from backend.domains.flows.models.doors import FlowLook, FlowQuarantine, FlowSource, FlowWaiting

__all__ = [
    "CHANNELS",
    "STATUSES",
    "SUCCESSFUL",
    "UNFINISHED",
    "FlowFile",
    "FlowFinding",
    "FlowLook",
    "FlowMeter",
    "FlowQuarantine",
    "FlowReading",
    "FlowSiteVisit",
    "FlowSource",
    "FlowWaiting",
]
