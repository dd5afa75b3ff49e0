"""{{description}}."""

import json

from contract import refusal
from wit_world import exports
from wit_world.exports import hook
from wit_world.imports.types import ErrorKind


class Hook(exports.Hook):
    def points(self):
        return [hook.Subscription(point="before-tool", tools=["file_*"], order=0)]

    def decide(self, question):
        try:
            call = json.loads(question.subject_json)
            tool, arguments = call["tool"], call.get("arguments")
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            # A failure is a denial here, so a subject of another shape stops the call.
            raise refusal(ErrorKind.INVALID_INPUT, f"this is no call of a tool: {error!r}")
        path = arguments.get("path") if isinstance(arguments, dict) else None
        if isinstance(path, str) and "private" in path:
            return hook.Answer_Deny(f"`{tool}` keeps away from what is called private")
        return hook.Answer_Proceed()
