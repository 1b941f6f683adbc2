"""What no client library would send: half characters, U+0000 and huge numbers in every place.

Each request goes over a connection of its own. Whatever it says, it is answered in time, and never
as our own mistake.
"""

import json
import random
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import requests

SECONDS = 15
PARAMETERS = 8  # So many of an operation's are tried, drawn by the seed.
MISTAKE = 500
UNAVAILABLE = 503

# In an address: U+0000, half of a surrogate pair, bytes that are not UTF-8, numbers beyond sense.
TEXTS = ("%00", "a%00b", "%ED%A0%80", "%FF%FE", "9" * 400, "-" + "9" * 40, "1e999999999", "NaN")
HEADERS = (
    *("Accept", "Accept-Language", "Authorization", "Content-Type", "Cookie", "Host"),
    *("If-Match", "If-None-Match", "Idempotency-Key", "X-CSRF-TOKEN", "X-Request-ID", "Range"),
)
VALUES = (b"\x00", b"a\x00b", b"\xed\xa0\x80", b"\xff\xfe", b"9" * 400, b"Bearer \xc3\x28.a.b", b"")
DEEP = 500
BODIES = (
    b"",
    b"\x00",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf{}",
    b"nul",
    b"NaN",
    b"9" * 5000,
    b"1e999999999",
    b"[" * DEEP + b"]" * DEEP,
    b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    b"[" * 100_000,
)
MEMBERS = (b'"\\u0000"', b'"\\ud800"', b'"\xed\xa0\x80"', b"9" * 5000, b"-1e999999999", b"[[[]]]")
BOUNDARY = b"odd"

Operation = dict[str, Any]


def send_all(address: str, token: str, seed: int) -> tuple[int, list[str]]:
    """Send everything, and return how many requests that were, and what was wrong."""
    document = requests.get(f"{address}/api/openapi.json", timeout=SECONDS).json()
    count, wrong = 0, []
    for request in _requests(document, f"Bearer {token}".encode(), random.Random(seed)):  # noqa: S311
        count += 1
        said = _send(address, request)
        if said is not None:
            wrong.append(f"{said}: {request[:300]!r}")
    return count, wrong


def _send(address: str, request: bytes) -> str | None:
    """Return what is wrong with the answer, if anything; a closed connection is an answer too."""
    place = urlsplit(address)
    try:
        with socket.create_connection((str(place.hostname), place.port or 80), SECONDS) as line:
            line.settimeout(SECONDS)
            line.sendall(request)
            answer = line.recv(4096)
    except TimeoutError:
        return "not answered in time"
    except ConnectionError:
        return None
    words = answer.split(b" ", 2)
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    return f"answered {status}" if status >= MISTAKE and status != UNAVAILABLE else None


def _requests(document: Operation, token: bytes, chance: random.Random) -> Iterator[bytes]:
    for path, item in document["paths"].items():
        shared = item.get("parameters", [])
        for method, operation in item.items():
            if method == "parameters":
                continue
            parameters = [*shared, *operation.get("parameters", ())]
            start = method.upper().encode() + b" "
            plain = path.replace("{key}", "1").replace("{file_id}", "1").encode()
            for target in _targets(path, plain.decode(), parameters, chance):
                yield _request(start + target.encode(), {b"Authorization": token})
            for name in HEADERS:
                for value in VALUES:
                    yield _request(
                        start + plain, {b"Authorization": token, name.encode(): value}, b"{}"
                    )
            for kind, body in _bodies(document, operation):
                headers = {b"Authorization": token, b"Content-Type": kind}
                yield _request(start + plain, headers, body)


def _request(start: bytes, headers: dict[bytes, bytes], body: bytes = b"") -> bytes:
    length = str(len(body)).encode()
    known = {b"Host": b"127.0.0.1", b"Connection": b"close", b"Content-Length": length} | headers
    lines = [name + b": " + value for name, value in known.items()]
    return start + b" HTTP/1.1\r\n" + b"\r\n".join(lines) + b"\r\n\r\n" + body


def _targets(
    path: str, plain: str, parameters: list[Operation], chance: random.Random
) -> Iterator[str]:
    names = [each["name"] for each in parameters if each["in"] == "query"]
    for text in TEXTS:
        for each in parameters:
            if each["in"] == "path":
                yield path.replace(f"{{{each['name']}}}", text)
        for name in [text, *chance.sample(names, min(PARAMETERS, len(names)))]:
            yield f"{plain}?{name}={text}"
            yield f"{plain}?{name}[{text}]={text},{text}"


def _bodies(document: Operation, operation: Operation) -> Iterator[tuple[bytes, bytes]]:
    content = operation.get("requestBody", {}).get("content", {})
    for kind, each in content.items():
        if kind == "multipart/form-data":
            yield from _forms(each["schema"].get("properties", {}))
            continue
        for body in BODIES:
            yield kind.encode(), body
        schema = each.get("schema", {})
        if "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        for name in schema.get("properties", {}):
            for member in MEMBERS:
                yield kind.encode(), b"{" + json.dumps(name).encode() + b":" + member + b"}"


def _forms(parts: Operation) -> Iterator[tuple[bytes, bytes]]:
    kind = b"multipart/form-data; boundary=" + BOUNDARY
    for name in (*(each.encode() for each in parts), *VALUES):
        for value in VALUES:
            head = b'--odd\r\nContent-Disposition: form-data; name="' + name + b'"'
            yield kind, head + b"\r\n\r\n" + value + b"\r\n--odd--\r\n"
            file = b'; filename="' + value + b'"\r\nContent-Type: ' + value + b"\r\n\r\n"
            yield kind, head + file + value + b"\r\n--odd--\r\n"
    yield kind, b"--odd"
    yield b"multipart/form-data", b"--odd--"
    yield b"multipart/form-data; boundary=\xff", b"--\xff--"
