"""Protocol 1, written by a test out of the host's sources: change nothing here."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict, Union


class RequestHello(TypedDict):
    """Who speaks; the first message, and the only one of its kind. Answered by `welcome`, after which each session to be resumed is followed from its entry on."""

    type: Literal['hello']
    # [`super::PROTOCOL_VERSION`].
    protocol: int
    # A token, unless the connection itself has shown who it is.
    token: NotRequired[str]
    # The program that speaks.
    client: ClientProgram
    # Sessions the client followed before, and the last number it has of each.
    resume: NotRequired[list[Resume]]
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestPing(TypedDict):
    """Whether anybody is there. Answered by `pong`."""

    type: Literal['ping']
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestStatus(TypedDict):
    """How the host is. Answered by `status`."""

    type: Literal['status']
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestSeen(TypedDict):
    """Notifications that were shown to a person; they are not sent again. Answered by `done`."""

    type: Literal['seen']
    # Their identifiers.
    notifications: list[str]
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestCreate(TypedDict):
    """Begins a session, and follows it. It is in the journal from then on. With a key that a session was begun with before, that session is the answer. Answered by `session`."""

    type: Literal['create']
    # Title; the first words that are said when absent.
    title: NotRequired[str]
    # What it has of its own.
    settings: NotRequired[SessionSettings]
    # The client's own key for it, so that asking again makes nothing twice.
    key: NotRequired[str]
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestSessions(TypedDict):
    """Lists sessions, newest first. Answered by `sessions`."""

    type: Literal['sessions']
    # Those that were put away instead of the others.
    archived: NotRequired[bool]
    # How many; 50 when absent.
    limit: NotRequired[int]
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestOpen(TypedDict):
    """Follows a session. Answered by `session`; then come its entries after `after`, then what happens. One that is followed already is begun anew from there."""

    type: Literal['open']
    # The session.
    session: str
    # The last number the client has; all entries are sent when it is 0. Absent, only what happens from now on is sent.
    after: NotRequired[int]
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestClose(TypedDict):
    """Follows a session no more; what runs in it goes on. Answered by `done`."""

    type: Literal['close']
    # The session.
    session: str
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestEntries(TypedDict):
    """Reads a part of a session without following it. Answered by `entries`."""

    type: Literal['entries']
    # The session.
    session: str
    # After this number.
    after: NotRequired[int]
    # How many at most; 200 when absent.
    limit: NotRequired[int]
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestRename(TypedDict):
    """Gives a session another title. Answered by `session`."""

    type: Literal['rename']
    # The session.
    session: str
    # The title.
    title: str
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestArchive(TypedDict):
    """Puts a session away, or takes it out again. Answered by `session`."""

    type: Literal['archive']
    # The session.
    session: str
    # Whether it is to be away.
    archived: bool
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestFork(TypedDict):
    """Copies a session into a new one, up to the end of its last turn that has ended. With a key that a session was begun with before, that session is the answer. Answered by `session`, the new one, which is not followed."""

    type: Literal['fork']
    # The session.
    session: str
    # The copy ends before this turn.
    before: NotRequired[str]
    # Title; that of the session when absent.
    title: NotRequired[str]
    # The client's own key for the copy, so that asking again makes nothing twice.
    key: NotRequired[str]
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestRewind(TypedDict):
    """Lets the conversation forget a turn and all that follows it. Nothing is removed from the journal, and nothing that was done is undone. Refused while a turn runs. Answered by `done`."""

    type: Literal['rewind']
    # The session.
    session: str
    # The first turn to be forgotten; the whole conversation when absent.
    before: NotRequired[str]
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestCompact(TypedDict):
    """Sums the older part of the conversation up now, so that the newer has room; the journal keeps every word. It is an entry of kind `compacted`, and the last turn is always kept. Refused with `turn_runs` while a turn runs or a message waits; asked again meanwhile, the one summary answers both. `cancel` stops it. Answered by `compacted`."""

    type: Literal['compact']
    # The session.
    session: str
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestLoadSkill(TypedDict):
    """Has a session take a skill up: from its next turn on the model reads what it says. One that is loaded is read anew. Refused while a turn runs, and by hooks. Answered by `skill_loaded`."""

    type: Literal['load_skill']
    # The session.
    session: str
    # The skill's name.
    skill: str
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestUnloadSkill(TypedDict):
    """Has a session lay a skill down. Refused while a turn runs. Answered by `done`."""

    type: Literal['unload_skill']
    # The session.
    session: str
    # The skill's name.
    skill: str
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestDelete(TypedDict):
    """Removes a session for good. Refused while a turn runs. Answered by `done`."""

    type: Literal['delete']
    # The session.
    session: str
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestExport(TypedDict):
    """Writes a session as one text. Answered by `export`."""

    type: Literal['export']
    # The session.
    session: str
    # How.
    format: ExportFormat
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestSearch(TypedDict):
    """Finds words in sessions. Answered by `found`."""

    type: Literal['search']
    # The words.
    text: str
    # In this session only.
    session: NotRequired[str]
    # How many; 20 when absent.
    limit: NotRequired[int]
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestSettings(TypedDict):
    """Replaces what a session has of its own, from its next turn on. Answered by `session`."""

    type: Literal['settings']
    # The session.
    session: str
    # All of it; what is absent is the configuration's again.
    settings: SessionSettings
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestSay(TypedDict):
    """Says something, which starts a turn, or queues one while another runs. With a key that was used in this session, nothing is said a second time. Answered by `accepted`."""

    type: Literal['say']
    # The session.
    session: str
    # The text.
    text: str
    # Files that were handed up before, by their identifiers.
    attachments: NotRequired[list[str]]
    # The client's own key for the message, so that sending it again says nothing twice.
    key: NotRequired[str]
    # What the turn belongs to in traces of the client's, as W3C's Trace Context writes it; left alone if it is malformed.
    traceparent: NotRequired[str]
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestSteer(TypedDict):
    """Says something into the running turn: the model reads it before its next step. With a key that was used in this session, nothing is said a second time. Refused with `nothing_runs` if none runs. Answered by `done` once it is kept."""

    type: Literal['steer']
    # The session.
    session: str
    # The text.
    text: str
    # The client's own key for it, so that sending it again says nothing twice.
    key: NotRequired[str]
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestAside(TypedDict):
    """Asks something beside the conversation, which leaves no trace in it and calls no tool. The answer comes in pieces as `aside`, then as the reply `aside_ended`."""

    type: Literal['aside']
    # The session.
    session: str
    # The question.
    text: str
    # What it belongs to in traces of the client's, as with `say`.
    traceparent: NotRequired[str]
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestAnswer(TypedDict):
    """Answers an approval that is asked for. Answered by `done`."""

    type: Literal['answer']
    # The session.
    session: str
    # The call that was asked about.
    call_id: str
    # The answer.
    answer: ApprovalAnswer
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestCancel(TypedDict):
    """Stops the turn of a session, the running one or the one that waits for a place among the user's turns; messages behind it stay. Answered by `done`, also where there is none."""

    type: Literal['cancel']
    # The session.
    session: str
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestCancelAll(TypedDict):
    """Stops every running turn of the person and drops messages that wait. Answered by `done`."""

    type: Literal['cancel_all']
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestUploadBegin(TypedDict):
    """Announces a file. Answered by `upload` with its identifier."""

    type: Literal['upload_begin']
    # Its name, without a directory.
    name: str
    # IANA media type.
    media_type: str
    # Its size.
    bytes: int
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestUploadPart(TypedDict):
    """Hands up the next piece of it; it may be attached once all its bytes are there. It is forgotten once it was said, or after a quarter of an hour. Answered by `upload`."""

    type: Literal['upload_part']
    # The file.
    upload: str
    # The piece, in base64.
    data: str
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestModels(TypedDict):
    """Models that can be chosen. Answered by `models`."""

    type: Literal['models']
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestTools(TypedDict):
    """Tools on offer. Answered by `tools`."""

    type: Literal['tools']
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestComponents(TypedDict):
    """What is installed. Answered by `components`."""

    type: Literal['components']
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestCost(TypedDict):
    """What models have cost. Answered by `cost`."""

    type: Literal['cost']
    # In this session only.
    session: NotRequired[str]
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestNotes(TypedDict):
    """Notes that are kept: those that fit the words best, or the newest. Answered by `notes`."""

    type: Literal['notes']
    # The words.
    text: NotRequired[str]
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestForgetNote(TypedDict):
    """Forgets a note. Answered by `done`."""

    type: Literal['forget_note']
    # Its identifier.
    note: str
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestPolicy(TypedDict):
    """The rules in force for a session. Answered by `policy`."""

    type: Literal['policy']
    # The session.
    session: str
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestSkills(TypedDict):
    """Skills that can be loaded. Answered by `skills`."""

    type: Literal['skills']
    # The session whose loaded skills are marked.
    session: NotRequired[str]
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class RequestRevoke(TypedDict):
    """Takes back what was allowed for good. Answered by `done`."""

    type: Literal['revoke']
    # Its identifier, as a line of `policy` has it.
    approval: str
    # The client's own number for it, repeated in the reply.
    id: NotRequired[int]


class ClientProgram(TypedDict):
    """The program that speaks."""

    # Its name, like `hydroid-tui`.
    name: str
    # Its version.
    version: NotRequired[str]


class Resume(TypedDict):
    """A session to go on with."""

    # The session.
    session: str
    # The last number the client has.
    after: int


class SessionSettings(TypedDict):
    """What a session has of its own instead of the configuration's."""

    # The provider component.
    provider: NotRequired[str]
    # The model, as the provider knows it.
    model: NotRequired[str]
    # How hard the model thinks, in the service's words, such as `low` or `high`.
    effort: NotRequired[str]
    # How much may happen without asking.
    mode: NotRequired[Mode]


class ApprovalAnswerOnce(TypedDict):
    """Run it, this time."""

    answer: Literal['once']


class ApprovalAnswerSession(TypedDict):
    """Run it, and calls like it for the rest of the session."""

    answer: Literal['session']
    # Which calls, as a pattern such as `web_fetch(example.com)`; the scope that was offered when absent.
    calls: NotRequired[str]


class ApprovalAnswerAlways(TypedDict):
    """Run it, and calls like it from now on, until it is revoked or ends."""

    answer: Literal['always']
    # Which calls, as a pattern; the scope that was offered when absent.
    calls: NotRequired[str]
    # After how many days it ends; never when absent.
    days: NotRequired[int]


class ApprovalAnswerEdit(TypedDict):
    """Run it with other arguments."""

    answer: Literal['edit']
    # The arguments as JSON text.
    arguments: str


class ApprovalAnswerDeny(TypedDict):
    """Do not run it."""

    answer: Literal['deny']
    # What the model reads as the reason.
    reason: NotRequired[str | None]


class ServerMessageError(TypedDict):
    """A request that was refused, or, without an identifier, a message that has none to read."""

    type: Literal['error']
    # The request.
    id: NotRequired[int]
    # What kind of refusal.
    code: ErrorCode
    # A sentence with what to do next.
    message: str
    # When to try again, in milliseconds.
    retry_after_ms: NotRequired[int]


class ServerMessageStopped(TypedDict):
    """A session that is followed is shown no more."""

    type: Literal['stopped']
    # The session.
    session: str
    # Why.
    reason: Stopped
    # The last number that was sent; 0 for none.
    last_seq: int


class ServerMessageSessionChanged(TypedDict):
    """A session of the person is new or is another than it was: its title, its place, what it has of its own, what it does. Sent also for sessions that are not followed, the first change at once and then, for each session, how it is by then, at most twice a second."""

    type: Literal['session_changed']
    # The session as it is now.
    session: SessionInfo


class ServerMessageSessionDeleted(TypedDict):
    """A session of the person was deleted."""

    type: Literal['session_deleted']
    # The session.
    session: str


class ServerMessageAside(TypedDict):
    """A piece of the answer to an `aside`."""

    type: Literal['aside']
    # The request.
    id: int
    # The text.
    text: str


class ServerMessageNotification(TypedDict):
    """Something the person is to be told; it is sent again on each connection until it was `seen`."""

    type: Literal['notification']
    # What.
    notification: Notification


class ServerMessageHeartbeat(TypedDict):
    """The host is there, and this is what runs for the person; sent at intervals while something does."""

    type: Literal['heartbeat']
    # Milliseconds since 1970-01-01 UTC.
    at_ms: int
    # What runs.
    running: list[RunningTurn]


class ServerMessageGoodbye(TypedDict):
    """The last message: the connection is closed after it."""

    type: Literal['goodbye']
    # What kind of refusal.
    code: ErrorCode
    # A sentence with what to do next.
    message: str
    # When to try again, in milliseconds.
    retry_after_ms: NotRequired[int]


class ReplyDone(TypedDict):
    """It was done, and there is nothing more to say."""

    reply: Literal['done']
    # The request.
    id: NotRequired[int]
    type: NotRequired[Literal['reply']]


class ReplyWelcome(TypedDict):
    """To `hello`."""

    reply: Literal['welcome']
    # [`super::PROTOCOL_VERSION`].
    protocol: int
    # The host's version.
    server: str
    # Identifies this run of the host; another one means that it was restarted.
    run: str
    # Whose sessions these are.
    user: str
    # What the token may do: `chat`, `read`, `admin`.
    scopes: list[str]
    # What is sent or said at most.
    limits: Limits
    # What sessions have that have nothing of their own.
    settings: SessionSettings
    # Requests that are understood, by their `type`.
    features: list[str]
    # Sessions that could not be resumed: they are gone, or never were.
    gone: NotRequired[list[str]]
    # The request.
    id: NotRequired[int]
    type: NotRequired[Literal['reply']]


class ReplyPong(TypedDict):
    """To `ping`."""

    reply: Literal['pong']
    # Milliseconds since 1970-01-01 UTC.
    at_ms: int
    # The request.
    id: NotRequired[int]
    type: NotRequired[Literal['reply']]


class ReplyStatus(TypedDict):
    """To `status`."""

    reply: Literal['status']
    # The host's version.
    server: str
    # When it started, in milliseconds since 1970-01-01 UTC.
    started_ms: int
    # Now, likewise.
    now_ms: int
    # Whose status it is.
    user: str
    # What sessions have that have nothing of their own.
    settings: SessionSettings
    # Everything is stopped by the emergency stop.
    stopped: bool
    # Sessions of the person in memory.
    sessions: int
    # What runs for the person.
    running: list[RunningTurn]
    # Connections of the person.
    connections: int
    # What does not work as it could, and why.
    degraded: list[Degraded]
    # The request.
    id: NotRequired[int]
    type: NotRequired[Literal['reply']]


class ReplySession(TypedDict):
    """To `create`, `open`, `rename`, `archive`, `fork` and `settings`."""

    reply: Literal['session']
    # The session as it is now.
    session: SessionInfo
    # The request.
    id: NotRequired[int]
    type: NotRequired[Literal['reply']]


class ReplySessions(TypedDict):
    """To `sessions`."""

    reply: Literal['sessions']
    # The sessions.
    sessions: list[SessionInfo]
    # The request.
    id: NotRequired[int]
    type: NotRequired[Literal['reply']]


class ReplyEntries(TypedDict):
    """To `entries`."""

    reply: Literal['entries']
    # The session.
    session: str
    # The entries, oldest first.
    entries: list[NumberedEntry]
    # The number after which to go on; absent at the end.
    next_after: NotRequired[int]
    # The request.
    id: NotRequired[int]
    type: NotRequired[Literal['reply']]


class ReplyExport(TypedDict):
    """To `export`."""

    reply: Literal['export']
    # IANA media type.
    media_type: str
    # The text.
    text: str
    # The request.
    id: NotRequired[int]
    type: NotRequired[Literal['reply']]


class ReplyFound(TypedDict):
    """To `search`."""

    reply: Literal['found']
    # What was found, the best first.
    found: list[Found]
    # The request.
    id: NotRequired[int]
    type: NotRequired[Literal['reply']]


class ReplyAccepted(TypedDict):
    """To `say`: the message is kept until its turn begins, also when the host is killed before."""

    reply: Literal['accepted']
    # The session.
    session: str
    # Messages that wait before this one's turn begins; 0 when it begins at once.
    queued: int
    # Its key was used before, and nothing is said a second time.
    repeated: NotRequired[bool]
    # The request.
    id: NotRequired[int]
    type: NotRequired[Literal['reply']]


class ReplyCompacted(TypedDict):
    """To `compact`."""

    reply: Literal['compacted']
    # The session.
    session: str
    # Turns that the summary stands for; 0 when there was nothing to sum up.
    turns: int
    # The request.
    id: NotRequired[int]
    type: NotRequired[Literal['reply']]


class ReplySkillLoaded(TypedDict):
    """To `load_skill`."""

    reply: Literal['skill_loaded']
    # The session.
    session: str
    # What hooks have to say of it.
    notices: NotRequired[list[str]]
    # The request.
    id: NotRequired[int]
    type: NotRequired[Literal['reply']]


class ReplyAsideEnded(TypedDict):
    """To `aside`."""

    reply: Literal['aside_ended']
    # The whole answer.
    text: str
    # Tokens.
    usage: Usage
    # The request.
    id: NotRequired[int]
    type: NotRequired[Literal['reply']]


class ReplyUpload(TypedDict):
    """To `upload_begin` and `upload_part`."""

    reply: Literal['upload']
    # The file.
    upload: str
    # Bytes that are there.
    received: int
    # All of them are.
    complete: bool
    # The request.
    id: NotRequired[int]
    type: NotRequired[Literal['reply']]


class ReplyModels(TypedDict):
    """To `models`."""

    reply: Literal['models']
    # Models, by provider and name.
    models: list[ModelOffer]
    # The request.
    id: NotRequired[int]
    type: NotRequired[Literal['reply']]


class ReplyTools(TypedDict):
    """To `tools`."""

    reply: Literal['tools']
    # Tools, by name.
    tools: list[ToolOffer]
    # The request.
    id: NotRequired[int]
    type: NotRequired[Literal['reply']]


class ReplyComponents(TypedDict):
    """To `components`."""

    reply: Literal['components']
    # Components, by name.
    components: list[InstalledComponent]
    # The request.
    id: NotRequired[int]
    type: NotRequired[Literal['reply']]


class ReplyCost(TypedDict):
    """To `cost`."""

    reply: Literal['cost']
    # All of it.
    total: CostRow
    # By day, oldest first.
    days: list[CostRow]
    # By model.
    models: list[CostRow]
    # The request.
    id: NotRequired[int]
    type: NotRequired[Literal['reply']]


class ReplyNotes(TypedDict):
    """To `notes`."""

    reply: Literal['notes']
    # The notes.
    notes: list[KeptNote]
    # The request.
    id: NotRequired[int]
    type: NotRequired[Literal['reply']]


class ReplySkills(TypedDict):
    """To `skills`."""

    reply: Literal['skills']
    # Skills, by name.
    skills: list[SkillOffer]
    # The request.
    id: NotRequired[int]
    type: NotRequired[Literal['reply']]


class ReplyPolicy(TypedDict):
    """To `policy`."""

    reply: Literal['policy']
    # How much may happen without asking.
    mode: Mode
    # The rules, in the order in which they are looked at.
    rules: list[PolicyLine]
    # The request.
    id: NotRequired[int]
    type: NotRequired[Literal['reply']]


class SessionInfo(TypedDict):
    """What there is to know of a session."""

    # Identifier.
    session: str
    # Title.
    title: str
    # Milliseconds since 1970-01-01 UTC.
    created_ms: int
    # Last entry, in milliseconds since 1970-01-01 UTC.
    updated_ms: int
    # Turns started.
    turns: int
    # The last number in its journal; 0 when it is empty.
    last_seq: int
    # It was put away.
    archived: bool
    # The session it was copied from.
    forked_from: NotRequired[str]
    # What it has of its own.
    settings: SessionSettings
    # What it does.
    activity: Activity
    # Messages that wait for their turn.
    queued: int


class NumberedEntry(TypedDict):
    """An entry with its number, as a page of the journal has it."""

    # Position in the session.
    seq: int
    # Milliseconds since 1970-01-01 UTC.
    at_ms: int
    # What happened.
    entry: Entry


class EntryTurnStarted(TypedDict):
    """A turn began with the person's message."""

    kind: Literal['turn_started']
    # The turn.
    turn: str
    # The message.
    parts: list[Part]
    # The key that the client gave the message.
    key: NotRequired[str]


class EntrySteered(TypedDict):
    """The person said something into a running turn; the model reads it before its next step."""

    kind: Literal['steered']
    # The turn.
    turn: str
    # The message.
    parts: list[Part]
    # The key that the client gave it.
    key: NotRequired[str]


class EntryRewound(TypedDict):
    """The conversation forgets a turn and all that follows it."""

    kind: Literal['rewound']
    # The first turn that is forgotten; all of them when absent.
    to: NotRequired[str]


class EntrySettingsChanged(TypedDict):
    """The session has other settings of its own, from its next turn on."""

    kind: Literal['settings_changed']
    # All of them.
    settings: SessionSettings


class EntryStepStarted(TypedDict):
    """A model was asked."""

    kind: Literal['step_started']
    # The turn.
    turn: str
    # Number of the step in the turn, from 1.
    step: int
    # The provider component.
    provider: str
    # The model.
    model: str


class EntryText(TypedDict):
    """The model said something; to be appended to what it said before in this step."""

    kind: Literal['text']
    # The turn.
    turn: str
    # The text.
    text: str


class EntryThinking(TypedDict):
    """The model thought something."""

    kind: Literal['thinking']
    # The turn.
    turn: str
    # Readable text.
    text: str
    # What the provider wants back verbatim.
    opaque: NotRequired[str]


class EntryCited(TypedDict):
    """The model cited a source."""

    kind: Literal['cited']
    # The turn.
    turn: str
    # Where it is.
    uri: str
    # Its title.
    title: NotRequired[str]


class EntryCallReceived(TypedDict):
    """The model asked for a tool call, or a component that is being called did."""

    kind: Literal['call_received']
    # The turn.
    turn: str
    # The call.
    call: ToolCall
    # The call that asked for it; none if the model did. The model reads neither such a call nor its result.
    parent: NotRequired[str]


class EntryApprovalAsked(TypedDict):
    """The person is asked whether a call may run."""

    kind: Literal['approval_asked']
    # The turn.
    turn: str
    # The call.
    call_id: str
    # What will run, exactly.
    call: ToolCall
    # The component that would run it.
    component: str
    # What it can do.
    impact: Impact
    # Why it is asked.
    reason: str
    # The pattern that an answer for longer would be about; empty when there is none, because a person approves such a call each time.
    scope: str
    # What the person is shown beside the arguments.
    preview: NotRequired[Preview]


class EntryCallEdited(TypedDict):
    """The person changed the arguments of a call they were asked about."""

    kind: Literal['call_edited']
    # The turn.
    turn: str
    # The call.
    call_id: str
    # The arguments now, as JSON text.
    arguments: str


class EntryCallDecided(TypedDict):
    """It was decided whether a call may run."""

    kind: Literal['call_decided']
    # The turn.
    turn: str
    # The call.
    call_id: str
    # The decision in force.
    decision: Decision
    # Who decided.
    by: DecidedBy
    # The rule in force, as the person can find it.
    rule: NotRequired[str]
    # The component that would run it.
    component: NotRequired[str]


class EntryCallStarted(TypedDict):
    """A call began to run."""

    kind: Literal['call_started']
    # The turn.
    turn: str
    # The call.
    call_id: str
    # The component that runs it.
    component: str
    # The call as it runs, arguments normalised.
    call: ToolCall


class EntryCallFinished(TypedDict):
    """A call ended."""

    kind: Literal['call_finished']
    # The turn.
    turn: str
    # The call.
    call_id: str
    # What the model reads.
    output: ToolOutput
    # Where it came from.
    label: Label


class EntryStepEnded(TypedDict):
    """The model's answer ended."""

    kind: Literal['step_ended']
    # The turn.
    turn: str
    # Why.
    stop: StopReason
    # Tokens of this step.
    usage: Usage
    # Money of this step in US dollars; none when its price or its tokens are not known.
    dollars: NotRequired[float]


class EntryChildAnswered(TypedDict):
    """The model of a child turn answered. What it said is in what its call returns; the calls it asks for are entries of their own."""

    kind: Literal['child_answered']
    # The turn.
    turn: str
    # The call that started the child turn.
    call_id: str
    # Number of the step in the child turn, from 1.
    step: int
    # Who answered.
    by: ModelRef
    # Why the answer ended.
    stop: StopReason
    # Tokens of this step.
    usage: Usage
    # Money of this step in US dollars; none when its price or its tokens are not known.
    dollars: NotRequired[float]


class EntryNotice(TypedDict):
    """The host has something to say to the person."""

    kind: Literal['notice']
    # The turn.
    turn: str
    # The text.
    text: str


class EntryModelNews(TypedDict):
    """The host tells what became of a request to a model: that it is sent again, or that another model than the step began with answers."""

    kind: Literal['model_news']
    # The turn.
    turn: str
    # What happened.
    news: ModelNews


class EntryCompacted(TypedDict):
    """The older part of the conversation was summed up. From here on the summary is sent in its place; the entries stay."""

    kind: Literal['compacted']
    # Turns from the beginning of the session that the summary stands for.
    covers: int
    # The summary.
    summary: str
    # The model that wrote it; none if the host shortened what was said.
    by: NotRequired[ModelRef]


class EntrySkillLoaded(TypedDict):
    """The session took a skill up: from here on the model reads its instructions."""

    kind: Literal['skill_loaded']
    # The turn; none if no model wants it loaded.
    turn: NotRequired[str]
    # The call that wanted it.
    call_id: NotRequired[str]
    # Who wants it.
    by: SkillBy
    # The skill.
    skill: LoadedSkill


class EntrySkillUnloaded(TypedDict):
    """The session laid a skill down."""

    kind: Literal['skill_unloaded']
    # The turn; none if no model wants it.
    turn: NotRequired[str]
    # Who wants it.
    by: SkillBy
    # Its name.
    name: str


class EntryTurnEnded(TypedDict):
    """The turn ended."""

    kind: Literal['turn_ended']
    # The turn.
    turn: str
    # How.
    outcome: Outcome
    # Tokens of the turn.
    usage: Usage
    # Money of those steps whose price is known, in US dollars.
    dollars: NotRequired[float]


class ContentText(TypedDict):
    """Plain or Markdown text."""

    type: Literal['text']
    # The text.
    text: str
    # Where it came from and how far it is trusted.
    label: NotRequired[Label]


class ContentThinking(TypedDict):
    """The model's thinking."""

    type: Literal['thinking']
    # Readable text, possibly empty.
    text: str
    # Signature or encrypted form that the provider wants back verbatim.
    opaque: NotRequired[str]
    # Where it came from and how far it is trusted.
    label: NotRequired[Label]


class ContentToolCall(TypedDict):
    """A tool call the model asked for."""

    type: Literal['tool_call']
    # The call.
    call: ToolCall
    # Where it came from and how far it is trusted.
    label: NotRequired[Label]


class ContentToolResult(TypedDict):
    """The result of a tool call."""

    type: Literal['tool_result']
    # The call it answers.
    call_id: str
    # What the model reads.
    content: list[Content]
    # The call failed or was refused.
    is_error: bool
    # Where it came from and how far it is trusted.
    label: NotRequired[Label]


class ContentMedia(TypedDict):
    """Inline bytes."""

    type: Literal['media']
    # IANA media type.
    media_type: str
    # The bytes.
    data: str
    # File name to show.
    name: NotRequired[str]
    # Where it came from and how far it is trusted.
    label: NotRequired[Label]


class ContentJson(TypedDict):
    """A JSON value."""

    type: Literal['json']
    # The value.
    json: Any
    # Where it came from and how far it is trusted.
    label: NotRequired[Label]


class ContentLink(TypedDict):
    """A reference."""

    type: Literal['link']
    # Absolute URI.
    uri: str
    # Title to show.
    title: NotRequired[str]
    # IANA media type.
    media_type: NotRequired[str]
    # Where it came from and how far it is trusted.
    label: NotRequired[Label]


class ContentOther(TypedDict):
    """A value of a kind this version does not name."""

    type: Literal['other']
    # Namespaced kind.
    kind: str
    # JSON text.
    json: str
    # Where it came from and how far it is trusted.
    label: NotRequired[Label]


class ToolCall(TypedDict):
    """A call the model asked for."""

    # Identifier, unique in the session.
    id: str
    # Name of the tool.
    name: str
    # Arguments as JSON text, exactly as the model wrote them.
    arguments: str


class Label(TypedDict):
    """Where a part came from and how far it is trusted. The host sets it; no component can."""

    # Where it came from.
    source: Source
    # Whether it may be taken as the person's will.
    trust: Trust
    # Something secret was in it; what was recognised is masked.
    secret: NotRequired[bool]


# The person at a client.
SourceUser = TypedDict(
    "SourceUser",
    {
        # 
        "from": "Literal['user']",
    },
)


# The host itself.
SourceHost = TypedDict(
    "SourceHost",
    {
        # 
        "from": "Literal['host']",
    },
)


# A model.
SourceModel = TypedDict(
    "SourceModel",
    {
        # 
        "from": "Literal['model']",
        # The provider component.
        "provider": "str",
        # The model.
        "model": "str",
    },
)


# A tool.
SourceTool = TypedDict(
    "SourceTool",
    {
        # 
        "from": "Literal['tool']",
        # The component that ran.
        "component": "str",
        # The tool.
        "tool": "str",
        # What the result is made of.
        "of": "Origin",
    },
)


# A file the person handed over.
SourceFile = TypedDict(
    "SourceFile",
    {
        # 
        "from": "Literal['file']",
        # Its name, without a directory.
        "name": "str",
    },
)


# A summary of what was said before in the session.
SourceSummary = TypedDict(
    "SourceSummary",
    {
        # 
        "from": "Literal['summary']",
    },
)


# A person at an outside service.
SourceChannel = TypedDict(
    "SourceChannel",
    {
        # 
        "from": "Literal['channel']",
        # The channel component.
        "channel": "str",
        # Who sent it, as the service calls them.
        "sender": "str",
    },
)


class OriginComputed(TypedDict):
    """Nothing but its arguments, by code that came with the release."""

    of: Literal['computed']


class OriginFile(TypedDict):
    """A file of the workspace; the path when the arguments name just one."""

    of: Literal['file']
    # Path as components see it.
    path: str | None


class OriginMemory(TypedDict):
    """The person's notes and past sessions."""

    of: Literal['memory']


class OriginSkill(TypedDict):
    """A skill that the person keeps, by code that came with the release."""

    of: Literal['skill']


class OriginHost(TypedDict):
    """Another machine; its name when the arguments name just one."""

    of: Literal['host']
    # Name of the host.
    host: str | None


class OriginUnknown(TypedDict):
    """Something the host cannot tell."""

    of: Literal['unknown']


class PreviewDifference(TypedDict):
    """What would change in files, as a unified difference."""

    preview: Literal['difference']
    # The text, at most 256 KiB; it says itself when something was left out.
    text: str
    # SHA-256 over all that would be written, so that what runs can be compared with it.
    digest: str


class PreviewCopy(TypedDict):
    """What would be copied out of the vault."""

    preview: Literal['copy']
    # Path in the vault.
    source: str
    # Path it goes to.
    destination: str
    # Size in bytes.
    bytes: int
    # SHA-256 of the bytes.
    digest: str


class PreviewSend(TypedDict):
    """Where something would be sent."""

    preview: Literal['send']
    # Host with its port.
    host: str
    # Bytes of the arguments, of which what is sent is made.
    bytes: int


class PreviewUnknown(TypedDict):
    """The host could not find out; the text says why."""

    preview: Literal['unknown']
    # Why.
    reason: str


class DecisionAllow(TypedDict):
    """It runs."""

    decision: Literal['allow']


class DecisionAsk(TypedDict):
    """The person is asked."""

    decision: Literal['ask']
    # Why.
    reason: str


class DecisionDeny(TypedDict):
    """It does not run."""

    decision: Literal['deny']
    # Why, and what would allow it.
    reason: str


class ToolOutput(TypedDict):
    """What a call gave back."""

    # What the model reads.
    content: list[Content]
    # The call failed or was refused.
    is_error: bool


class Usage(TypedDict):
    """Tokens used, as the service counts them."""

    # Input tokens, cached ones included.
    input: int
    # Output tokens, reasoning included.
    output: int
    # Input tokens read from a cache.
    cache_read: int
    # Input tokens written to a cache.
    cache_write: int
    # Output tokens spent on reasoning.
    reasoning: int


class ModelRef(TypedDict):
    """A model of a provider."""

    # The provider component.
    provider: str
    # The model, as the provider knows it.
    model: str


class ModelNewsRetrying(TypedDict):
    """A request failed before anything of an answer came, and is sent again after a while."""

    what: Literal['retrying']
    # Who failed.
    of: ModelRef
    # The kind of failure, in the contract's words.
    kind: str
    # What the provider said of it.
    why: str
    # How long it waits, in milliseconds.
    wait_ms: int
    # The number of the request that will be sent.
    attempt: int
    # How many are sent at the most.
    attempts: int
    # The failed request reached the service, so it may have to be paid.
    sent: bool


# Another model answers, because this one could not.
ModelNewsFellBack = TypedDict(
    "ModelNewsFellBack",
    {
        # 
        "what": "Literal['fell_back']",
        # Who could not.
        "from": "ModelRef",
        # Who answers.
        "to": "ModelRef",
        # The kind of failure, in the contract's words.
        "kind": "str",
        # What the provider said of it.
        "why": "str",
    },
)


class ModelNewsRouted(TypedDict):
    """Another model answers, because of what is asked."""

    what: Literal['routed']
    # Who answers.
    to: ModelRef
    # The task, as `model.route` calls it.
    task: str


class ModelNewsKept(TypedDict):
    """The answer was given before, to the very same request."""

    what: Literal['kept']
    # Who gave it.
    by: ModelRef
    # When, in milliseconds since 1970-01-01 UTC.
    at_ms: int


class ModelNewsLeftAlone(TypedDict):
    """A model failed so often in a row that it is left alone for a while."""

    what: Literal['left_alone']
    # Which.
    of: ModelRef
    # How often it failed.
    failures: int
    # For how long, in milliseconds.
    for_ms: int


class LoadedSkill(TypedDict):
    """What a session has taken up."""

    # Its name.
    name: str
    # `sha256:…` of its file.
    digest: str
    # The instructions as the model reads them, scrubbed.
    text: str


class OutcomeCompleted(TypedDict):
    """The model gave its final answer."""

    outcome: Literal['completed']


class OutcomeCancelled(TypedDict):
    """The person cancelled."""

    outcome: Literal['cancelled']


class OutcomeStopped(TypedDict):
    """Everything was stopped, by `hydroid stop --all`."""

    outcome: Literal['stopped']


class OutcomeBudgetReached(TypedDict):
    """A budget was used up."""

    outcome: Literal['budget_reached']
    # Which and how much, with the key that raises it.
    reason: str


class OutcomeRepeating(TypedDict):
    """The model repeated itself."""

    outcome: Literal['repeating']
    # What it repeated.
    reason: str


class OutcomeFailed(TypedDict):
    """The model could not answer."""

    outcome: Literal['failed']
    # Why.
    reason: str


class OutcomeInterrupted(TypedDict):
    """The process ended in the middle; found on the next start."""

    outcome: Literal['interrupted']


class Found(TypedDict):
    """Something found in a session."""

    # The session.
    session: str
    # Its title.
    title: str
    # The turn in which it was said; absent when that is not known.
    turn: NotRequired[str]
    # When it was said, in milliseconds since 1970-01-01 UTC.
    at_ms: int
    # The text around it.
    excerpt: str


class ModelOffer(TypedDict):
    """A model that can be chosen."""

    # The provider component.
    provider: str
    # The model, as the provider knows it.
    model: str
    # Name for people.
    title: NotRequired[str]
    # Tokens it takes at most, when known.
    context_tokens: NotRequired[int]
    # It is the one of the configuration.
    default: bool


class ToolOffer(TypedDict):
    """A tool on offer."""

    # Name.
    name: str
    # Title for people.
    title: NotRequired[str]
    # What it does.
    description: str
    # The component that offers it.
    component: str
    # What it can do.
    impact: Impact
    # JSON Schema of the arguments.
    input_schema: Any


class InstalledComponent(TypedDict):
    """An installed component."""

    # Name.
    name: str
    # Version.
    version: str
    # It is loaded.
    loaded: bool
    # Why it is not.
    problem: NotRequired[str]


class CostRow(TypedDict):
    """What requests to models cost together."""

    # The day, the model, or empty for all of it.
    group: str
    # Requests.
    requests: int
    # Tokens.
    usage: Usage
    # Money of those whose cost is known, in US dollars.
    dollars: float
    # Requests whose cost is not.
    unknown: int


class KeptNote(TypedDict):
    """A note."""

    # Identifier.
    note: str
    # Text.
    text: str
    # Tags.
    tags: list[str]
    # When it was last written, in milliseconds since 1970-01-01 UTC.
    at_ms: int


class SkillOffer(TypedDict):
    """A skill."""

    # Name.
    name: str
    # What it is for.
    description: str
    # The session that was asked about has taken it up.
    loaded: bool
    # Sessions load it at their first turn, by `skills.always`, unless it is unloaded before.
    always: bool
    # No model loads it.
    by_person_only: bool
    # Why it cannot be loaded.
    problem: NotRequired[str]


# A rule in force.
PolicyLine = TypedDict(
    "PolicyLine",
    {
        # What is to happen, and with which calls.
        "rule": "str",
        # Where it comes from.
        "from": "str",
        # What takes it back with `revoke`, if it can be.
        "approval": "NotRequired[str]",
    },
)


class Welcome(TypedDict):
    """What a client is told first."""

    # [`super::PROTOCOL_VERSION`].
    protocol: int
    # The host's version.
    server: str
    # Identifies this run of the host; another one means that it was restarted.
    run: str
    # Whose sessions these are.
    user: str
    # What the token may do: `chat`, `read`, `admin`.
    scopes: list[str]
    # What is sent or said at most.
    limits: Limits
    # What sessions have that have nothing of their own.
    settings: SessionSettings
    # Requests that are understood, by their `type`.
    features: list[str]
    # Sessions that could not be resumed: they are gone, or never were.
    gone: NotRequired[list[str]]


class Limits(TypedDict):
    """What is sent or said at most."""

    # Bytes of one message of a client.
    message_bytes: int
    # Attachments of one message.
    attachments: int
    # Bytes of one attachment.
    attachment_bytes: int
    # Messages that may wait in one session.
    queued: int
    # Turns of the person that run at once; further ones wait.
    turns: int
    # Sessions of the person that are in memory at once.
    sessions: int
    # Seconds between heartbeats.
    heartbeat_seconds: int


class Status(TypedDict):
    """How the host is."""

    # The host's version.
    server: str
    # When it started, in milliseconds since 1970-01-01 UTC.
    started_ms: int
    # Now, likewise.
    now_ms: int
    # Whose status it is.
    user: str
    # What sessions have that have nothing of their own.
    settings: SessionSettings
    # Everything is stopped by the emergency stop.
    stopped: bool
    # Sessions of the person in memory.
    sessions: int
    # What runs for the person.
    running: list[RunningTurn]
    # Connections of the person.
    connections: int
    # What does not work as it could, and why.
    degraded: list[Degraded]


class RunningTurn(TypedDict):
    """A turn that runs."""

    # The session.
    session: str
    # The turn; absent while it waits to begin.
    turn: NotRequired[str]
    # What the session does.
    activity: Activity
    # Milliseconds since it began.
    ms: int
    # Calls that run.
    calls: NotRequired[list[RunningCall]]


class RunningCall(TypedDict):
    """A call that runs."""

    # The call.
    call_id: str
    # The tool.
    tool: str
    # Milliseconds since it began.
    ms: int


class Degraded(TypedDict):
    """Something that does not work as it could."""

    # Which part.
    part: str
    # Why, and what to do.
    reason: str


class RequestError(TypedDict):
    """Why a request was refused."""

    # What kind of refusal.
    code: ErrorCode
    # A sentence with what to do next.
    message: str
    # When to try again, in milliseconds.
    retry_after_ms: NotRequired[int]


class Notification(TypedDict):
    """Something a person is to be told."""

    # Identifier.
    notification: str
    # When, in milliseconds since 1970-01-01 UTC.
    at_ms: int
    # What kind, like `turn_ended`, `question` or `webhook`.
    kind: str
    # The session it is about.
    session: NotRequired[str]
    # The text.
    text: str


class SessionMessageEntry(TypedDict):
    """Something happened; it is in the journal under this number. Text and thinking come in pieces, an entry each, as the model says them."""

    type: Literal['entry']
    # The session.
    session: str
    # Position in the session, from 1. It grows; a number that is left out stands for an entry this version does not know.
    seq: int
    # Milliseconds since 1970-01-01 UTC.
    at_ms: int
    # What happened.
    entry: Entry


class SessionMessageProgress(TypedDict):
    """How far a running call has come."""

    type: Literal['progress']
    # The session.
    session: str
    # The call; none for what an answer waits for, such as a model that is fetched first.
    call_id: NotRequired[str]
    # 0 to 1, when known.
    fraction: NotRequired[float]
    # A short text.
    note: str


class SessionMessageState(TypedDict):
    """What the session does changed: a turn began or ended, a person is awaited, or another message waits."""

    type: Literal['state']
    # The session.
    session: str
    # What it does.
    activity: Activity
    # The turn that runs.
    turn: NotRequired[str]
    # Messages that wait for their turn.
    queued: int


# One request.
ClientMessage = Union[
    "Request",
]

# What a client wants. A `session` may be shortened to any beginning that only one session has.
Request = Union[
    "RequestHello",
    "RequestPing",
    "RequestStatus",
    "RequestSeen",
    "RequestCreate",
    "RequestSessions",
    "RequestOpen",
    "RequestClose",
    "RequestEntries",
    "RequestRename",
    "RequestArchive",
    "RequestFork",
    "RequestRewind",
    "RequestCompact",
    "RequestLoadSkill",
    "RequestUnloadSkill",
    "RequestDelete",
    "RequestExport",
    "RequestSearch",
    "RequestSettings",
    "RequestSay",
    "RequestSteer",
    "RequestAside",
    "RequestAnswer",
    "RequestCancel",
    "RequestCancelAll",
    "RequestUploadBegin",
    "RequestUploadPart",
    "RequestModels",
    "RequestTools",
    "RequestComponents",
    "RequestCost",
    "RequestNotes",
    "RequestForgetNote",
    "RequestPolicy",
    "RequestSkills",
    "RequestRevoke",
]

# How much may happen without asking.
# `plan`: Nothing is changed: what can change something is denied.
# `default`: As the rules say.
# `accept-edits`: Changes of files in the workspace and of notes run without asking.
# `headless`: As the rules say, and as if nobody were there: what would be asked is denied.
Mode = Literal["plan", "default", "accept-edits", "headless"]

# How a session is written.
# `jsonl`: One entry of the journal a line.
# `markdown`: To read.
# `replay`: For the component `provider-replay`.
ExportFormat = Literal["jsonl", "markdown", "replay"]

# The person's answer to an approval. No timer ever gives one.
ApprovalAnswer = Union[
    "ApprovalAnswerOnce",
    "ApprovalAnswerSession",
    "ApprovalAnswerAlways",
    "ApprovalAnswerEdit",
    "ApprovalAnswerDeny",
]

# What the host tells a client.
ServerMessage = Union[
    "Reply",
    "ServerMessageError",
    "ServerMessageStopped",
    "ServerMessageSessionChanged",
    "ServerMessageSessionDeleted",
    "ServerMessageAside",
    "ServerMessageNotification",
    "ServerMessageHeartbeat",
    "ServerMessageGoodbye",
    "SessionMessage",
]

# The answer to a request.
Reply = Union[
    "ReplyDone",
    "ReplyWelcome",
    "ReplyPong",
    "ReplyStatus",
    "ReplySession",
    "ReplySessions",
    "ReplyEntries",
    "ReplyExport",
    "ReplyFound",
    "ReplyAccepted",
    "ReplyCompacted",
    "ReplySkillLoaded",
    "ReplyAsideEnded",
    "ReplyUpload",
    "ReplyModels",
    "ReplyTools",
    "ReplyComponents",
    "ReplyCost",
    "ReplyNotes",
    "ReplySkills",
    "ReplyPolicy",
]

# What a session does.
# `asleep`: It is not in memory; it comes back when it is opened or something is said in it.
# `idle`: Nothing runs.
# `working`: A turn runs.
# `asking`: A turn waits for a person's answer.
# `waiting`: A turn waits because the person has as many running as they may have at once.
Activity = Literal["asleep", "idle", "working", "asking", "waiting"]

# One thing that happened. The JSON shape is stored and sent to clients: fields may be added with a default, never renamed.
Entry = Union[
    "EntryTurnStarted",
    "EntrySteered",
    "EntryRewound",
    "EntrySettingsChanged",
    "EntryStepStarted",
    "EntryText",
    "EntryThinking",
    "EntryCited",
    "EntryCallReceived",
    "EntryApprovalAsked",
    "EntryCallEdited",
    "EntryCallDecided",
    "EntryCallStarted",
    "EntryCallFinished",
    "EntryStepEnded",
    "EntryChildAnswered",
    "EntryNotice",
    "EntryModelNews",
    "EntryCompacted",
    "EntrySkillLoaded",
    "EntrySkillUnloaded",
    "EntryTurnEnded",
]

# One piece of a message with its origin.
Part = Union[
    "Content",
]

# The content of a part.
Content = Union[
    "ContentText",
    "ContentThinking",
    "ContentToolCall",
    "ContentToolResult",
    "ContentMedia",
    "ContentJson",
    "ContentLink",
    "ContentOther",
]

# Where a part came from.
Source = Union[
    "SourceUser",
    "SourceHost",
    "SourceModel",
    "SourceTool",
    "SourceFile",
    "SourceSummary",
    "SourceChannel",
]

# What a tool's result is made of, as its imports and arguments tell.
Origin = Union[
    "OriginComputed",
    "OriginFile",
    "OriginMemory",
    "OriginSkill",
    "OriginHost",
    "OriginUnknown",
]

# Whether a part may be taken as the person's will.
# `trusted`: Said by the person or the host.
# `untrusted`: Data: it informs, it does not give orders.
Trust = Literal["trusted", "untrusted"]

# What a tool can do, proven from its component's imports and grant, not from its own claims.
# `read_only`: Computes, or reads the user's files.
# `network`: Also sends read requests (GET, HEAD) to other machines.
# `edits`: Changes what is the person's own and the host keeps: files of the workspace, notes.
# `changes`: Can change something else: the state of another machine, or what the host cannot tell.
# `vault`: Takes something out of the vault. A person approves each copy; no rule does it for them.
Impact = Literal["read_only", "network", "edits", "changes", "vault"]

# What a person is shown beside the arguments, made by the host.
Preview = Union[
    "PreviewDifference",
    "PreviewCopy",
    "PreviewSend",
    "PreviewUnknown",
]

# What is to happen with a call.
Decision = Union[
    "DecisionAllow",
    "DecisionAsk",
    "DecisionDeny",
]

# Who decided on a call.
# `policy`: The rules.
# `user`: The person, this time.
# `session`: The person, earlier in this session.
# `standing`: The person, earlier and for good.
DecidedBy = Literal["policy", "user", "session", "standing"]

# Why an answer ended.
# `end_turn`: The model had finished.
# `max_tokens`: The output limit was reached.
# `tool_use`: Tools are to be run.
# `stop_sequence`: A stop text appeared.
# `refusal`: The model or the service declined.
# `error`: The service failed in the middle.
# `other`: Anything else.
StopReason = Literal["end_turn", "max_tokens", "tool_use", "stop_sequence", "refusal", "error", "other"]

# One thing the host tells of a request. The JSON shape is stored and sent to clients: fields may be added with a default, never renamed.
ModelNews = Union[
    "ModelNewsRetrying",
    "ModelNewsFellBack",
    "ModelNewsRouted",
    "ModelNewsKept",
    "ModelNewsLeftAlone",
]

# Who wants a session to take a skill up or to lay it down.
# `model`: The model, with a call.
# `configuration`: `skills.always`.
# `person`: A person.
SkillBy = Literal["model", "configuration", "person"]

# How a turn ended.
Outcome = Union[
    "OutcomeCompleted",
    "OutcomeCancelled",
    "OutcomeStopped",
    "OutcomeBudgetReached",
    "OutcomeRepeating",
    "OutcomeFailed",
    "OutcomeInterrupted",
]

# What kind of refusal.
# `bad_message`: It is no JSON of this protocol.
# `unsupported_protocol`: The protocol has another number.
# `out_of_order`: `hello` did not come first, or came twice.
# `unauthenticated`: Nobody showed who they are.
# `forbidden`: The token may not do this.
# `not_found`: There is no such thing, or it belongs to somebody else.
# `ambiguous`: Several sessions begin so.
# `invalid`: A value does not fit.
# `too_large`: Too large.
# `busy`: Too many wait already.
# `nothing_runs`: A turn has to run for this, and none does.
# `turn_runs`: A turn runs, and this has to wait for its end.
# `not_asked`: The call is not waiting for an answer.
# `cancelled`: It was cancelled before it was done.
# `occupied`: Another process has the session open.
# `stopped`: Everything is stopped by the emergency stop.
# `rate_limited`: Too often; `retry_after_ms` says when again.
# `limit_reached`: The person has as many of these as they may have.
# `shutting_down`: The host ends.
# `internal`: The host failed; its log says more.
# Others may come with a later version.
ErrorCode = str

# Why a session that was followed is shown no more.
# `fell_behind`: The client read too slowly. It opens the session again with the last number it has.
# `deleted`: The session was deleted.
# `failed`: The session failed inside the host; opening it again goes on.
# `shutting_down`: The host ends.
Stopped = Literal["fell_behind", "deleted", "failed", "shutting_down"]

# What a session tells those who follow it.
SessionMessage = Union[
    "SessionMessageEntry",
    "SessionMessageProgress",
    "SessionMessageState",
]
