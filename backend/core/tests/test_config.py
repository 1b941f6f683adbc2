import pytest

from backend.core.config import InvalidSettings, Settings


def start(**environ):
    return Settings.from_environment({"DATABASE_URL": "postgresql://x"} | environ)


def refusal(**environ):
    with pytest.raises(InvalidSettings) as refused:
        start(**environ)
    assert refused.value.__cause__ is refused.value.__context__ is None
    return str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "smtp+tls://robot:hunter2@mail.test",
        "starttls://robot:hunter2@mail.test",
        "http://robot:hunter2@mail.test",
        "hunter2",
        "smtps://",
        "smtp://robot:hunter2#x@mail.test:25",
        "smtp://robot:25/hunter2@mail.test:25",
        "smtp://robot:25?hunter2@mail.test:25",
        "smtp://robot:25?timeout=5&hunter2@mail.test",
        "smtp://robot:hunter2@mail.test:99999",
        "smtp://robot:hunter2@mail.test:0",
        "smtp://robot:hunter2@[mail.test",
        "smtp://robot:hunter2@mail.test\n",
        *(f"smtp://robot:hunter2@mail.test?timeout={bad}" for bad in ("", "0", "-1", "nan", "x")),
    ],
)
def test_a_mail_server_that_would_be_misread_is_refused_and_its_password_not_told(url):
    told = refusal(QUINTET_MAIL_URL=url)
    assert told.startswith("QUINTET_MAIL_URL: ")
    assert "smtp, smtp+starttls or smtps" in told
    assert "hunter2" not in told


@pytest.mark.parametrize(
    "url",
    [
        "",
        "smtp://mail.test",
        "SMTPS://robot:hunter%23@mail.test:465/",
        "smtp+starttls://robot:x@[::1]:587?timeout=2.5",
    ],
)
def test_a_good_mail_server_is_taken_as_it_is(url, tmp_path):
    assert start(QUINTET_MAIL_URL=url).mail_url == url
    (tmp_path / "url").write_text(f"{url}\n")
    assert start(QUINTET_MAIL_URL=f"@{tmp_path / 'url'}").mail_url == url


@pytest.mark.parametrize(
    "sender",
    ["", "Quintet", "a@b.test\nBcc: c@d.test", "a@b.test, c@d.test", "x <", "<ä@b.test>", "a@"],
)
def test_a_sender_that_is_not_one_address_is_refused(sender):
    assert "QUINTET_MAIL_FROM: one address is expected" in refusal(QUINTET_MAIL_FROM=sender)


@pytest.mark.parametrize("sender", ["a@b.test", "Grüße <a@b.test>", '"A, B" <a@localhost>'])
def test_a_good_sender_is_taken_as_it_is(sender):
    assert start(QUINTET_MAIL_FROM=sender).mail_from == sender


@pytest.mark.parametrize(
    "url",
    [
        "ftp://user@host/out",
        "host/out",
        "sftp://host/out",
        "sftp://user@/out",
        "sftp://user:hunter2@host/out",
        "sftp://user:@host/out",
        "sftp://user:hunter2#@host/out",
        "sftp://user@host:x/out",
        "sftp://user@host/out?hunter2",
    ],
)
def test_a_remote_folder_without_user_or_with_a_password_is_refused_and_not_quoted(url):
    told = refusal(QUINTET_FLOWS_SFTP=url)
    assert told.startswith("QUINTET_FLOWS_SFTP: an address like sftp://user@host:22/folder")
    assert "hunter2" not in told
    assert "out" not in told.replace("without", "")


@pytest.mark.parametrize("days", ["-1", "36501", "99999999", "x", ""])
@pytest.mark.parametrize("setting", ["QUINTET_FLOWS_ARCHIVE_DAYS", "QUINTET_FLOWS_FINDINGS_DAYS"])
def test_a_time_that_would_remove_everything_is_refused(setting, days):
    assert f"{setting}: a number of days, 0 for ever" in refusal(**{setting: days})


@pytest.mark.parametrize("minutes", ["-1", "99999999999999", "x"])
def test_a_time_that_is_no_number_of_minutes_is_refused(minutes):
    told = refusal(QUINTET_FLOWS_DROP_MINUTES=minutes)
    assert "QUINTET_FLOWS_DROP_MINUTES: a number of minutes" in told
