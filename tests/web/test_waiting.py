"""The queue behind the routes: full, too slow, given up, shared, and emptied at the end."""

from __future__ import annotations

import socket
import time

import httpx
import pytest
import server

from manylabel.model import BATCH


def test_a_full_queue_answers_503_and_a_long_wait_504_and_leaves_the_queue():
    with server.running(server.colour_model(workers=1), max_waiting=3, max_files=3, timeout=0.6) as own:
        network = own.model.network
        network.gate.clear()
        first = own.later(server.picture())
        assert network.begun.acquire(timeout=5)
        second = own.later(server.picture(), server.picture())
        server.until(lambda: len(own.service.batcher) >= 2)
        refused = own.predict(server.picture(), server.picture())
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"
        for thread, answers in (first, second):
            thread.join()
            assert answers[0].status_code == 504
        assert len(own.service.batcher) == 0  # the images of the second are not computed for nobody
        network.gate.set()
        assert own.predict(server.picture()).status_code == 200
        assert sum(network.seen) == 2


def test_who_goes_away_is_taken_out_of_the_queue():
    with server.running(server.colour_model(workers=1)) as own:
        network = own.model.network
        network.gate.clear()
        first = own.later(server.picture())
        assert network.begun.acquire(timeout=5)
        body = httpx.Request("POST", own.url + "/predict", files={"files": server.picture()})
        data = body.read()
        with socket.create_connection(("127.0.0.1", own.port)) as line:
            line.sendall(
                b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\nContent-Type: %b\r\n\r\n%b"
                % (len(data), body.headers["content-type"].encode(), data)
            )
            server.until(lambda: len(own.service.batcher))
        limit = time.perf_counter() + 5
        while len(own.service.batcher):
            assert time.perf_counter() < limit
            time.sleep(0.01)
        network.gate.set()
        first[0].join()
        assert first[1][0].status_code == 200
        assert own.service.counters.errors == {"gone": 1}


def test_what_was_begun_is_answered_at_the_end_and_nothing_new():
    with server.running() as own:
        own.model.network.gate.clear()
        thread, answers = own.later(server.picture())
        assert own.model.network.begun.acquire(timeout=5)
        own.server.should_exit = True
        limit = time.perf_counter() + 5
        while time.perf_counter() < limit:
            try:
                socket.create_connection(("127.0.0.1", own.port), timeout=1).close()
            except OSError:
                break
            time.sleep(0.02)
        else:
            pytest.fail("new connections are taken")
        own.model.network.gate.set()
        thread.join()
        assert answers[0].status_code == 200


def test_requests_of_several_clients_share_batches_and_a_lone_one_does_not_wait():
    with server.running(server.colour_model(workers=1)) as own:
        network = own.model.network
        begun = time.perf_counter()
        assert own.predict(server.picture()).status_code == 200
        assert time.perf_counter() - begun < 0.5
        network.gate.clear()
        asked = [own.later(server.picture())]
        assert network.begun.acquire(timeout=5)
        assert network.begun.acquire(timeout=5)
        asked += [own.later(server.picture()) for _ in range(11)]
        server.until(lambda: len(own.service.batcher) >= 11)
        network.gate.set()
        for thread, answers in asked:
            thread.join()
            assert answers[0].status_code == 200
        assert network.seen[:2] == [1, 1]
        assert network.seen[2:] == [min(BATCH, left) for left in range(11, 0, -BATCH)], "of any requests together"
