"""HTTP as it arrives: whole, in pieces, several requests at once, too late, or not HTTP at all."""

import http.client
import json
import re
import socket
import time

import pytest

PLAIN = "/v1/models/plain"


def read_answers(connection, count):
    """The next answers of a connection, each head (but for its date) and body; fewer where it was closed."""
    found, said = [], b""
    while len(found) < count:
        head, ends, rest = said.partition(b"\r\n\r\n")
        size = int(re.search(rb"content-length: (\d+)", head)[1]) if ends else 0
        if ends and len(rest) >= size:
            found.append((re.sub(rb"date: .*?\r\n", b"", head), rest[:size]))
            said = rest[size:]
        elif got := connection.recv(1 << 16):
            said += got
        else:
            break
    assert not said, said
    return found


def exchange(server, *pieces, answers=1):
    """What the server says to these bytes, sent one after the other, and whether it then listens no more."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.05)
        found = read_answers(connection, answers)
        assert len(found) == answers, found
        try:
            connection.sendall(b"GET /v1/models/nobody HTTP/1.1\r\nHost: x\r\n\r\n")
            more = read_answers(connection, 1)
        except ConnectionError:
            return found, True
    assert all(b"nobody" in body for _, body in more), more
    return found, not more


def post(body, *heads, version=b"1.1"):
    lines = [b"POST " + PLAIN.encode() + b":predict HTTP/" + version, b"Host: x", b"Content-Length: %d" % len(body)]
    return b"\r\n".join([*lines, *heads, b"", body])


def test_what_is_not_http_at_all(server):
    for sent in (b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9\r\n\r\n", b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
                 b"GET / HTTP/1.1\r\nX: " + b"a" * 200_000, b"POST /v1/models/plain:predict HTTP/1.1\r\nHost: x\r\n"
                 b"Content-Length: 99999999999\r\n\r\n{"):  # fmt: skip
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall(sent)
            answer = connection.recv(4096)
            assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 413", b"HTTP/1.1 404")), (sent[:40], answer)


@pytest.mark.parametrize("body", [b'{"instances": [1, 2]}', b'{"instances": ["a"]}', b"{", b'{"signature_name": "x"}'])
def test_in_one_piece_or_in_several(server, body):
    """Whole requests take another way through the server, which must not be seen."""
    sent = post(body)
    (whole,), is_closed = exchange(server, sent)
    assert not is_closed and b"content-type: application/json" in whole[0]
    for cut in (10, len(sent) - len(body), len(sent) - 1):
        (parts,), is_closed = exchange(server, sent[:cut], sent[cut:])
        assert parts == whole and not is_closed


def test_the_end_of_a_connection(server):
    body = b'{"instances": [1]}'
    for sent in (post(body, b"Connection: close"), post(body, version=b"1.0")):
        ((head, answer),), is_closed = exchange(server, sent)
        assert json.loads(answer) == {"predictions": [3.5]} and b"connection: close" in head and is_closed
        ((again, _),), _ = exchange(server, sent[:30], sent[30:])
        assert again == head


def test_requests_one_after_the_other_and_all_at_once(server):
    bodies = [b'{"instances": [%d]}' % index for index in range(5)]
    wanted = [{"predictions": [3 + index / 2]} for index in range(5)]
    for pieces in ([post(body) for body in bodies], [b"".join(post(body) for body in bodies)]):
        found, is_closed = exchange(server, *pieces, answers=5)
        assert [json.loads(answer) for _, answer in found] == wanted and not is_closed
    status = b"GET " + PLAIN.encode() + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    found, _ = exchange(server, post(bodies[1]) + status + post(bodies[2]), answers=3)
    assert json.loads(found[1][1])["model_version_status"] and json.loads(found[2][1]) == wanted[2]


def test_a_head_that_does_not_come(server):
    """Neither the first of a connection nor a later one may take longer than --timeout, which is 2 seconds here."""
    for before in ((), (post(b'{"instances": [1]}'),)):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            for sent in before:
                connection.sendall(sent)
                ((head, _),) = read_answers(connection, 1)
                assert head.startswith(b"HTTP/1.1 200")
            begun = time.monotonic()
            connection.sendall(b"POST /v1/models")
            assert connection.recv(1000) == b"" and 1 < time.monotonic() - begun < 8


def test_a_request_and_then_nonsense(server):
    found, is_closed = exchange(server, post(b'{"instances": [1]}') + b"\x00nonsense\r\n\r\n", answers=1)
    assert found[0][0].startswith((b"HTTP/1.1 400", b"HTTP/1.1 200")) and is_closed


def test_whoever_continues_is_told_to(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        head, body = post(b'{"instances": [1]}', b"Expect: 100-continue").split(b"\r\n\r\n")
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        ((head, answer),) = read_answers(connection, 1)
    assert head.startswith(b"HTTP/1.1 200") and answer == b'{\n    "predictions": [3.5]\n}'


def test_a_body_that_does_not_come(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.putrequest("POST", f"{PLAIN}:predict")
    connection.putheader("Content-Length", "100")
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 408 and json.loads(answer.read()) == {"error": "the request did not arrive in time"}
    connection.close()
