from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.domains.expenses.collections import expenses

WORDS = (
    "by sort order limit page cursor fields metrics having[count][gte] fill top totals tz count "
    "format include amount[gte] date[between] departments[in] project_name[contains]"
)
TEXTS = (
    "1 -1 1e9 null true departments month(date) day(date) 2024-02-30 2024-03-01,2024-01-01 "
    '0001-01-03 9999-12-28 -amount zero Legal count,sum(amount) " "a""b",c % € csv Sam UTC'
)
NAMES = st.sampled_from([*expenses.columns, *WORDS.split()]) | st.text(max_size=8)
VALUES = st.sampled_from(["", "\0", "9" * 400, *TEXTS.split()]) | st.text(
    st.characters(exclude_categories=("Cs",)), max_size=12
)


@given(
    st.lists(st.tuples(NAMES, VALUES), max_size=5), st.sampled_from(["", "%ff", "&", "=%ED%A0%80"])
)
@settings(
    max_examples=250,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_address_gives_a_page_or_names_its_mistakes(demonstrated, client, pairs, tail):
    pairs = [(n.encode("utf-8", "surrogatepass"), v.encode()) for n, v in pairs]
    query = "&".join(f"{quote(name, safe='[]')}={quote(value)}" for name, value in pairs) + tail
    answer = client.get(f"/expenses?{query}")
    assert answer.status_code in {200, 400}, (query, answer.text)
    assert "<h1>" in answer.text
