from kernel import ids


def test_ids_carry_their_kind_and_sort_by_time() -> None:
    made = [ids.new("dep") for _ in range(1000)]
    assert all(ids.is_id(text, "dep") for text in made)
    assert len(set(made)) == 1000
    early, late = ids.uuid7(1_000), ids.uuid7(2_000)
    assert early < late


def test_a_uuid7_has_its_version_and_variant_bits() -> None:
    value = int.from_bytes(ids.uuid7(), "big")
    assert (value >> 76) & 0xF == 7
    assert (value >> 62) & 0b11 == 0b10


def test_another_kind_or_shape_is_refused() -> None:
    good = ids.new("prj")
    assert not ids.is_id(good, "dep")
    assert not ids.is_id(good[:-1], "prj")
    assert not ids.is_id(good + "\n", "prj")
    assert not ids.is_id(good.upper(), "prj")
