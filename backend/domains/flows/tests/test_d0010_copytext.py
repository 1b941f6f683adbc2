from hypothesis import given
from hypothesis import strategies as st

from backend.domains.flows import d0010

VALUES = st.lists(
    st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    min_size=1,
)


@given(VALUES)
def test_a_row_can_be_taken_apart_again(values):
    row = d0010.row(values)

    assert d0010.fields(row) == tuple(values)
    assert "\n" not in row
    assert "\r" not in row


def test_what_copy_would_misread_is_escaped():
    assert d0010.row(["a\tb", "c\\N", None, "", "\\.", "d\r\n"]) == (
        "a\\tb\tc\\\\N\t\\N\t\t\\\\.\td\\r\\n"
    )


def test_constant_columns_stand_before_and_after_each_row():
    rows = [d0010.row(["1", None]), d0010.row(["2", "\u00e9"])]

    assert d0010.render(rows) == "1\t\\N\n2\t\u00e9\n".encode()
    assert d0010.render(rows, before=["7", None], after=["x"]) == (
        "7\t\\N\t1\t\\N\tx\n7\t\\N\t2\t\u00e9\tx\n".encode()
    )
    assert d0010.render([], before=["7"]) == b""
