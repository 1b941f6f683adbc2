"""`mount` gives a blueprint the addresses of a collection, derived from the declaration."""

from flask_smorest import Blueprint

from backend.core.collections import document, document_writes
from backend.core.collections.declaration import Collection
from backend.core.collections.doors import Doors
from backend.core.collections.mounting import Mounting
from backend.core.collections.write_routes import WriteDoors


def mount(blueprint: Blueprint, collection: Collection, path: str = "") -> None:
    """Give the collection its addresses below the blueprint's own."""
    doors, add = Doors(collection), Mounting(blueprint, collection, path)
    name = collection.name.replace("-", "_")
    add("", f"list_{name}", doors.list, document.list_operation(collection))
    add("", f"query_{name}", doors.search, None, methods=("QUERY",))
    searched = document.search_operation(collection)
    add(":search", f"search_{name}", doors.search, searched, methods=("POST",))
    grouped = document.aggregates_operation(collection)
    add("/aggregates", f"aggregate_{name}", doors.aggregates, grouped)
    described = document.describe_operation(collection)
    add("/describe", f"describe_{name}", doors.describe, described)
    add("/<key>", f"read_{name}", doors.record, document.record_operation(collection))
    if collection.writer is not None:
        _mount_writes(add, WriteDoors(collection, collection.writer), name)


def _mount_writes(add: Mounting, doors: WriteDoors, name: str) -> None:
    # Idempotency stands on the outbox, which offers a collection itself.
    from backend.core.idempotency import idempotent  # noqa: PLC0415

    operations = document_writes.operations(doors.collection)
    post, once = ("POST",), idempotent()
    create, batch = once(doors.create), once(doors.create_batch)
    add("", f"create_{name}", create, operations["create"], methods=post)
    add(":batch", f"create_batch_of_{name}", batch, operations["batch"], methods=post)
    add("/<key>", f"update_{name}", doors.update, operations["update"], methods=("PATCH",))
    add("/<key>", f"delete_{name}", doors.delete, operations["delete"], methods=("DELETE",))
    add("/<key>:restore", f"restore_{name}", doors.restore, operations["restore"], methods=post)
