import pytest

from backend.domains.identity.services import people


def _can_sign_in(client, email, password):
    body = {"email": email, "password": password}
    return client.post("/api/auth/login", json=body).status_code == 200


def test_a_person_is_created_with_a_password_from_stdin(quintet, client):
    words = ("identity", "create", "Ada@quintet.test", "--role", "staff", "--password-stdin")
    result = quintet(*words, typed="a long password\n")
    assert result.exit_code == 0
    assert result.stdout == ""
    assert _can_sign_in(client, "ada@quintet.test", "a long password")
    user = people.find(email="ada@quintet.test")
    assert (user.name, user.roles) == ("Ada", ["staff"])


def test_a_password_that_is_made_up_is_all_that_stdout_has(quintet, client):
    result = quintet("identity", "create", "ada@quintet.test")
    assert _can_sign_in(client, "ada@quintet.test", result.stdout.strip())


@pytest.mark.parametrize(
    ("email", "password", "message"),
    [
        ("nothing", "a long password", "It should look like ada@example.com."),
        ("ada@quintet.test", "short", "It needs 12 to 1000 characters."),
        ("ada@quintet.test", "x" * 1001, "It needs 12 to 1000 characters."),
    ],
)
def test_a_person_who_cannot_be_kept_is_a_sentence_and_exit_code_1(
    quintet, email, password, message
):
    result = quintet("identity", "create", email, "--password-stdin", typed=password)
    assert result.exit_code == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_password_is_reset_and_the_person_signed_out(quintet, client, member, signed_in):
    user = member(email="ada@quintet.test")
    before = signed_in(user=user)
    assert before.get("/api/auth/me").status_code == 200
    made_up = quintet("identity", "reset-password", "ada@quintet.test").stdout.strip()
    assert before.get("/api/auth/me").status_code == 401
    assert not _can_sign_in(client, "ada@quintet.test", "correct horse battery")
    assert _can_sign_in(client, "ada@quintet.test", made_up)
    asked = quintet(
        "identity", "reset-password", "ada@quintet.test", "--ask", typed="typed twice!\n" * 2
    )
    assert asked.exit_code == 0
    assert _can_sign_in(client, "ada@quintet.test", "typed twice!")


def test_roles_are_replaced_and_people_disabled_and_enabled(quintet, member, client):
    member("staff")
    member("underwriter", email="ada@quintet.test")
    assert quintet("identity", "roles", "ada@quintet.test", "--role", "staff").exit_code == 0
    assert people.find(email="ada@quintet.test").roles == ["staff"]
    quintet("identity", "disable", "ada@quintet.test")
    assert not _can_sign_in(client, "ada@quintet.test", "correct horse battery")
    assert "ada@quintet.test\tA Person\tstaff\tdisabled" in quintet("identity", "list").stdout
    quintet("identity", "enable", "ada@quintet.test")
    assert _can_sign_in(client, "ada@quintet.test", "correct horse battery")
    unknown = quintet("identity", "disable", "nobody@quintet.test")
    assert (unknown.exit_code, "Nobody has" in unknown.stderr) == (1, True)


def test_somebody_who_was_invited_is_told_from_who_can_sign_in(quintet, person):
    person(email="grace@quintet.test")
    assert "grace@quintet.test\tA Person\tno roles\tinvited" in quintet("identity", "list").stdout
    quintet("identity", "disable", "grace@quintet.test")
    enabled = quintet("identity", "enable", "grace@quintet.test")
    assert "has no password yet: invite them again" in enabled.stdout


def test_the_demonstration_people_are_created_once(quintet, client):
    assert "6 demonstration people created" in quintet("identity", "demo").stdout
    assert "0 demonstration people created" in quintet("identity", "demo").stdout
    for name in ("staff", "ada", "north", "south", "both", "underwriter"):
        assert _can_sign_in(client, f"{name}@quintet.test", "quintet-demo")
    assert people.find(email="staff@quintet.test").roles == ["staff"]
    assert people.find(email="underwriter@quintet.test").roles == ["underwriter"]
    assert people.find(email="ada@quintet.test").roles == []
