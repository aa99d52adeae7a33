"""Names and passwords."""

import pytest
from bearpit_server.identity.names import check_name, check_password
from bearpit_server.rules.refusals import Refused


@pytest.mark.parametrize("name", ["ada", "A_b-c.9", "x" * 24])
def test_takes_a_name_of_letters_digits_and_three_marks(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "ab", "x" * 25, "ad a", "ada\n", "ädа", "ad\0a", "a/b", "١٢٣"])
def test_refuses_other_names(name: str) -> None:
    with pytest.raises(Refused) as caught:
        check_name(name)
    assert (caught.value.reason, caught.value.field) == ("INVALID_FIELD", "name")


@pytest.mark.parametrize("password", ["12345678", "ä" * 256, " " * 8])
def test_takes_a_password_of_8_to_256_characters(password: str) -> None:
    assert check_password(password) == password


@pytest.mark.parametrize("password", ["", "1234567", "x" * 257])
def test_refuses_other_passwords(password: str) -> None:
    with pytest.raises(Refused):
        check_password(password)
