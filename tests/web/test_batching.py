"""The queue and its workers, without a server."""

import threading

import pytest
import server

from manylabel.web.batching import Batcher, Full


def test_batches_grow_while_workers_are_busy_and_idle_workers_share():
    gate, sizes = threading.Event(), []
    both = threading.Barrier(2, timeout=5)

    def work(items):
        sizes.append(len(items))
        if items[0] == "meet":
            both.wait()  # broken unless two workers hold one half each
        gate.wait(5)
        return items

    with Batcher(work, workers=2, room=40, size=8) as batcher:
        server.until(lambda: batcher._idle >= 2)
        first = batcher.submit(["meet"] * 6, list)
        server.until(lambda: len(sizes) >= 2)
        assert sizes == [3, 3]
        second = batcher.submit(["x"] * 16, list)
        gate.set()
        assert first.future.result(5) == ["meet"] * 6
        assert second.future.result(5) == ["x"] * 16
    assert sizes == [3, 3, 8, 8]


def test_a_job_is_queued_whole_or_not_at_all_and_what_waits_is_finished_at_the_end():
    gate = threading.Event()

    def work(items):
        gate.wait(5)
        return [item * 2 for item in items]

    batcher = Batcher(work, workers=1, room=3, size=1)
    with pytest.raises(Full):
        batcher.submit([1], list)  # not open yet
    with batcher:
        held = batcher.submit([1], list)
        server.until(lambda: not len(batcher))
        waiting = batcher.submit([2, 3], list)
        with pytest.raises(Full):
            batcher.submit([4, 5], list)
        assert len(batcher) == 2
        last = batcher.submit([6], list)
        gate.set()
    assert [job.future.result(0) for job in (held, waiting, last)] == [[2], [4, 6], [12]]
    with pytest.raises(Full):
        batcher.submit([1], list)


def test_what_is_dropped_is_not_worked_on_and_keeps_no_room():
    gate, done = threading.Event(), []

    def work(items):
        done.extend(items)
        gate.wait(5)
        return items

    with Batcher(work, workers=1, room=2, size=1) as batcher:
        begun = batcher.submit(["begun"], list)
        server.until(lambda: done)
        gone = batcher.submit(["gone", "gone"], list)
        batcher.drop(gone)
        batcher.drop(begun)  # it is computed to its end, for nobody
        kept = batcher.submit(["kept"], list)
        gate.set()
        assert kept.future.result(5) == ["kept"]
    assert done == ["begun", "kept"]
    assert gone.future.cancelled()
    assert begun.future.cancelled()


def test_a_fault_reaches_those_it_concerns_and_the_worker_goes_on():
    def work(items):
        if "bad" in items:
            raise RuntimeError("broken")
        return items

    def then(outcomes):
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
        return outcomes

    with Batcher(work, workers=1, room=9, size=1) as batcher:
        mixed, good = batcher.submit(["good", "bad"], then), batcher.submit(["good"], then)
        with pytest.raises(RuntimeError, match="broken"):
            mixed.future.result(5)
        assert good.future.result(5) == ["good"]


def test_the_bytes_of_an_item_are_let_go_once_it_is_computed():
    with Batcher(list, workers=1, room=9) as batcher:
        job = batcher.submit([b"x", b"y"], list)
        job.future.result(5)
    assert job.items == [None, None]
