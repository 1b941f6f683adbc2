import pytest

from backend.domains.flows import d0010


@pytest.mark.parametrize(
    ("mpan", "is_valid"),
    [
        ("9900123456780", True),
        ("9900876543215", True),
        ("9900000000070", True),
        ("9900123456781", False),
        ("7700123456781", None),
        ("7800123456781", None),
    ],
)
def test_a_check_digit_follows_the_catalogue(mpan, is_valid):
    assert d0010.has_valid_check_digit(mpan) is is_valid


def test_a_check_digit_completes_an_mpan():
    assert d0010.with_check_digit("990012345678") == "9900123456780"
    assert d0010.with_check_digit("990000000007") == "9900000000070"


def test_a_wrong_check_digit_may_be_only_a_warning(judge, example):
    text = example.swap(2, "6780", "6781")

    assert judge(text).said("error")[0] == (2, "check-digit", "J0003")
    judged = judge(text, check_digit="warn")
    assert judged.said("warning") == [(2, "check-digit", "J0003")]
    assert judged.lines == [4, 5, 9, 13]


def test_asset_ids_are_accepted_whatever_their_last_digit(judge, example):
    for mpan in ("7700123456781", "7700123456782"):
        judged = judge(example.swap(2, "9900123456780", mpan))
        assert judged.said("warning") == [(2, "check-digit-unknown", "J0003")]
        assert judged.lines == [4, 5, 9, 13]
    assert judge(example.swap(2, "9900123456780", "7800123456781")).findings == []
