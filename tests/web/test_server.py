"""How the app starts and what it forgets."""

from types import SimpleNamespace

from fashion_model.web import server


def test_sessions_that_nobody_waits_for_are_forgotten():
    queue = SimpleNamespace(
        pending_event_ids_session={"told": set(), "asks": {"1"}, "gone": {"2"}, "late": {"3"}},
        pending_messages_per_session={"asks": []},
        event_ids_to_events={"3": object()},
    )
    server.forget_sessions(SimpleNamespace(_queue=queue))
    assert list(queue.pending_event_ids_session) == ["asks", "late"]


def test_names_of_files_that_are_gone_are_forgotten(tmp_path):
    here = tmp_path / "here.png"
    here.touch()
    names = {str(here), str(tmp_path / "gone.png")}
    server.forget_files(SimpleNamespace(temp_file_sets=[names, set()]))
    assert names == {str(here)}
