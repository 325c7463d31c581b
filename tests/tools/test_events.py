from answers import ANSWERS

from events import FOLDER, files


def test_committed_events_are_generated():
    committed = {path.name: path.read_text() for path in FOLDER.iterdir()}
    assert committed == files(), "run `make events`"


def test_each_event_has_an_expected_answer():
    assert {name.removesuffix(".json") for name in files()} == ANSWERS.keys()
