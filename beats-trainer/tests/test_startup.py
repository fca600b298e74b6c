import gc
import threading

import pytest
from beats_trainer.startup import paused


def test_nothing_is_collected_meanwhile_and_afterwards_as_before():
    with paused():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_who_put_it_off_himself_finds_it_off():
    gc.disable()
    try:
        with paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_an_error_turns_it_on_again():
    with pytest.raises(LookupError), paused():
        raise LookupError
    assert gc.isenabled()


def test_two_threads_that_overlap_leave_it_on():
    inside, leave = threading.Event(), threading.Event()

    def other():
        with paused():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    assert inside.wait(10)
    with paused():
        leave.set()
        thread.join()
    assert gc.isenabled()
