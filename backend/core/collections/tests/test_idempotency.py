import threading

PATH = "/api/kept-notes"


def test_a_repeated_key_is_answered_as_before_and_stores_nothing_more(signed_in_client):
    client = signed_in_client()
    headers = {"Idempotency-Key": "one"}
    first = client.post(PATH, json={"title": "a"}, headers=headers)
    again = client.post(PATH, json={"title": "a"}, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json == first.json
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert client.get(PATH).json["meta"]["count"] == 1


def test_a_key_with_another_body_is_refused_and_refusals_are_not_kept(signed_in_client):
    client = signed_in_client()
    headers = {"Idempotency-Key": "two"}
    assert client.post(PATH, json={"titel": "a"}, headers=headers).status_code == 422
    assert client.post(PATH, json={"title": "a"}, headers=headers).status_code == 201
    assert client.post(PATH, json={"title": "b"}, headers=headers).status_code == 422


def test_keys_of_different_people_never_meet(signed_in_client):
    for client in (signed_in_client(), signed_in_client()):
        items = {"items": [{"title": "a"}, {"title": "b"}]}
        response = client.post(f"{PATH}:batch", json=items, headers={"Idempotency-Key": "three"})
        assert response.status_code == 201
        assert "Idempotency-Replayed" not in response.headers
        assert client.get(PATH).json["meta"]["count"] == 2


def test_equal_keys_in_parallel_make_one_record(signed_in_client):
    client = signed_in_client()
    token = client.environ_base["HTTP_AUTHORIZATION"]
    start, statuses = threading.Barrier(5), []

    def create():
        own = client.application.test_client()
        headers = {"Idempotency-Key": "four", "Authorization": token}
        start.wait()
        statuses.append(own.post(PATH, json={"title": "a"}, headers=headers).status_code)

    threads = [threading.Thread(target=create) for _ in range(5)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert set(statuses) <= {201, 409}
    assert client.get(PATH).json["meta"]["count"] == 1


def test_a_collection_behind_a_door_is_closed_and_unlisted_to_strangers(signed_in_client, client):
    assert client.get(PATH).status_code == 401
    names = {each["name"] for each in client.get("/api/collections").json["data"]}
    assert "kept-notes" not in names
    listed = signed_in_client().get("/api/collections").json["data"]
    assert "kept-notes" in {each["name"] for each in listed}
