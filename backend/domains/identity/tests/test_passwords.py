from argon2 import PasswordHasher

from backend.core.database import db
from backend.domains.identity import addresses, passwords
from backend.domains.identity.models import User

PASSWORD = "correct horse battery"


def test_a_password_matches_its_hash_and_no_other():
    kept = passwords.hashed(PASSWORD)
    assert kept.startswith("$argon2id$")
    assert passwords.matches(kept, PASSWORD)
    assert not passwords.matches(kept, PASSWORD + " ")
    assert not passwords.matches(None, PASSWORD)
    assert not passwords.matches("no hash", PASSWORD)


def test_a_password_has_one_form_however_its_characters_are_composed():
    kept = passwords.hashed("caf\u00e9 au lait, s'il vous pla\u00eet")
    assert passwords.matches(kept, "cafe\u0301 au lait, s'il vous plai\u0302t")


def test_half_a_character_is_a_wrong_password_and_no_error():
    assert not passwords.matches(passwords.hashed(PASSWORD), "\ud800")


def test_nobody_s_hash_costs_what_everybody_s_costs():
    assert not passwords.is_outdated(passwords.NOBODYS_HASH)


def test_made_up_passwords_differ_and_are_long_enough():
    made_up = {passwords.made_up() for _ in range(100)}
    assert len(made_up) == 100
    assert all(len(each) >= passwords.SHORTEST for each in made_up)


def test_a_hash_with_older_parameters_is_replaced_at_the_next_sign_in(member, sign_in):
    older = PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1)
    user = member()
    user.password_hash = older.hash(PASSWORD)
    db.session.commit()
    assert passwords.is_outdated(user.password_hash)
    assert sign_in(user).status_code == 200
    kept = db.session.get(User, user.id).password_hash
    assert not passwords.is_outdated(kept)
    assert passwords.matches(kept, PASSWORD)


def test_addresses_have_one_form():
    assert addresses.normalised(" Ada.Lovelace+x@Quintet.TEST\n") == "ada.lovelace+x@quintet.test"
    assert addresses.normalised(f"{'a' * 64}@example.com")


def test_what_is_no_address_is_refused():
    for address in (
        "",
        "ada",
        "ada@",
        "@quintet.test",
        "ada@localhost",
        "ada@@quintet.test",
        "ada lovelace@quintet.test",
        "ada@quintet.test\x00",
        "ada@quintet.test\nbcc: x@y.test",
        ".ada@quintet.test",
        "ada@-quintet.test",
        "ada@quintet.1",
        f"{'a' * 65}@example.com",
        f"ada@{'a.' * 130}com",
        "ad\u00e5@quintet.test",
        "\u212a@quintet.test",
    ):
        assert addresses.normalised(address) is None, address
