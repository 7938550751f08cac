"""A backup of a real server, made while it serves, restored by the commands and served again."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.asking import ask, tell, until
from tests.e2e.processes import run, running
from tests.e2e.test_erase import SECRETS, WHO, whereabouts

WITH_LAKE = {"COURTESY_LAKE_EVERY_S": "1"}


def test_a_restored_server_goes_on_without_the_erased(tmp_path: Path) -> None:
    """It has everybody else, forgets the erased in every table, file of the lake and log, and stores, folds and reads;
    links and keys of before are good."""
    data, other = tmp_path / "data", tmp_path / "other"
    file, keys = str(tmp_path / "shop.backup"), str(tmp_path / "shop.keys")
    with running(data, "--allow-private-webhooks", environment=WITH_LAKE) as shop:
        server = shop.with_keys("shop")
        seen = {"type": "track", "event": "Seen", "properties": {"product": "zzproduct-776"}}
        traits = {"email": "zzmail-773@example.com", "name": "Zzname-774", "address": {"city": "Zzcity-775"}}
        tell(
            server,
            [
                {**seen, **WHO, "messageId": "z1"},
                {"type": "identify", **WHO, "traits": traits, "messageId": "z2"},
                {"type": "group", **WHO, "groupId": "acme", "messageId": "z3"},
                {"type": "group", "userId": "bob", "groupId": "acme", "messageId": "b1"},
                {
                    "type": "track",
                    "event": "Seen",
                    "userId": "bob",
                    "properties": {"product": "tea"},
                    "messageId": "b2",
                },
            ],
        )
        server.wait_folded()
        made = run("backup", file, "--keys", keys, "--data", str(data))
        assert made.returncode == 0, made.stderr
        assert not any(secret.encode() in Path(file).read_bytes() for secret in SECRETS)
        erased = run("person", "erase", "user_id", WHO["userId"], "--yes", "--data", str(data))
        assert erased.returncode == 0, erased.stderr
        assert run("backup", "--keys-only", keys, "--data", str(data)).returncode == 0
        server.wait_folded()
        bob = server.get("/v1/people/user_id/bob")
    register = str(data / "erasures.jsonl")
    done = run("restore", file, "--keys", keys, "--erasures", register, "--data", str(other))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("1 people and held events left out, whose keys are gone; 1 erased again\n")
    again = run("restore", file, "--keys", keys, "--data", str(other))
    assert "expected an empty database" in again.stderr
    with running(other, environment=WITH_LAKE) as shop:
        restored = type(server)(shop.port, other, server.process, server.write_key, server.admin_key)
        until(lambda: ask(restored.port, "GET", "/readyz").status == 200, "readiness")
        position = bob.pop("position")
        now = restored.get("/v1/people/user_id/bob")
        assert (now.pop("position") != position, now) == (True, bob)
        assert restored.get("/v1/groups/acme")["members"] == ["user_id:bob"]
        tell(restored, [{**seen, "userId": "bob", "messageId": "b3", "properties": {"product": "cake"}}])
        restored.wait_folded()
        assert restored.get("/v1/people/user_id/bob")["events"]["Seen"]["count"] == 2
        assert (other / "lake").is_dir()
        assert whereabouts(other) == set()
        call = {**seen, **WHO, "messageId": "z4"}
        answer = ask(restored.port, "POST", "/v1/batch", key=server.write_key, body={"batch": [call]}).json()
        assert [each["cause"] for each in answer["results"]] == ["forgotten"]
