"""`mount` gives a console blueprint the pages of a section, and the console's index its entry."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from flask.sansio.blueprints import BlueprintSetupState

from backend.core.auth import Entry, PageBlueprint
from backend.core.sections.cells import KEY
from backend.core.sections.declaration import Section
from backend.core.sections.views import Views

View = Callable[..., Any]


def mount(blueprint: PageBlueprint, section: Section, path: str) -> None:
    """Draw the section below the blueprint's own address.

    Its endpoints are `show_<name>`, `export_<name>` and `show_<singular>`, and for each action
    `<action>_<singular>`, which tests of who may do what can name.
    """
    views, singular = Views(section, blueprint.name), section.singular
    _add(blueprint, path, f"show_{section.name}", views.show_list)
    _add(blueprint, f"{path}.csv", f"export_{section.name}", views.export)
    if section.record is None:
        _add(blueprint, f"{path}/<key>", f"show_{singular}", views.show)
    for action in section.actions:
        rule, name = f"{path}/<key>/{action.path}", f"{action.name}_{singular}"
        _add(blueprint, rule, name, partial(views.act, action), method="POST")
    collection = section.collection
    shown = Entry(collection.title, f"{blueprint.name}.show_{section.name}", collection.description)
    blueprint.entries = (*blueprint.entries, shown)
    blueprint.record(partial(_remember, section, blueprint.name))


def _remember(section: Section, name: str, state: BlueprintSetupState) -> None:
    state.app.extensions.setdefault(KEY, {})[section.collection.name] = (section, name)


def _add(
    blueprint: PageBlueprint, rule: str, endpoint: str, view: View, *, method: str = "GET"
) -> None:
    @wraps(view.func if isinstance(view, partial) else view)
    def called(**arguments: Any) -> Any:
        return view(**arguments)

    blueprint.add_url_rule(rule, endpoint, called, methods=[method])
