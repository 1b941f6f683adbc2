from io import BytesIO

from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domains.flows import d0010, sample
from backend.domains.flows.d0010.lines import as_text, blocks
from backend.domains.flows.d0010.parser import Parser
from backend.domains.flows.d0010.tables import Role
from backend.domains.flows.d0010.times import Instants
from backend.domains.flows.d0010.tree import Tree

CREATED = "20250402061500"
SNIPPETS = (
    *("", " ", "|", "||", "\n", "\r\n", "\\", "\t", "\0", "\x7f", "\u00e9", "x", "9", "F", "T"),
    *("026|", "027|10||\n", "028|QA|R|\n", "029|06||\n", "032|05|F|\n", "033|15||\n", "031|\n"),
    *("030|S|20250330013000|1.0|||T|P|\n", "030|S|20250331000000|1.0|||F||\n", "030", "ZPT|\n"),
    *("026|9900123456780|V|\n", "026|9900123456781|V|\n", "026|7700123456781|V|\n"),
    *("028|          |R|\n", "030|S|20250331000000|1.0|20250101000000|1|T|P|\n", "O", "20260101"),
)


def written(readings, seed):
    stream = BytesIO()
    sample.write_sample(stream, readings=readings, seed=seed)
    return stream.getvalue().decode()


TEXT = written(40, 7)
SPOTS = st.integers(TEXT.index("\n") + 1, len(TEXT))
DAMAGE = st.lists(
    st.tuples(SPOTS, st.sampled_from((0, 0, 1, 1, 2, 14, 30)), st.sampled_from(SNIPPETS)),
    max_size=6,
)
FLOWS = st.sampled_from(sorted(d0010.FLOWS))


def damaged(damage, flow):
    text = TEXT.replace("D0010002", flow)
    for spot, length, snippet in sorted(damage, reverse=True):
        text = text[:spot] + snippet + text[spot + length :]
    if flow == "D0010001":
        text = text.replace("|N|\n", "|\n").replace("|P|\n", "|\n")
    if flow == "D0086002":
        for old, new in zip(d0010.FLOWS["D0010002"].groups, d0010.FLOWS[flow].groups, strict=True):
            text = text.replace(f"\n{old}|", f"\n{new}|")
    return text.encode("latin-1")


def by_lines(raw, flow, options):
    tree = Tree(flow, options, Instants(CREATED))
    for number, line in enumerate(as_text(raw).removesuffix("\n").split("\n"), 1):
        tree.take(number, line)
    tree.close(Role.MPAN)
    return tree.take_batch()


def by_runs(raw, flow, options, size):
    parser = Parser(flow, options, Instants(CREATED))
    batches = [each for block in blocks(BytesIO(raw), size) for each in parser.take(as_text(block))]
    assert batches == []
    return parser.finish()


@settings(max_examples=300, deadline=None)
@given(DAMAGE, FLOWS, st.sampled_from(("reject", "warn")), st.integers(200, 5000))
def test_both_ways_give_the_same_result_on_damaged_files(damage, name, check_digit, size):
    raw = damaged(damage, name)
    flow, options = d0010.FLOWS[name], d0010.Options(check_digit=check_digit)

    assert by_runs(raw, flow, options, size) == by_lines(raw, flow, options)


@settings(max_examples=200, deadline=None)
@given(DAMAGE, FLOWS)
def test_the_survey_counts_the_groups_that_the_parser_meets(damage, name):
    raw = damaged(damage, name)
    survey = d0010.survey(BytesIO(raw))
    *_, last = d0010.parse(BytesIO(raw), survey, d0010.Options())
    counters = last.counters

    assert (survey.groups, survey.root_groups) == (counters.records, counters.root_groups)
    assert counters.readings == counters.readings_accepted + counters.readings_rejected


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.booleans())
def test_no_bytes_make_the_parser_fail(noise, has_header):
    raw = TEXT.encode()[:400] + noise if has_header else noise
    survey = d0010.survey(BytesIO(raw))

    assert d0010.is_refused(d0010.verdict(survey, d0010.Options(lenient_footer=True)))
    for batch in d0010.parse(BytesIO(raw), survey, d0010.Options()):
        for rows in (batch.readings, batch.visits, batch.meters):
            assert "\0" not in "".join(rows)
            assert all("\n" not in row for row in rows)


def test_most_of_a_sample_takes_the_fast_way():
    text = written(2000, 3)
    find = d0010.parser.reading_pattern(d0010.FLOWS["D0010002"]).findall
    slow = [found for found in find(text) if not found[5]]

    assert len(slow) < 0.05 * text.count("\n")


def test_batches_come_before_the_end_of_a_large_file():
    raw = written(50_000, 1).encode()
    survey = d0010.survey(BytesIO(raw))
    batches = list(d0010.parse(BytesIO(raw), survey, d0010.Options()))

    assert [len(batch.readings) > 19_000 for batch in batches] == [True, True, False]
    assert sum(len(batch.readings) for batch in batches) == 50_000
    assert batches[0].counters.readings_accepted < batches[-1].counters.readings_accepted


def test_a_file_of_nothing_but_findings_still_comes_in_batches():
    raw = written(30_000, 1).replace("|T|N|", "|T|Z|").replace("|T|P|", "|T||").encode()
    survey = d0010.survey(BytesIO(raw))
    sizes = [
        (len(batch.readings), len(batch.findings))
        for batch in d0010.parse(BytesIO(raw), survey, d0010.Options())
    ]

    assert max(map(sum, sizes)) < 21_000
    assert sum(readings for readings, _ in sizes) == 30_000
