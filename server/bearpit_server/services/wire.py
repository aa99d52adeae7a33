"""Messages off the wire: what is checked of each before a service sees it.

The bytes parse; enums have numbers that the contract knows; no string holds a NUL, which PostgreSQL could
not keep; timestamps lie in the years 1 to 9999. The parts of a repeated field and the messages of a stream
are for the service to `check`, each by itself: one bad order must not cost its neighbours anything.
"""

from collections.abc import Callable
from functools import cache

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message

from bearpit_server.rules.refusals import Refused, invalid

Check = Callable[[Message], None]

_TIMESTAMP = "google.protobuf.Timestamp"
_FIRST_SECOND = -62_135_596_800
_LAST_SECOND = 253_402_300_799


def parse(decode: Callable[[bytes], Message], raw: bytes) -> Message:
    """The message in these bytes. Raises Refused INVALID_FIELD when there is none."""
    try:
        return decode(raw)
    except DecodeError:
        raise Refused(
            "INVALID_FIELD", "this is not the message of this call; are its strings UTF-8?", "message"
        ) from None


def check(message: Message) -> None:
    """Raises Refused INVALID_FIELD for the first field that cannot be."""
    for step in _checks(message.DESCRIPTOR):
        step(message)


@cache
def _checks(descriptor: Descriptor) -> tuple[Check, ...]:
    """What is to be checked of a kind of message; mostly little, and found out once."""
    if descriptor.full_name == _TIMESTAMP:
        return (_check_timestamp,)
    steps = (_step(field) for field in descriptor.fields)
    return tuple(step for step in steps if step is not None)


def _step(field: FieldDescriptor) -> Check | None:
    if field.message_type is not None:
        return _map_step(field) if field.is_repeated else _message_step(field.name, field.message_type)
    if field.type == FieldDescriptor.TYPE_STRING:
        return _strings_step(field.name) if field.is_repeated else _string_step(field.name)
    if field.enum_type is not None:
        return (_enums_step if field.is_repeated else _enum_step)(field.name, field.enum_type)
    return None


def _string_step(name: str) -> Check:
    def step(message: Message) -> None:
        if "\0" in getattr(message, name):
            raise _nul(name)

    return step


def _strings_step(name: str) -> Check:
    def step(message: Message) -> None:
        if any("\0" in text for text in getattr(message, name)):
            raise _nul(name)

    return step


def _map_step(field: FieldDescriptor) -> Check | None:
    entry, name = field.message_type, field.name
    if entry is None or not entry.GetOptions().map_entry:
        return None
    value = entry.fields_by_name["value"]

    def step(message: Message) -> None:
        texts = getattr(message, name)
        if any("\0" in key + texts[key] for key in texts):
            raise _nul(name)

    return step if value.type == FieldDescriptor.TYPE_STRING else None


def _enums_step(name: str, enum: EnumDescriptor) -> Check:
    known = frozenset(enum.values_by_number)

    def step(message: Message) -> None:
        if not known.issuperset(getattr(message, name)):
            raise invalid(name, "this contract knows no such value")

    return step


def _enum_step(name: str, enum: EnumDescriptor) -> Check:
    known = frozenset(enum.values_by_number)

    def step(message: Message) -> None:
        number = getattr(message, name)
        if number not in known:
            raise invalid(name, f"there is no {number}; give one of {sorted(known)}")

    return step


def _message_step(name: str, kind: Descriptor) -> Check | None:
    inner = _checks(kind)
    if not inner:
        return None

    def step(message: Message) -> None:
        if message.HasField(name):
            part = getattr(message, name)
            for check_part in inner:
                check_part(part)

    return step


def _check_timestamp(message: Message) -> None:
    seconds, nanos = getattr(message, "seconds", 0), getattr(message, "nanos", 0)
    if not (_FIRST_SECOND <= seconds <= _LAST_SECOND and 0 <= nanos < 1_000_000_000):
        raise invalid("timestamp", "give a time in the years 1 to 9999")


def _nul(name: str) -> Refused:
    return invalid(name, "leave out the NUL character")
