"""`quintet flows …`: taking files in by hand or by a job, and looking at what came of them."""

from backend.core.commands import CommandGroup
from backend.domains.flows.commands.deciding import (
    discard_command,
    release_command,
    reprocess_command,
)
from backend.domains.flows.commands.demonstration import demo_command
from backend.domains.flows.commands.generating import generate_command
from backend.domains.flows.commands.importing import import_command
from backend.domains.flows.commands.showing import show_command

commands = CommandGroup("flows", help="Flow files: meter readings of the industry.")
commands.add_command(import_command)
commands.add_command(generate_command)
commands.add_command(show_command)
commands.add_command(demo_command)
commands.add_command(release_command)
commands.add_command(discard_command)
commands.add_command(reprocess_command)
