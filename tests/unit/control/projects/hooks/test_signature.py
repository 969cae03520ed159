from __future__ import annotations

import base64

from control.projects.hooks.signature import headers, new_secret, sign


def test_the_reference_vector_of_standard_webhooks() -> None:
    secret, message_id = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert sign(secret, message_id, 1614265330, b'{"test": 2432232314}') == expected
    assert sign(secret.removeprefix("whsec_"), message_id, 1614265330, b'{"test": 2432232314}') == expected


def test_each_part_changes_the_signature() -> None:
    secret = new_secret()
    signed = sign(secret, "dlv_a", 1, b"{}")
    others = [sign(secret, "dlv_b", 1, b"{}"), sign(secret, "dlv_a", 2, b"{}"), sign(secret, "dlv_a", 1, b"{ }")]
    assert signed not in [*others, sign(new_secret(), "dlv_a", 1, b"{}")]


def test_a_secret_has_a_key_of_the_length_that_the_specification_asks_for() -> None:
    one, other = new_secret(), new_secret()
    assert one != other
    assert one.startswith("whsec_")
    assert 24 <= len(base64.b64decode(one.removeprefix("whsec_"), validate=True)) <= 64


def test_while_two_secrets_are_good_there_is_a_signature_for_each() -> None:
    new, old = new_secret(), new_secret()
    made = headers([new, old], "dlv_a", 7, b"{}")
    assert made["webhook-id"] == "dlv_a"
    assert made["webhook-timestamp"] == "7"
    assert made["webhook-signature"].split(" ") == [sign(new, "dlv_a", 7, b"{}"), sign(old, "dlv_a", 7, b"{}")]
