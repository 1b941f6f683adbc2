import re
from io import BytesIO

import pytest

from backend.domains.flows.services import uploads

FORM = "/admin/flows/files"


@pytest.fixture
def staff(signed_in):
    return signed_in("staff")


def send(client, contents, **options):
    files = [(BytesIO(content.encode()), name) for name, content in contents.items()]
    return client.post(FORM, data={"files": files}, **options)


def test_the_console_takes_several_files_and_says_what_became_of_each(staff, example):
    files = [(BytesIO(example.encode()), "a.uff"), (BytesIO(b"hello"), "b.uff")]
    response = staff.post("/admin/flows/files", data={"files": files}, follow_redirects=True)
    assert "a.uff: imported. 4 readings imported." in response.text
    assert "b.uff: rejected." in response.text


def test_one_file_leads_to_its_page(staff, example):
    data = {"files": [(BytesIO(example.encode()), "a.uff")]}
    response = staff.post("/admin/flows/files", data=data)
    assert response.location.startswith("/admin/flows/files/")
    assert staff.post("/admin/flows/files").status_code == 422


def shown(page):
    return re.findall(r"/admin/flows/files/\d+\">([^<]+)<", page.text)


def test_many_files_are_summed_up_in_one_message_above_the_list_of_just_these(staff, example):
    send(staff, {"before.uff": example}, follow_redirects=True)
    many = {f"{number:02}-{'名' * 40}.uff": "hello" for number in range(98)}
    new = example.sent("QT00000002", "20250403061500")

    sent = send(staff, many | {"good.uff": new, "again.uff": new})

    cookie = max(len(each) for each in sent.headers.getlist("Set-Cookie"))
    assert cookie < 4093
    page = staff.get(sent.location)
    assert "100 files: 98 rejected, 1 imported, 1 duplicate." in page.text
    assert page.text.count('class="note') == 1
    assert sorted(shown(page)) == sorted([*many, "good.uff", "again.uff"])


def test_the_form_takes_no_more_files_than_the_api(staff):
    answer = send(staff, {f"{number}.uff": "x" for number in range(uploads.MOST + 1)})
    assert answer.status_code == 422
    assert "101 files were sent, and at most 100 are taken at once" in answer.text
    assert "No file has come in yet" in staff.get(FORM).text
