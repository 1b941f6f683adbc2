from io import BytesIO

import pytest

from backend.domains.flows import d0010, sample


def written(**arguments):
    stream = BytesIO()
    sample.write_sample(stream, **arguments)
    return stream.getvalue()


@pytest.mark.parametrize("readings", [1, 2, 3, 1000])
def test_a_sample_is_faultless_and_holds_every_group(judge, readings):
    raw = written(readings=readings)
    judged = judge(raw)

    assert judged.verdict == judged.findings == []
    assert len(judged.readings) == judged.counters.readings == readings
    groups = {line[:3].decode() for line in raw.splitlines()}
    assert groups == {"ZHV", "ZPT", *d0010.FLOWS["D0010002"].groups}


def test_a_sample_has_about_seven_mpans_for_ten_readings(judge):
    judged = judge(written(readings=10_000))

    mpans = {each["mpan"] for each in judged.readings}
    assert 6_700 < len(mpans) < 7_300
    assert {mpan[:2] for mpan in mpans} == {"99"}
    assert {each["reading_type"] for each in judged.readings} >= {"R", "F", "I"}
    assert {each["is_status_valid"] for each in judged.readings} == {None, "T", "F"}


def test_a_sample_is_the_same_each_time_and_another_for_another_seed(judge):
    assert written(readings=100, seed=5) == written(readings=100, seed=5)
    one, other = judge(written(readings=100)), judge(written(readings=100, seed=2))
    assert one.survey.header.business_key != other.survey.header.business_key
    assert not {e["mpan"] for e in one.readings} & {e["mpan"] for e in other.readings}


def test_a_sample_of_another_distributor_has_valid_check_digits(judge):
    judged = judge(written(readings=200, distributor="13"))

    assert judged.findings == []
    assert {each["mpan"][:2] for each in judged.readings} == {"13"}
