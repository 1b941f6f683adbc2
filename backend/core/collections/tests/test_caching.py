import psycopg
import pytest

PATH = "/api/samples"
ASKED = (
    "",
    "?amount[gte]=1&sort=-amount&limit=3",
    "?include=group&fields=id,group.title",
    "?format=csv",
    "?id=0",
)


@pytest.fixture
def touch(owner_connection, table):
    def write(number=1):
        query = table.sample.update().where(table.sample.c.id == number)
        with owner_connection.begin():
            owner_connection.execute(query.values(ratio=table.sample.c.ratio))

    return write


@pytest.mark.parametrize("asked", [*ASKED, "/aggregates?by=kind&metrics=count", "/1"])
def test_an_answer_holds_until_the_next_write(client, touch, asked):
    first = client.get(PATH + asked)
    tag = first.headers["ETag"]
    assert tag.startswith('W/"')
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert first.headers["Vary"] == "Accept, Authorization"
    first.get_data()
    same = client.get(PATH + asked, headers={"If-None-Match": tag})
    assert (same.status_code, same.data) == (304, b"")
    assert {n: same.headers[n] for n in ("ETag", "Cache-Control", "Vary")} == {
        n: first.headers[n] for n in ("ETag", "Cache-Control", "Vary")
    }
    touch()
    later = client.get(PATH + asked, headers={"If-None-Match": tag})
    assert later.status_code == 200
    assert later.headers["ETag"] != tag
    later.get_data()


def test_304_reads_no_rows(client, statements):
    tag = client.get(PATH).headers["ETag"]
    statements.clear()
    assert client.get(PATH, headers={"If-None-Match": f'"x", {tag}'}).status_code == 304
    assert not [each for each in statements if "FROM sample" in each]
    assert len(statements) == 1


def test_two_forms_two_queries_and_two_callers_have_tags_of_their_own(client):
    tags = []
    for asked in (*ASKED, "?format=ndjson", "?fields=id", "?limit=3", "?page=2", "?count=none"):
        response = client.get(PATH + asked)
        response.get_data()
        tags.append(response.headers["ETag"])
    for path in ("", "/aggregates", "?format=csv", "?limit=1&fields=id"):
        for caller in ("ada", "ben", "cleo"):
            response = client.get(f"/api/notes{path}", headers={"X-Caller": caller})
            response.get_data()
            tags.append(response.headers["ETag"])
    assert len(set(tags)) == len(tags)


def test_one_tag_does_not_let_another_caller_keep_an_answer(client):
    tag = client.get("/api/notes", headers={"X-Caller": "ada"}).headers["ETag"]
    other = client.get("/api/notes", headers={"X-Caller": "ben", "If-None-Match": tag})
    assert other.status_code == 200


def test_what_is_included_counts_to_an_answer_and_otherwise_not(client, owner_connection, table):
    asked = ("?include=group", "/1?include=group", "?include=group&format=csv", "")
    before = [client.get(PATH + each).headers["ETag"] for each in asked]
    with owner_connection.begin():
        owner_connection.execute(table.group.update().values(title=table.group.c.title))
    after = [
        client.get(PATH + each, headers={"If-None-Match": tag}).status_code
        for each, tag in zip(asked, before, strict=True)
    ]
    assert after == [200, 200, 200, 304]


@pytest.fixture
def meddling(monkeypatch, owner_connection, table):
    """Somebody writes just before any revision is read; returns how often that was."""
    execute, seen = psycopg.Cursor.execute, []
    is_first = table.sample.c.id == 1
    label = owner_connection.scalar(table.sample.select().with_only_columns(table.sample.c.label))
    label = owner_connection.execute(table.sample.select().where(is_first)).one().label

    def write(label):
        with owner_connection.begin():
            owner_connection.execute(table.sample.update().where(is_first).values(label=label))

    def meddle(cursor, query, *arguments, **options):
        if "collection_revision" in str(query) and "row_to_json" not in str(query):
            monkeypatch.setattr(psycopg.Cursor, "execute", execute)
            seen.append(query)
            write("unseen")
        return execute(cursor, query, *arguments, **options)

    owner_connection.rollback()
    monkeypatch.setattr(psycopg.Cursor, "execute", meddle)
    yield seen
    monkeypatch.setattr(psycopg.Cursor, "execute", execute)
    write(label)


@pytest.mark.parametrize(
    "asked",
    [
        *("?label=unseen", "?format=csv&sort=id", "/1", "/aggregates?by=label&metrics=count"),
        *("?include=group&label=unseen", "?format=ndjson&fields=label&sort=id"),
    ],
)
def test_a_tag_is_never_newer_than_its_rows(client, meddling, asked):
    first = client.get(PATH + asked)
    told = first.get_data()
    assert len(meddling) == 1
    again = client.get(PATH + asked, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 200 or client.get(PATH + asked).get_data() == told


def test_a_write_that_is_rolled_back_raises_nothing(client, owner_connection, table):
    tag = client.get(PATH).headers["ETag"]
    transaction = owner_connection.begin()
    owner_connection.execute(table.sample.update().values(ratio=None))
    assert client.get(PATH, headers={"If-None-Match": tag}).status_code == 304
    transaction.rollback()
    assert client.get(PATH, headers={"If-None-Match": tag}).status_code == 304


def test_every_way_of_writing_raises_the_revision(client, owner_connection):
    for statement in (
        "insert into sample (id, label, kind, amount, day, currency) values (900, '', '', 1, now(), '')",  # noqa: E501
        "update sample set amount = 2 where id = 900",
        "delete from sample where id = 900",
    ):
        tag = client.get(PATH).headers["ETag"]
        with owner_connection.begin():
            owner_connection.exec_driver_sql(statement)
        assert client.get(PATH).headers["ETag"] != tag


def test_many_writes_in_one_transaction_raise_the_revision_once(owner_connection):
    query = "select coalesce(sum(value), 0) from collection_revision where name = 'sample'"
    before = owner_connection.exec_driver_sql(query).scalar_one()
    for _ in range(3):
        owner_connection.exec_driver_sql("update sample set ratio = ratio where id = 1")
    after = owner_connection.exec_driver_sql(query).scalar_one()
    owner_connection.commit()
    assert after == before + 1


def test_one_owners_writes_leave_the_other_owners_answers_alone(client):
    ada, ben = ({"X-Caller": f"caching {name}"} for name in ("ada", "ben"))
    tag = client.get("/api/notes", headers=ben).headers["ETag"]
    client.post("/api/notes", json={"title": "x"}, headers=ada)
    still = client.get("/api/notes", headers=ben | {"If-None-Match": tag})
    assert still.status_code == 304
    client.post("/api/notes", json={"title": "x"}, headers=ben)
    changed = client.get("/api/notes", headers=ben | {"If-None-Match": tag})
    assert changed.status_code == 200


def test_head_is_get_without_its_body(client):
    for asked in ("", "/1"):
        head, got = client.head(PATH + asked), client.get(PATH + asked)
        assert head.data == b""
        assert head.headers["ETag"] == got.headers["ETag"]
        assert head.headers["Content-Length"] == got.headers["Content-Length"]
