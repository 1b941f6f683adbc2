import pytest


@pytest.fixture
def browser(app, member, sign_in):
    client = app.test_client()
    answer = sign_in(member(), client, remember=True)
    client.answer = answer
    return client


def _csrf(client):
    return {"X-CSRF-TOKEN": client.get_cookie("quintet-csrf").value}


def test_the_browser_gets_the_refresh_token_in_a_cookie_that_no_script_reads(browser):
    assert set(browser.answer.json["data"]) == {"access_token", "expires_in"}
    cookie = browser.get_cookie("quintet-refresh", path="/api/auth")
    assert cookie.http_only
    assert cookie.same_site == "Strict"
    assert cookie.path == "/api/auth"
    assert cookie.max_age == 14 * 24 * 3600
    assert not browser.get_cookie("quintet-csrf").http_only


def test_the_cookie_needs_the_csrf_header_and_is_replaced(browser):
    before = browser.get_cookie("quintet-refresh", path="/api/auth").value
    refused = browser.post("/api/auth/refresh")
    assert refused.status_code == 401
    assert "X-CSRF-TOKEN" in refused.json["detail"]
    wrong = {"X-CSRF-TOKEN": "wrong"}
    assert browser.post("/api/auth/refresh", headers=wrong).status_code == 401
    answer = browser.post("/api/auth/refresh", headers=_csrf(browser))
    assert answer.status_code == 200
    assert set(answer.json["data"]) == {"access_token", "expires_in"}
    assert browser.get_cookie("quintet-refresh", path="/api/auth").value != before
    assert browser.post("/api/auth/refresh", headers=_csrf(browser)).status_code == 200


def test_signing_out_needs_the_csrf_header_and_removes_the_cookie(browser):
    assert browser.post("/api/auth/logout").status_code == 401
    assert browser.post("/api/auth/logout", headers=_csrf(browser)).status_code == 204
    assert browser.get_cookie("quintet-refresh", path="/api/auth") is None
    assert browser.get_cookie("quintet-csrf") is None


def test_a_token_in_the_body_goes_before_the_cookie(browser, member, sign_in):
    token = sign_in(member()).json["data"]["refresh_token"]
    answer = browser.post("/api/auth/refresh", json={"refresh_token": token})
    assert "refresh_token" in answer.json["data"]
    assert "Set-Cookie" not in answer.headers
    bad = browser.post("/api/auth/refresh", json={"refresh_token": "x"}, headers=_csrf(browser))
    assert bad.status_code == 401


def test_the_cookie_opens_nothing_else(browser):
    assert browser.get("/api/auth/me").status_code == 401
    assert browser.get("/admin/").status_code == 302
