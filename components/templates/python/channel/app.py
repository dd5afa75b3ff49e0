"""{{description}}."""

import json
from typing import Any

from componentize_py_types import Err
from contract import refusal
from wit_world import exports
from wit_world.exports import channel
from wit_world.imports import inbox, web
from wit_world.imports.types import ErrorKind, Part_Text

# Where the service is.
SERVICE = "https://chat.example.com"

# Most characters of a message.
MOST_TEXT = 4_000

# Most bytes of an answer of the service.
MOST = 1 << 20


class Channel(exports.Channel):
    def start(self):
        return channel.Descriptor(
            name="{{name}}",
            features=channel.Features(0),
            max_text=MOST_TEXT,
            ingress=channel.Ingress_Poll(2_000),
            options_json=None,
        )

    def poll(self, cursor):
        after = 0 if cursor is None else number_of(cursor)
        messages = answer("GET", f"/messages?after={after}", None)
        last = after
        try:
            for message in messages:
                last = max(last, message["id"])
                hand_in(message)
        except (KeyError, TypeError) as error:
            raise something_else(error)
        return cursor if last == after else str(last)

    def webhook(self, request):
        raise refusal(ErrorKind.UNSUPPORTED, "requests are not taken")

    def send(self, message):
        texts = [part.value for part in message.parts if isinstance(part, Part_Text)]
        text = "\n".join(texts)
        if not text.strip():
            raise refusal(ErrorKind.INVALID_INPUT, "there is no text to send")
        if len(text) > MOST_TEXT:
            advice = f"the text has more than {MOST_TEXT} characters; send it in parts"
            raise refusal(ErrorKind.TOO_LARGE, advice)
        sending = {"conversation": message.conversation, "text": text}
        try:
            return str(answer("POST", "/messages", sending)["id"])
        except (KeyError, TypeError) as error:
            raise something_else(error)

    def edit(self, id, message):
        raise refusal(ErrorKind.UNSUPPORTED, "a sent message is not changed")

    def action(self, conversation, id, name, argument):
        raise refusal(ErrorKind.UNSUPPORTED, f"there is no `{name[:40]}`")


def number_of(cursor: str) -> int:
    # Longer numbers are none of the service's.
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 20):
        message = "the cursor is none of this channel's; begin without one"
        raise refusal(ErrorKind.INVALID_INPUT, message)
    return int(cursor)


def hand_in(message: dict[str, Any]) -> None:
    """Hands in what the service sent. What could not be kept ends the poll, and comes again."""
    inbound = inbox.Inbound(
        id=str(message["id"]),
        conversation=message["conversation"],
        thread=None,
        sender=message["sender"],
        sender_name=None,
        sent_s=message["sent_s"],
        parts=[Part_Text(message["text"])],
        reply_to=None,
        action=None,
        details_json=None,
    )
    try:
        inbox.deliver(inbound)
    except Err as refused:
        # A sender who may not speak holds nobody up.
        if refused.value.kind != ErrorKind.DENIED:
            raise


def answer(method: str, path: str, sending: Any) -> Any:
    """What the service answers, which is JSON."""
    body, headers = b"", []
    if sending is not None:
        body = json.dumps(sending, ensure_ascii=False, separators=(",", ":")).encode()
        headers = [web.Header(name="content-type", value=b"application/json")]
    request = web.Request(
        method=method, url=SERVICE + path, headers=headers, body=body, timeout_ms=None
    )
    answered = b""
    with web.fetch(request, None) as response:
        if response.status() != 200:
            message = f"the service answered {response.status()}"
            raise refusal(ErrorKind.UNAVAILABLE, message)
        while (piece := response.read(65536)) is not None:
            answered += piece
            if len(answered) > MOST:
                raise refusal(ErrorKind.TOO_LARGE, "the service answered too much")
    try:
        return json.loads(answered)
    except (RecursionError, ValueError) as error:
        raise something_else(error)


def something_else(error: Exception) -> Err:
    return refusal(ErrorKind.INTERNAL, f"the service answered something else: {error!r}")
