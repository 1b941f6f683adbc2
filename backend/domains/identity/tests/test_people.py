import html
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from backend.core.audit import AuditEvent
from backend.core.database import db, transaction
from backend.domains.identity.models import User
from backend.domains.identity.services import people

LIST = "/admin/identity/people"


@pytest.fixture
def console(signed_in, member):
    return signed_in(user=member("staff", email="staff@quintet.test"))


def _events():
    return db.session.scalars(select(AuditEvent).order_by(AuditEvent.sequence)).all()


def test_staff_create_a_person_who_cannot_sign_in_before_choosing_a_password(console, submit):
    answer = submit(
        console,
        f"{LIST}/new",
        LIST,
        email=" Grace@Quintet.Test",
        name=" Grace   Hopper ",
        roles=["staff", "underwriter"],
    )
    user = people.find(email="grace@quintet.test")
    assert (answer.status_code, answer.location) == (302, f"{LIST}/{user.id}")
    assert user.password_hash is None
    assert (user.name, user.roles) == ("Grace Hopper", ["staff", "underwriter"])
    event = _events()[0]
    assert (event.action, event.actor_id) == ("identity.create", console.person.id)
    assert (event.object_id, event.after) == (str(user.id), {"roles": ["staff", "underwriter"]})
    assert "grace" not in str(vars(event)).lower()


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"email": "nothing"}, "It should look like ada@example.com."),
        ({"email": ""}, "It should look like ada@example.com."),
        ({"name": "  "}, "It has 1 to 200 characters, none of which is invisible."),
        ({"name": "x" * 201}, "It has 1 to 200 characters, none of which is invisible."),
        ({"name": "\u200c"}, "It has 1 to 200 characters, none of which is invisible."),
        ({"name": "a\u202eb"}, "It has 1 to 200 characters, none of which is invisible."),
        ({"name": "a\x00b"}, "It has 1 to 200 characters, none of which is invisible."),
        ({"roles": "king"}, "There is no role 'king'; there are staff and underwriter."),
    ],
)
def test_a_person_that_cannot_be_kept_is_refused_with_what_to_correct(
    fields, detail, console, submit
):
    fields = {"email": "grace@quintet.test", "name": "Grace"} | fields
    answer = submit(console, f"{LIST}/new", LIST, **fields)
    assert answer.status_code == 422
    assert detail in html.unescape(answer.text)
    assert people.find(email="grace@quintet.test") is None


def test_a_name_may_have_the_joiners_of_its_script(console, submit):
    name = "علی\u200cرضا"  # noqa: RUF001  a Persian name
    submit(console, f"{LIST}/new", LIST, email="ali@quintet.test", name=name)
    assert people.find(email="ali@quintet.test").name == name


def test_an_address_belongs_to_one_person_in_any_case(console, submit, person):
    person(email="grace@quintet.test")
    answer = submit(console, f"{LIST}/new", LIST, email="GRACE@quintet.test", name="Grace")
    assert answer.status_code == 409


def test_the_list_shows_people_by_address_in_pages_and_by_the_beginning(console, person):
    for number in range(30):
        person(email=f"a{number:02}@quintet.test")
    first = console.get(f"{LIST}?email[startswith]=A").text
    assert "a00@quintet.test" in first
    assert "a19@quintet.test" in first
    assert "a20@quintet.test" not in first
    following = html.unescape(re.search(r'rel="next" href="([^"]+)"', first).group(1))
    second = console.get(following).text
    assert "a19@quintet.test" not in second
    assert "a29@quintet.test" in second
    assert 'rel="next"' not in second
    assert "Nothing fits" in console.get(f"{LIST}?email[startswith]=%25").text


def test_programs_of_staff_read_people_and_nobody_elses_do(signed_in, person):
    person(email="grace@quintet.test", name="Grace", is_disabled=True)
    found = signed_in("staff").get("/api/identity/people?state=disabled").json["data"]
    assert [(each["email"], each["name"]) for each in found] == [("grace@quintet.test", "Grace")]
    assert not [name for name in found[0] if "password" in name]
    other = signed_in("underwriter")
    assert other.get("/api/identity/people").status_code == 403
    listed = other.get("/api/collections").json["data"]
    assert "people" not in {each["name"] for each in listed}


def test_roles_hold_from_the_next_page_on(console, signed_in, submit):
    other = signed_in()
    address = f"{LIST}/{other.person.id}"
    assert other.get(LIST).status_code == 403
    answer = submit(console, address, f"{address}/roles", roles="staff")
    assert answer.location == address
    assert other.get(LIST).status_code == 200
    submit(console, address, f"{address}/roles")
    assert other.get(LIST).status_code == 403
    changes = [
        (each.before, each.after) for each in _events() if each.action == "identity.change-roles"
    ]
    assert changes == [
        ({"roles": []}, {"roles": ["staff"]}),
        ({"roles": ["staff"]}, {"roles": []}),
    ]


def test_a_refused_page_is_in_the_audit_log(signed_in):
    other = signed_in()
    answer = other.get(LIST)
    assert answer.status_code == 403
    assert "role" in answer.text
    (event,) = _events()
    assert (event.action, event.actor_id) == ("auth.refuse", other.person.id)
    assert event.object_id == "identity_console.show_people"
    assert event.after == {"problem": "role-missing"}
    assert event.request_id == answer.headers["X-Request-ID"]


def test_a_disabled_person_is_out_at_once_and_enabled_has_to_sign_in_again(
    console, signed_in, submit, member
):
    other = signed_in(user=member("staff"))
    address = f"{LIST}/{other.person.id}"
    submit(console, address, f"{address}/disablement")
    assert other.get(LIST).status_code == 302
    assert "Disabled" in console.get(address).text
    submit(console, address, f"{address}/enablement")
    assert other.get(LIST).status_code == 302
    assert "Enabled" in console.get(address).text
    actions = [each.action for each in _events()]
    assert actions == ["identity.disable", "identity.enable"]


def test_sessions_end_by_the_console(console, signed_in, submit):
    other = signed_in()
    address = f"{LIST}/{other.person.id}"
    assert other.get("/api/auth/me").status_code == 200
    submit(console, address, f"{address}/sessions-end")
    assert other.get("/api/auth/me").status_code == 401


def test_nobody_takes_away_their_own_access(console, signed_in, submit):
    signed_in("staff")
    address = f"{LIST}/{console.person.id}"
    assert f"{address}/disablement" not in console.get(address).text
    for action in ("disablement", "roles"):
        answer = submit(console, address, f"{address}/{action}")
        assert answer.status_code == 409
        assert "You cannot" in answer.text
    assert console.get(address).status_code == 200


def test_the_last_person_on_the_staff_who_can_sign_in_stays(member, person):
    last = member("staff")
    member("staff", is_disabled=True)
    person("staff")
    with pytest.raises(people.LastOnStaff):
        people.disable(user_id=last.id, actor_id=None)
    with pytest.raises(people.LastOnStaff):
        people.change_roles(user_id=last.id, roles=["underwriter"], actor_id=None)


def test_two_on_the_staff_who_remove_each_other_at_once_do_not_both_succeed(real_database, member):
    one, two = member("staff"), member("staff")

    def disable(pair):
        actor, other = pair
        with real_database.app_context():
            try:
                with transaction():
                    people.disable(user_id=other, actor_id=actor)
            except people.LastOnStaff:
                return False
            return True

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(disable, [(one.id, two.id), (two.id, one.id)]))
    assert sorted(results) == [False, True]


def test_an_unknown_person_is_not_found(console):
    address = f"{LIST}/00000000-0000-0000-0000-000000000000"
    assert console.get(address).status_code == 404


def test_what_a_form_sends_beyond_its_fields_changes_nothing(console, submit):
    submit(
        console,
        f"{LIST}/new",
        LIST,
        email="grace@quintet.test",
        name="Grace",
        is_disabled="1",
        password="chosen by the form",
    )
    user = db.session.scalar(select(User).where(User.email == "grace@quintet.test"))
    assert not user.is_disabled
    assert user.roles == []
