// Protocol 1, written by a test out of the host's sources: change nothing here.

/** One request. */
export type ClientMessage =
  | Request;

/** Who speaks; the first message, and the only one of its kind. Answered by `welcome`, after which each session to be resumed is followed from its entry on. */
export interface RequestHello {
  type: "hello";
  /** [`super::PROTOCOL_VERSION`]. */
  protocol: number;
  /** A token, unless the connection itself has shown who it is. */
  token?: string;
  /** The program that speaks. */
  client: ClientProgram;
  /** Sessions the client followed before, and the last number it has of each. */
  resume?: Resume[];
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** Whether anybody is there. Answered by `pong`. */
export interface RequestPing {
  type: "ping";
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** How the host is. Answered by `status`. */
export interface RequestStatus {
  type: "status";
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** Notifications that were shown to a person; they are not sent again. Answered by `done`. */
export interface RequestSeen {
  type: "seen";
  /** Their identifiers. */
  notifications: string[];
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** Begins a session, and follows it. It is in the journal from then on. With a key that a session was begun with before, that session is the answer. Answered by `session`. */
export interface RequestCreate {
  type: "create";
  /** Title; the first words that are said when absent. */
  title?: string;
  /** What it has of its own. */
  settings?: SessionSettings;
  /** The client's own key for it, so that asking again makes nothing twice. */
  key?: string;
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** Lists sessions, newest first. Answered by `sessions`. */
export interface RequestSessions {
  type: "sessions";
  /** Those that were put away instead of the others. */
  archived?: boolean;
  /** How many; 50 when absent. */
  limit?: number;
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** Follows a session. Answered by `session`; then come its entries after `after`, then what happens. One that is followed already is begun anew from there. */
export interface RequestOpen {
  type: "open";
  /** The session. */
  session: string;
  /** The last number the client has; all entries are sent when it is 0. Absent, only what happens from now on is sent. */
  after?: number;
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** Follows a session no more; what runs in it goes on. Answered by `done`. */
export interface RequestClose {
  type: "close";
  /** The session. */
  session: string;
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** Reads a part of a session without following it. Answered by `entries`. */
export interface RequestEntries {
  type: "entries";
  /** The session. */
  session: string;
  /** After this number. */
  after?: number;
  /** How many at most; 200 when absent. */
  limit?: number;
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** Gives a session another title. Answered by `session`. */
export interface RequestRename {
  type: "rename";
  /** The session. */
  session: string;
  /** The title. */
  title: string;
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** Puts a session away, or takes it out again. Answered by `session`. */
export interface RequestArchive {
  type: "archive";
  /** The session. */
  session: string;
  /** Whether it is to be away. */
  archived: boolean;
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** Copies a session into a new one, up to the end of its last turn that has ended. With a key that a session was begun with before, that session is the answer. Answered by `session`, the new one, which is not followed. */
export interface RequestFork {
  type: "fork";
  /** The session. */
  session: string;
  /** The copy ends before this turn. */
  before?: string;
  /** Title; that of the session when absent. */
  title?: string;
  /** The client's own key for the copy, so that asking again makes nothing twice. */
  key?: string;
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** Lets the conversation forget a turn and all that follows it. Nothing is removed from the journal, and nothing that was done is undone. Refused while a turn runs. Answered by `done`. */
export interface RequestRewind {
  type: "rewind";
  /** The session. */
  session: string;
  /** The first turn to be forgotten; the whole conversation when absent. */
  before?: string;
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** Sums the older part of the conversation up now, so that the newer has room; the journal keeps every word. It is an entry of kind `compacted`, and the last turn is always kept. Refused with `turn_runs` while a turn runs or a message waits; asked again meanwhile, the one summary answers both. `cancel` stops it. Answered by `compacted`. */
export interface RequestCompact {
  type: "compact";
  /** The session. */
  session: string;
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** Has a session take a skill up: from its next turn on the model reads what it says. One that is loaded is read anew. Refused while a turn runs, and by hooks. Answered by `skill_loaded`. */
export interface RequestLoadSkill {
  type: "load_skill";
  /** The session. */
  session: string;
  /** The skill's name. */
  skill: string;
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** Has a session lay a skill down. Refused while a turn runs. Answered by `done`. */
export interface RequestUnloadSkill {
  type: "unload_skill";
  /** The session. */
  session: string;
  /** The skill's name. */
  skill: string;
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** Removes a session for good. Refused while a turn runs. Answered by `done`. */
export interface RequestDelete {
  type: "delete";
  /** The session. */
  session: string;
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** Writes a session as one text. Answered by `export`. */
export interface RequestExport {
  type: "export";
  /** The session. */
  session: string;
  /** How. */
  format: ExportFormat;
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** Finds words in sessions. Answered by `found`. */
export interface RequestSearch {
  type: "search";
  /** The words. */
  text: string;
  /** In this session only. */
  session?: string;
  /** How many; 20 when absent. */
  limit?: number;
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** Replaces what a session has of its own, from its next turn on. Answered by `session`. */
export interface RequestSettings {
  type: "settings";
  /** The session. */
  session: string;
  /** All of it; what is absent is the configuration's again. */
  settings: SessionSettings;
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** Says something, which starts a turn, or queues one while another runs. With a key that was used in this session, nothing is said a second time. Answered by `accepted`. */
export interface RequestSay {
  type: "say";
  /** The session. */
  session: string;
  /** The text. */
  text: string;
  /** Files that were handed up before, by their identifiers. */
  attachments?: string[];
  /** The client's own key for the message, so that sending it again says nothing twice. */
  key?: string;
  /** What the turn belongs to in traces of the client's, as W3C's Trace Context writes it; left alone if it is malformed. */
  traceparent?: string;
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** Says something into the running turn: the model reads it before its next step. With a key that was used in this session, nothing is said a second time. Refused with `nothing_runs` if none runs. Answered by `done` once it is kept. */
export interface RequestSteer {
  type: "steer";
  /** The session. */
  session: string;
  /** The text. */
  text: string;
  /** The client's own key for it, so that sending it again says nothing twice. */
  key?: string;
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** Asks something beside the conversation, which leaves no trace in it and calls no tool. The answer comes in pieces as `aside`, then as the reply `aside_ended`. */
export interface RequestAside {
  type: "aside";
  /** The session. */
  session: string;
  /** The question. */
  text: string;
  /** What it belongs to in traces of the client's, as with `say`. */
  traceparent?: string;
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** Answers an approval that is asked for. Answered by `done`. */
export interface RequestAnswer {
  type: "answer";
  /** The session. */
  session: string;
  /** The call that was asked about. */
  call_id: string;
  /** The answer. */
  answer: ApprovalAnswer;
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** Stops the turn of a session, the running one or the one that waits for a place among the user's turns; messages behind it stay. Answered by `done`, also where there is none. */
export interface RequestCancel {
  type: "cancel";
  /** The session. */
  session: string;
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** Stops every running turn of the person and drops messages that wait. Answered by `done`. */
export interface RequestCancelAll {
  type: "cancel_all";
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** Announces a file. Answered by `upload` with its identifier. */
export interface RequestUploadBegin {
  type: "upload_begin";
  /** Its name, without a directory. */
  name: string;
  /** IANA media type. */
  media_type: string;
  /** Its size. */
  bytes: number;
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** Hands up the next piece of it; it may be attached once all its bytes are there. It is forgotten once it was said, or after a quarter of an hour. Answered by `upload`. */
export interface RequestUploadPart {
  type: "upload_part";
  /** The file. */
  upload: string;
  /** The piece, in base64. */
  data: string;
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** Models that can be chosen. Answered by `models`. */
export interface RequestModels {
  type: "models";
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** Tools on offer. Answered by `tools`. */
export interface RequestTools {
  type: "tools";
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** What is installed. Answered by `components`. */
export interface RequestComponents {
  type: "components";
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** What models have cost. Answered by `cost`. */
export interface RequestCost {
  type: "cost";
  /** In this session only. */
  session?: string;
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** Notes that are kept: those that fit the words best, or the newest. Answered by `notes`. */
export interface RequestNotes {
  type: "notes";
  /** The words. */
  text?: string;
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** Forgets a note. Answered by `done`. */
export interface RequestForgetNote {
  type: "forget_note";
  /** Its identifier. */
  note: string;
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** The rules in force for a session. Answered by `policy`. */
export interface RequestPolicy {
  type: "policy";
  /** The session. */
  session: string;
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** Skills that can be loaded. Answered by `skills`. */
export interface RequestSkills {
  type: "skills";
  /** The session whose loaded skills are marked. */
  session?: string;
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** Takes back what was allowed for good. Answered by `done`. */
export interface RequestRevoke {
  type: "revoke";
  /** Its identifier, as a line of `policy` has it. */
  approval: string;
  /** The client's own number for it, repeated in the reply. */
  id?: number;
}

/** What a client wants. A `session` may be shortened to any beginning that only one session has. */
export type Request =
  | RequestHello
  | RequestPing
  | RequestStatus
  | RequestSeen
  | RequestCreate
  | RequestSessions
  | RequestOpen
  | RequestClose
  | RequestEntries
  | RequestRename
  | RequestArchive
  | RequestFork
  | RequestRewind
  | RequestCompact
  | RequestLoadSkill
  | RequestUnloadSkill
  | RequestDelete
  | RequestExport
  | RequestSearch
  | RequestSettings
  | RequestSay
  | RequestSteer
  | RequestAside
  | RequestAnswer
  | RequestCancel
  | RequestCancelAll
  | RequestUploadBegin
  | RequestUploadPart
  | RequestModels
  | RequestTools
  | RequestComponents
  | RequestCost
  | RequestNotes
  | RequestForgetNote
  | RequestPolicy
  | RequestSkills
  | RequestRevoke;

/** The program that speaks. */
export interface ClientProgram {
  /** Its name, like `hydroid-tui`. */
  name: string;
  /** Its version. */
  version?: string;
}

/** A session to go on with. */
export interface Resume {
  /** The session. */
  session: string;
  /** The last number the client has. */
  after: number;
}

/** What a session has of its own instead of the configuration's. */
export interface SessionSettings {
  /** The provider component. */
  provider?: string;
  /** The model, as the provider knows it. */
  model?: string;
  /** How hard the model thinks, in the service's words, such as `low` or `high`. */
  effort?: string;
  /** How much may happen without asking. */
  mode?: Mode;
}

/** How much may happen without asking. */
export type Mode =
  /** Nothing is changed: what can change something is denied. */
  | "plan"
  /** As the rules say. */
  | "default"
  /** Changes of files in the workspace and of notes run without asking. */
  | "accept-edits"
  /** As the rules say, and as if nobody were there: what would be asked is denied. */
  | "headless";

/** How a session is written. */
export type ExportFormat =
  /** One entry of the journal a line. */
  | "jsonl"
  /** To read. */
  | "markdown"
  /** For the component `provider-replay`. */
  | "replay";

/** Run it, this time. */
export interface ApprovalAnswerOnce {
  answer: "once";
}

/** Run it, and calls like it for the rest of the session. */
export interface ApprovalAnswerSession {
  answer: "session";
  /** Which calls, as a pattern such as `web_fetch(example.com)`; the scope that was offered when absent. */
  calls?: string;
}

/** Run it, and calls like it from now on, until it is revoked or ends. */
export interface ApprovalAnswerAlways {
  answer: "always";
  /** Which calls, as a pattern; the scope that was offered when absent. */
  calls?: string;
  /** After how many days it ends; never when absent. */
  days?: number;
}

/** Run it with other arguments. */
export interface ApprovalAnswerEdit {
  answer: "edit";
  /** The arguments as JSON text. */
  arguments: string;
}

/** Do not run it. */
export interface ApprovalAnswerDeny {
  answer: "deny";
  /** What the model reads as the reason. */
  reason?: string | null;
}

/** The person's answer to an approval. No timer ever gives one. */
export type ApprovalAnswer =
  | ApprovalAnswerOnce
  | ApprovalAnswerSession
  | ApprovalAnswerAlways
  | ApprovalAnswerEdit
  | ApprovalAnswerDeny;

/** A request that was refused, or, without an identifier, a message that has none to read. */
export interface ServerMessageError {
  type: "error";
  /** The request. */
  id?: number;
  /** What kind of refusal. */
  code: ErrorCode;
  /** A sentence with what to do next. */
  message: string;
  /** When to try again, in milliseconds. */
  retry_after_ms?: number;
}

/** A session that is followed is shown no more. */
export interface ServerMessageStopped {
  type: "stopped";
  /** The session. */
  session: string;
  /** Why. */
  reason: Stopped;
  /** The last number that was sent; 0 for none. */
  last_seq: number;
}

/** A session of the person is new or is another than it was: its title, its place, what it has of its own, what it does. Sent also for sessions that are not followed, the first change at once and then, for each session, how it is by then, at most twice a second. */
export interface ServerMessageSessionChanged {
  type: "session_changed";
  /** The session as it is now. */
  session: SessionInfo;
}

/** A session of the person was deleted. */
export interface ServerMessageSessionDeleted {
  type: "session_deleted";
  /** The session. */
  session: string;
}

/** A piece of the answer to an `aside`. */
export interface ServerMessageAside {
  type: "aside";
  /** The request. */
  id: number;
  /** The text. */
  text: string;
}

/** Something the person is to be told; it is sent again on each connection until it was `seen`. */
export interface ServerMessageNotification {
  type: "notification";
  /** What. */
  notification: Notification;
}

/** The host is there, and this is what runs for the person; sent at intervals while something does. */
export interface ServerMessageHeartbeat {
  type: "heartbeat";
  /** Milliseconds since 1970-01-01 UTC. */
  at_ms: number;
  /** What runs. */
  running: RunningTurn[];
}

/** The last message: the connection is closed after it. */
export interface ServerMessageGoodbye {
  type: "goodbye";
  /** What kind of refusal. */
  code: ErrorCode;
  /** A sentence with what to do next. */
  message: string;
  /** When to try again, in milliseconds. */
  retry_after_ms?: number;
}

/** What the host tells a client. */
export type ServerMessage =
  | Reply
  | ServerMessageError
  | ServerMessageStopped
  | ServerMessageSessionChanged
  | ServerMessageSessionDeleted
  | ServerMessageAside
  | ServerMessageNotification
  | ServerMessageHeartbeat
  | ServerMessageGoodbye
  | SessionMessage;

/** It was done, and there is nothing more to say. */
export interface ReplyDone {
  reply: "done";
  /** The request. */
  id?: number;
  type?: "reply";
}

/** To `hello`. */
export interface ReplyWelcome {
  reply: "welcome";
  /** [`super::PROTOCOL_VERSION`]. */
  protocol: number;
  /** The host's version. */
  server: string;
  /** Identifies this run of the host; another one means that it was restarted. */
  run: string;
  /** Whose sessions these are. */
  user: string;
  /** What the token may do: `chat`, `read`, `admin`. */
  scopes: string[];
  /** What is sent or said at most. */
  limits: Limits;
  /** What sessions have that have nothing of their own. */
  settings: SessionSettings;
  /** Requests that are understood, by their `type`. */
  features: string[];
  /** Sessions that could not be resumed: they are gone, or never were. */
  gone?: string[];
  /** The request. */
  id?: number;
  type?: "reply";
}

/** To `ping`. */
export interface ReplyPong {
  reply: "pong";
  /** Milliseconds since 1970-01-01 UTC. */
  at_ms: number;
  /** The request. */
  id?: number;
  type?: "reply";
}

/** To `status`. */
export interface ReplyStatus {
  reply: "status";
  /** The host's version. */
  server: string;
  /** When it started, in milliseconds since 1970-01-01 UTC. */
  started_ms: number;
  /** Now, likewise. */
  now_ms: number;
  /** Whose status it is. */
  user: string;
  /** What sessions have that have nothing of their own. */
  settings: SessionSettings;
  /** Everything is stopped by the emergency stop. */
  stopped: boolean;
  /** Sessions of the person in memory. */
  sessions: number;
  /** What runs for the person. */
  running: RunningTurn[];
  /** Connections of the person. */
  connections: number;
  /** What does not work as it could, and why. */
  degraded: Degraded[];
  /** The request. */
  id?: number;
  type?: "reply";
}

/** To `create`, `open`, `rename`, `archive`, `fork` and `settings`. */
export interface ReplySession {
  reply: "session";
  /** The session as it is now. */
  session: SessionInfo;
  /** The request. */
  id?: number;
  type?: "reply";
}

/** To `sessions`. */
export interface ReplySessions {
  reply: "sessions";
  /** The sessions. */
  sessions: SessionInfo[];
  /** The request. */
  id?: number;
  type?: "reply";
}

/** To `entries`. */
export interface ReplyEntries {
  reply: "entries";
  /** The session. */
  session: string;
  /** The entries, oldest first. */
  entries: NumberedEntry[];
  /** The number after which to go on; absent at the end. */
  next_after?: number;
  /** The request. */
  id?: number;
  type?: "reply";
}

/** To `export`. */
export interface ReplyExport {
  reply: "export";
  /** IANA media type. */
  media_type: string;
  /** The text. */
  text: string;
  /** The request. */
  id?: number;
  type?: "reply";
}

/** To `search`. */
export interface ReplyFound {
  reply: "found";
  /** What was found, the best first. */
  found: Found[];
  /** The request. */
  id?: number;
  type?: "reply";
}

/** To `say`: the message is kept until its turn begins, also when the host is killed before. */
export interface ReplyAccepted {
  reply: "accepted";
  /** The session. */
  session: string;
  /** Messages that wait before this one's turn begins; 0 when it begins at once. */
  queued: number;
  /** Its key was used before, and nothing is said a second time. */
  repeated?: boolean;
  /** The request. */
  id?: number;
  type?: "reply";
}

/** To `compact`. */
export interface ReplyCompacted {
  reply: "compacted";
  /** The session. */
  session: string;
  /** Turns that the summary stands for; 0 when there was nothing to sum up. */
  turns: number;
  /** The request. */
  id?: number;
  type?: "reply";
}

/** To `load_skill`. */
export interface ReplySkillLoaded {
  reply: "skill_loaded";
  /** The session. */
  session: string;
  /** What hooks have to say of it. */
  notices?: string[];
  /** The request. */
  id?: number;
  type?: "reply";
}

/** To `aside`. */
export interface ReplyAsideEnded {
  reply: "aside_ended";
  /** The whole answer. */
  text: string;
  /** Tokens. */
  usage: Usage;
  /** The request. */
  id?: number;
  type?: "reply";
}

/** To `upload_begin` and `upload_part`. */
export interface ReplyUpload {
  reply: "upload";
  /** The file. */
  upload: string;
  /** Bytes that are there. */
  received: number;
  /** All of them are. */
  complete: boolean;
  /** The request. */
  id?: number;
  type?: "reply";
}

/** To `models`. */
export interface ReplyModels {
  reply: "models";
  /** Models, by provider and name. */
  models: ModelOffer[];
  /** The request. */
  id?: number;
  type?: "reply";
}

/** To `tools`. */
export interface ReplyTools {
  reply: "tools";
  /** Tools, by name. */
  tools: ToolOffer[];
  /** The request. */
  id?: number;
  type?: "reply";
}

/** To `components`. */
export interface ReplyComponents {
  reply: "components";
  /** Components, by name. */
  components: InstalledComponent[];
  /** The request. */
  id?: number;
  type?: "reply";
}

/** To `cost`. */
export interface ReplyCost {
  reply: "cost";
  /** All of it. */
  total: CostRow;
  /** By day, oldest first. */
  days: CostRow[];
  /** By model. */
  models: CostRow[];
  /** The request. */
  id?: number;
  type?: "reply";
}

/** To `notes`. */
export interface ReplyNotes {
  reply: "notes";
  /** The notes. */
  notes: KeptNote[];
  /** The request. */
  id?: number;
  type?: "reply";
}

/** To `skills`. */
export interface ReplySkills {
  reply: "skills";
  /** Skills, by name. */
  skills: SkillOffer[];
  /** The request. */
  id?: number;
  type?: "reply";
}

/** To `policy`. */
export interface ReplyPolicy {
  reply: "policy";
  /** How much may happen without asking. */
  mode: Mode;
  /** The rules, in the order in which they are looked at. */
  rules: PolicyLine[];
  /** The request. */
  id?: number;
  type?: "reply";
}

/** The answer to a request. */
export type Reply =
  | ReplyDone
  | ReplyWelcome
  | ReplyPong
  | ReplyStatus
  | ReplySession
  | ReplySessions
  | ReplyEntries
  | ReplyExport
  | ReplyFound
  | ReplyAccepted
  | ReplyCompacted
  | ReplySkillLoaded
  | ReplyAsideEnded
  | ReplyUpload
  | ReplyModels
  | ReplyTools
  | ReplyComponents
  | ReplyCost
  | ReplyNotes
  | ReplySkills
  | ReplyPolicy;

/** What there is to know of a session. */
export interface SessionInfo {
  /** Identifier. */
  session: string;
  /** Title. */
  title: string;
  /** Milliseconds since 1970-01-01 UTC. */
  created_ms: number;
  /** Last entry, in milliseconds since 1970-01-01 UTC. */
  updated_ms: number;
  /** Turns started. */
  turns: number;
  /** The last number in its journal; 0 when it is empty. */
  last_seq: number;
  /** It was put away. */
  archived: boolean;
  /** The session it was copied from. */
  forked_from?: string;
  /** What it has of its own. */
  settings: SessionSettings;
  /** What it does. */
  activity: Activity;
  /** Messages that wait for their turn. */
  queued: number;
}

/** What a session does. */
export type Activity =
  /** It is not in memory; it comes back when it is opened or something is said in it. */
  | "asleep"
  /** Nothing runs. */
  | "idle"
  /** A turn runs. */
  | "working"
  /** A turn waits for a person's answer. */
  | "asking"
  /** A turn waits because the person has as many running as they may have at once. */
  | "waiting";

/** An entry with its number, as a page of the journal has it. */
export interface NumberedEntry {
  /** Position in the session. */
  seq: number;
  /** Milliseconds since 1970-01-01 UTC. */
  at_ms: number;
  /** What happened. */
  entry: Entry;
}

/** A turn began with the person's message. */
export interface EntryTurnStarted {
  kind: "turn_started";
  /** The turn. */
  turn: string;
  /** The message. */
  parts: Part[];
  /** The key that the client gave the message. */
  key?: string;
}

/** The person said something into a running turn; the model reads it before its next step. */
export interface EntrySteered {
  kind: "steered";
  /** The turn. */
  turn: string;
  /** The message. */
  parts: Part[];
  /** The key that the client gave it. */
  key?: string;
}

/** The conversation forgets a turn and all that follows it. */
export interface EntryRewound {
  kind: "rewound";
  /** The first turn that is forgotten; all of them when absent. */
  to?: string;
}

/** The session has other settings of its own, from its next turn on. */
export interface EntrySettingsChanged {
  kind: "settings_changed";
  /** All of them. */
  settings: SessionSettings;
}

/** A model was asked. */
export interface EntryStepStarted {
  kind: "step_started";
  /** The turn. */
  turn: string;
  /** Number of the step in the turn, from 1. */
  step: number;
  /** The provider component. */
  provider: string;
  /** The model. */
  model: string;
}

/** The model said something; to be appended to what it said before in this step. */
export interface EntryText {
  kind: "text";
  /** The turn. */
  turn: string;
  /** The text. */
  text: string;
}

/** The model thought something. */
export interface EntryThinking {
  kind: "thinking";
  /** The turn. */
  turn: string;
  /** Readable text. */
  text: string;
  /** What the provider wants back verbatim. */
  opaque?: string;
}

/** The model cited a source. */
export interface EntryCited {
  kind: "cited";
  /** The turn. */
  turn: string;
  /** Where it is. */
  uri: string;
  /** Its title. */
  title?: string;
}

/** The model asked for a tool call, or a component that is being called did. */
export interface EntryCallReceived {
  kind: "call_received";
  /** The turn. */
  turn: string;
  /** The call. */
  call: ToolCall;
  /** The call that asked for it; none if the model did. The model reads neither such a call nor its result. */
  parent?: string;
}

/** The person is asked whether a call may run. */
export interface EntryApprovalAsked {
  kind: "approval_asked";
  /** The turn. */
  turn: string;
  /** The call. */
  call_id: string;
  /** What will run, exactly. */
  call: ToolCall;
  /** The component that would run it. */
  component: string;
  /** What it can do. */
  impact: Impact;
  /** Why it is asked. */
  reason: string;
  /** The pattern that an answer for longer would be about; empty when there is none, because a person approves such a call each time. */
  scope: string;
  /** What the person is shown beside the arguments. */
  preview?: Preview;
}

/** The person changed the arguments of a call they were asked about. */
export interface EntryCallEdited {
  kind: "call_edited";
  /** The turn. */
  turn: string;
  /** The call. */
  call_id: string;
  /** The arguments now, as JSON text. */
  arguments: string;
}

/** It was decided whether a call may run. */
export interface EntryCallDecided {
  kind: "call_decided";
  /** The turn. */
  turn: string;
  /** The call. */
  call_id: string;
  /** The decision in force. */
  decision: Decision;
  /** Who decided. */
  by: DecidedBy;
  /** The rule in force, as the person can find it. */
  rule?: string;
  /** The component that would run it. */
  component?: string;
}

/** A call began to run. */
export interface EntryCallStarted {
  kind: "call_started";
  /** The turn. */
  turn: string;
  /** The call. */
  call_id: string;
  /** The component that runs it. */
  component: string;
  /** The call as it runs, arguments normalised. */
  call: ToolCall;
}

/** A call ended. */
export interface EntryCallFinished {
  kind: "call_finished";
  /** The turn. */
  turn: string;
  /** The call. */
  call_id: string;
  /** What the model reads. */
  output: ToolOutput;
  /** Where it came from. */
  label: Label;
}

/** The model's answer ended. */
export interface EntryStepEnded {
  kind: "step_ended";
  /** The turn. */
  turn: string;
  /** Why. */
  stop: StopReason;
  /** Tokens of this step. */
  usage: Usage;
  /** Money of this step in US dollars; none when its price or its tokens are not known. */
  dollars?: number;
}

/** The model of a child turn answered. What it said is in what its call returns; the calls it asks for are entries of their own. */
export interface EntryChildAnswered {
  kind: "child_answered";
  /** The turn. */
  turn: string;
  /** The call that started the child turn. */
  call_id: string;
  /** Number of the step in the child turn, from 1. */
  step: number;
  /** Who answered. */
  by: ModelRef;
  /** Why the answer ended. */
  stop: StopReason;
  /** Tokens of this step. */
  usage: Usage;
  /** Money of this step in US dollars; none when its price or its tokens are not known. */
  dollars?: number;
}

/** The host has something to say to the person. */
export interface EntryNotice {
  kind: "notice";
  /** The turn. */
  turn: string;
  /** The text. */
  text: string;
}

/** The host tells what became of a request to a model: that it is sent again, or that another model than the step began with answers. */
export interface EntryModelNews {
  kind: "model_news";
  /** The turn. */
  turn: string;
  /** What happened. */
  news: ModelNews;
}

/** The older part of the conversation was summed up. From here on the summary is sent in its place; the entries stay. */
export interface EntryCompacted {
  kind: "compacted";
  /** Turns from the beginning of the session that the summary stands for. */
  covers: number;
  /** The summary. */
  summary: string;
  /** The model that wrote it; none if the host shortened what was said. */
  by?: ModelRef;
}

/** The session took a skill up: from here on the model reads its instructions. */
export interface EntrySkillLoaded {
  kind: "skill_loaded";
  /** The turn; none if no model wants it loaded. */
  turn?: string;
  /** The call that wanted it. */
  call_id?: string;
  /** Who wants it. */
  by: SkillBy;
  /** The skill. */
  skill: LoadedSkill;
}

/** The session laid a skill down. */
export interface EntrySkillUnloaded {
  kind: "skill_unloaded";
  /** The turn; none if no model wants it. */
  turn?: string;
  /** Who wants it. */
  by: SkillBy;
  /** Its name. */
  name: string;
}

/** The turn ended. */
export interface EntryTurnEnded {
  kind: "turn_ended";
  /** The turn. */
  turn: string;
  /** How. */
  outcome: Outcome;
  /** Tokens of the turn. */
  usage: Usage;
  /** Money of those steps whose price is known, in US dollars. */
  dollars?: number;
}

/** One thing that happened. The JSON shape is stored and sent to clients: fields may be added with a default, never renamed. */
export type Entry =
  | EntryTurnStarted
  | EntrySteered
  | EntryRewound
  | EntrySettingsChanged
  | EntryStepStarted
  | EntryText
  | EntryThinking
  | EntryCited
  | EntryCallReceived
  | EntryApprovalAsked
  | EntryCallEdited
  | EntryCallDecided
  | EntryCallStarted
  | EntryCallFinished
  | EntryStepEnded
  | EntryChildAnswered
  | EntryNotice
  | EntryModelNews
  | EntryCompacted
  | EntrySkillLoaded
  | EntrySkillUnloaded
  | EntryTurnEnded;

/** One piece of a message with its origin. */
export type Part =
  | Content;

/** Plain or Markdown text. */
export interface ContentText {
  type: "text";
  /** The text. */
  text: string;
  /** Where it came from and how far it is trusted. */
  label?: Label;
}

/** The model's thinking. */
export interface ContentThinking {
  type: "thinking";
  /** Readable text, possibly empty. */
  text: string;
  /** Signature or encrypted form that the provider wants back verbatim. */
  opaque?: string;
  /** Where it came from and how far it is trusted. */
  label?: Label;
}

/** A tool call the model asked for. */
export interface ContentToolCall {
  type: "tool_call";
  /** The call. */
  call: ToolCall;
  /** Where it came from and how far it is trusted. */
  label?: Label;
}

/** The result of a tool call. */
export interface ContentToolResult {
  type: "tool_result";
  /** The call it answers. */
  call_id: string;
  /** What the model reads. */
  content: Content[];
  /** The call failed or was refused. */
  is_error: boolean;
  /** Where it came from and how far it is trusted. */
  label?: Label;
}

/** Inline bytes. */
export interface ContentMedia {
  type: "media";
  /** IANA media type. */
  media_type: string;
  /** The bytes. */
  data: string;
  /** File name to show. */
  name?: string;
  /** Where it came from and how far it is trusted. */
  label?: Label;
}

/** A JSON value. */
export interface ContentJson {
  type: "json";
  /** The value. */
  json: unknown;
  /** Where it came from and how far it is trusted. */
  label?: Label;
}

/** A reference. */
export interface ContentLink {
  type: "link";
  /** Absolute URI. */
  uri: string;
  /** Title to show. */
  title?: string;
  /** IANA media type. */
  media_type?: string;
  /** Where it came from and how far it is trusted. */
  label?: Label;
}

/** A value of a kind this version does not name. */
export interface ContentOther {
  type: "other";
  /** Namespaced kind. */
  kind: string;
  /** JSON text. */
  json: string;
  /** Where it came from and how far it is trusted. */
  label?: Label;
}

/** The content of a part. */
export type Content =
  | ContentText
  | ContentThinking
  | ContentToolCall
  | ContentToolResult
  | ContentMedia
  | ContentJson
  | ContentLink
  | ContentOther;

/** A call the model asked for. */
export interface ToolCall {
  /** Identifier, unique in the session. */
  id: string;
  /** Name of the tool. */
  name: string;
  /** Arguments as JSON text, exactly as the model wrote them. */
  arguments: string;
}

/** Where a part came from and how far it is trusted. The host sets it; no component can. */
export interface Label {
  /** Where it came from. */
  source: Source;
  /** Whether it may be taken as the person's will. */
  trust: Trust;
  /** Something secret was in it; what was recognised is masked. */
  secret?: boolean;
}

/** The person at a client. */
export interface SourceUser {
  from: "user";
}

/** The host itself. */
export interface SourceHost {
  from: "host";
}

/** A model. */
export interface SourceModel {
  from: "model";
  /** The provider component. */
  provider: string;
  /** The model. */
  model: string;
}

/** A tool. */
export interface SourceTool {
  from: "tool";
  /** The component that ran. */
  component: string;
  /** The tool. */
  tool: string;
  /** What the result is made of. */
  of: Origin;
}

/** A file the person handed over. */
export interface SourceFile {
  from: "file";
  /** Its name, without a directory. */
  name: string;
}

/** A summary of what was said before in the session. */
export interface SourceSummary {
  from: "summary";
}

/** A person at an outside service. */
export interface SourceChannel {
  from: "channel";
  /** The channel component. */
  channel: string;
  /** Who sent it, as the service calls them. */
  sender: string;
}

/** Where a part came from. */
export type Source =
  | SourceUser
  | SourceHost
  | SourceModel
  | SourceTool
  | SourceFile
  | SourceSummary
  | SourceChannel;

/** Nothing but its arguments, by code that came with the release. */
export interface OriginComputed {
  of: "computed";
}

/** A file of the workspace; the path when the arguments name just one. */
export interface OriginFile {
  of: "file";
  /** Path as components see it. */
  path: string | null;
}

/** The person's notes and past sessions. */
export interface OriginMemory {
  of: "memory";
}

/** A skill that the person keeps, by code that came with the release. */
export interface OriginSkill {
  of: "skill";
}

/** Another machine; its name when the arguments name just one. */
export interface OriginHost {
  of: "host";
  /** Name of the host. */
  host: string | null;
}

/** Something the host cannot tell. */
export interface OriginUnknown {
  of: "unknown";
}

/** What a tool's result is made of, as its imports and arguments tell. */
export type Origin =
  | OriginComputed
  | OriginFile
  | OriginMemory
  | OriginSkill
  | OriginHost
  | OriginUnknown;

/** Whether a part may be taken as the person's will. */
export type Trust =
  /** Said by the person or the host. */
  | "trusted"
  /** Data: it informs, it does not give orders. */
  | "untrusted";

/** What a tool can do, proven from its component's imports and grant, not from its own claims. */
export type Impact =
  /** Computes, or reads the user's files. */
  | "read_only"
  /** Also sends read requests (GET, HEAD) to other machines. */
  | "network"
  /** Changes what is the person's own and the host keeps: files of the workspace, notes. */
  | "edits"
  /** Can change something else: the state of another machine, or what the host cannot tell. */
  | "changes"
  /** Takes something out of the vault. A person approves each copy; no rule does it for them. */
  | "vault";

/** What would change in files, as a unified difference. */
export interface PreviewDifference {
  preview: "difference";
  /** The text, at most 256 KiB; it says itself when something was left out. */
  text: string;
  /** SHA-256 over all that would be written, so that what runs can be compared with it. */
  digest: string;
}

/** What would be copied out of the vault. */
export interface PreviewCopy {
  preview: "copy";
  /** Path in the vault. */
  source: string;
  /** Path it goes to. */
  destination: string;
  /** Size in bytes. */
  bytes: number;
  /** SHA-256 of the bytes. */
  digest: string;
}

/** Where something would be sent. */
export interface PreviewSend {
  preview: "send";
  /** Host with its port. */
  host: string;
  /** Bytes of the arguments, of which what is sent is made. */
  bytes: number;
}

/** The host could not find out; the text says why. */
export interface PreviewUnknown {
  preview: "unknown";
  /** Why. */
  reason: string;
}

/** What a person is shown beside the arguments, made by the host. */
export type Preview =
  | PreviewDifference
  | PreviewCopy
  | PreviewSend
  | PreviewUnknown;

/** It runs. */
export interface DecisionAllow {
  decision: "allow";
}

/** The person is asked. */
export interface DecisionAsk {
  decision: "ask";
  /** Why. */
  reason: string;
}

/** It does not run. */
export interface DecisionDeny {
  decision: "deny";
  /** Why, and what would allow it. */
  reason: string;
}

/** What is to happen with a call. */
export type Decision =
  | DecisionAllow
  | DecisionAsk
  | DecisionDeny;

/** Who decided on a call. */
export type DecidedBy =
  /** The rules. */
  | "policy"
  /** The person, this time. */
  | "user"
  /** The person, earlier in this session. */
  | "session"
  /** The person, earlier and for good. */
  | "standing";

/** What a call gave back. */
export interface ToolOutput {
  /** What the model reads. */
  content: Content[];
  /** The call failed or was refused. */
  is_error: boolean;
}

/** Why an answer ended. */
export type StopReason =
  /** The model had finished. */
  | "end_turn"
  /** The output limit was reached. */
  | "max_tokens"
  /** Tools are to be run. */
  | "tool_use"
  /** A stop text appeared. */
  | "stop_sequence"
  /** The model or the service declined. */
  | "refusal"
  /** The service failed in the middle. */
  | "error"
  /** Anything else. */
  | "other";

/** Tokens used, as the service counts them. */
export interface Usage {
  /** Input tokens, cached ones included. */
  input: number;
  /** Output tokens, reasoning included. */
  output: number;
  /** Input tokens read from a cache. */
  cache_read: number;
  /** Input tokens written to a cache. */
  cache_write: number;
  /** Output tokens spent on reasoning. */
  reasoning: number;
}

/** A model of a provider. */
export interface ModelRef {
  /** The provider component. */
  provider: string;
  /** The model, as the provider knows it. */
  model: string;
}

/** A request failed before anything of an answer came, and is sent again after a while. */
export interface ModelNewsRetrying {
  what: "retrying";
  /** Who failed. */
  of: ModelRef;
  /** The kind of failure, in the contract's words. */
  kind: string;
  /** What the provider said of it. */
  why: string;
  /** How long it waits, in milliseconds. */
  wait_ms: number;
  /** The number of the request that will be sent. */
  attempt: number;
  /** How many are sent at the most. */
  attempts: number;
  /** The failed request reached the service, so it may have to be paid. */
  sent: boolean;
}

/** Another model answers, because this one could not. */
export interface ModelNewsFellBack {
  what: "fell_back";
  /** Who could not. */
  from: ModelRef;
  /** Who answers. */
  to: ModelRef;
  /** The kind of failure, in the contract's words. */
  kind: string;
  /** What the provider said of it. */
  why: string;
}

/** Another model answers, because of what is asked. */
export interface ModelNewsRouted {
  what: "routed";
  /** Who answers. */
  to: ModelRef;
  /** The task, as `model.route` calls it. */
  task: string;
}

/** The answer was given before, to the very same request. */
export interface ModelNewsKept {
  what: "kept";
  /** Who gave it. */
  by: ModelRef;
  /** When, in milliseconds since 1970-01-01 UTC. */
  at_ms: number;
}

/** A model failed so often in a row that it is left alone for a while. */
export interface ModelNewsLeftAlone {
  what: "left_alone";
  /** Which. */
  of: ModelRef;
  /** How often it failed. */
  failures: number;
  /** For how long, in milliseconds. */
  for_ms: number;
}

/** One thing the host tells of a request. The JSON shape is stored and sent to clients: fields may be added with a default, never renamed. */
export type ModelNews =
  | ModelNewsRetrying
  | ModelNewsFellBack
  | ModelNewsRouted
  | ModelNewsKept
  | ModelNewsLeftAlone;

/** Who wants a session to take a skill up or to lay it down. */
export type SkillBy =
  /** The model, with a call. */
  | "model"
  /** `skills.always`. */
  | "configuration"
  /** A person. */
  | "person";

/** What a session has taken up. */
export interface LoadedSkill {
  /** Its name. */
  name: string;
  /** `sha256:…` of its file. */
  digest: string;
  /** The instructions as the model reads them, scrubbed. */
  text: string;
}

/** The model gave its final answer. */
export interface OutcomeCompleted {
  outcome: "completed";
}

/** The person cancelled. */
export interface OutcomeCancelled {
  outcome: "cancelled";
}

/** Everything was stopped, by `hydroid stop --all`. */
export interface OutcomeStopped {
  outcome: "stopped";
}

/** A budget was used up. */
export interface OutcomeBudgetReached {
  outcome: "budget_reached";
  /** Which and how much, with the key that raises it. */
  reason: string;
}

/** The model repeated itself. */
export interface OutcomeRepeating {
  outcome: "repeating";
  /** What it repeated. */
  reason: string;
}

/** The model could not answer. */
export interface OutcomeFailed {
  outcome: "failed";
  /** Why. */
  reason: string;
}

/** The process ended in the middle; found on the next start. */
export interface OutcomeInterrupted {
  outcome: "interrupted";
}

/** How a turn ended. */
export type Outcome =
  | OutcomeCompleted
  | OutcomeCancelled
  | OutcomeStopped
  | OutcomeBudgetReached
  | OutcomeRepeating
  | OutcomeFailed
  | OutcomeInterrupted;

/** Something found in a session. */
export interface Found {
  /** The session. */
  session: string;
  /** Its title. */
  title: string;
  /** The turn in which it was said; absent when that is not known. */
  turn?: string;
  /** When it was said, in milliseconds since 1970-01-01 UTC. */
  at_ms: number;
  /** The text around it. */
  excerpt: string;
}

/** A model that can be chosen. */
export interface ModelOffer {
  /** The provider component. */
  provider: string;
  /** The model, as the provider knows it. */
  model: string;
  /** Name for people. */
  title?: string;
  /** Tokens it takes at most, when known. */
  context_tokens?: number;
  /** It is the one of the configuration. */
  default: boolean;
}

/** A tool on offer. */
export interface ToolOffer {
  /** Name. */
  name: string;
  /** Title for people. */
  title?: string;
  /** What it does. */
  description: string;
  /** The component that offers it. */
  component: string;
  /** What it can do. */
  impact: Impact;
  /** JSON Schema of the arguments. */
  input_schema: unknown;
}

/** An installed component. */
export interface InstalledComponent {
  /** Name. */
  name: string;
  /** Version. */
  version: string;
  /** It is loaded. */
  loaded: boolean;
  /** Why it is not. */
  problem?: string;
}

/** What requests to models cost together. */
export interface CostRow {
  /** The day, the model, or empty for all of it. */
  group: string;
  /** Requests. */
  requests: number;
  /** Tokens. */
  usage: Usage;
  /** Money of those whose cost is known, in US dollars. */
  dollars: number;
  /** Requests whose cost is not. */
  unknown: number;
}

/** A note. */
export interface KeptNote {
  /** Identifier. */
  note: string;
  /** Text. */
  text: string;
  /** Tags. */
  tags: string[];
  /** When it was last written, in milliseconds since 1970-01-01 UTC. */
  at_ms: number;
}

/** A skill. */
export interface SkillOffer {
  /** Name. */
  name: string;
  /** What it is for. */
  description: string;
  /** The session that was asked about has taken it up. */
  loaded: boolean;
  /** Sessions load it at their first turn, by `skills.always`, unless it is unloaded before. */
  always: boolean;
  /** No model loads it. */
  by_person_only: boolean;
  /** Why it cannot be loaded. */
  problem?: string;
}

/** A rule in force. */
export interface PolicyLine {
  /** What is to happen, and with which calls. */
  rule: string;
  /** Where it comes from. */
  from: string;
  /** What takes it back with `revoke`, if it can be. */
  approval?: string;
}

/** What a client is told first. */
export interface Welcome {
  /** [`super::PROTOCOL_VERSION`]. */
  protocol: number;
  /** The host's version. */
  server: string;
  /** Identifies this run of the host; another one means that it was restarted. */
  run: string;
  /** Whose sessions these are. */
  user: string;
  /** What the token may do: `chat`, `read`, `admin`. */
  scopes: string[];
  /** What is sent or said at most. */
  limits: Limits;
  /** What sessions have that have nothing of their own. */
  settings: SessionSettings;
  /** Requests that are understood, by their `type`. */
  features: string[];
  /** Sessions that could not be resumed: they are gone, or never were. */
  gone?: string[];
}

/** What is sent or said at most. */
export interface Limits {
  /** Bytes of one message of a client. */
  message_bytes: number;
  /** Attachments of one message. */
  attachments: number;
  /** Bytes of one attachment. */
  attachment_bytes: number;
  /** Messages that may wait in one session. */
  queued: number;
  /** Turns of the person that run at once; further ones wait. */
  turns: number;
  /** Sessions of the person that are in memory at once. */
  sessions: number;
  /** Seconds between heartbeats. */
  heartbeat_seconds: number;
}

/** How the host is. */
export interface Status {
  /** The host's version. */
  server: string;
  /** When it started, in milliseconds since 1970-01-01 UTC. */
  started_ms: number;
  /** Now, likewise. */
  now_ms: number;
  /** Whose status it is. */
  user: string;
  /** What sessions have that have nothing of their own. */
  settings: SessionSettings;
  /** Everything is stopped by the emergency stop. */
  stopped: boolean;
  /** Sessions of the person in memory. */
  sessions: number;
  /** What runs for the person. */
  running: RunningTurn[];
  /** Connections of the person. */
  connections: number;
  /** What does not work as it could, and why. */
  degraded: Degraded[];
}

/** A turn that runs. */
export interface RunningTurn {
  /** The session. */
  session: string;
  /** The turn; absent while it waits to begin. */
  turn?: string;
  /** What the session does. */
  activity: Activity;
  /** Milliseconds since it began. */
  ms: number;
  /** Calls that run. */
  calls?: RunningCall[];
}

/** A call that runs. */
export interface RunningCall {
  /** The call. */
  call_id: string;
  /** The tool. */
  tool: string;
  /** Milliseconds since it began. */
  ms: number;
}

/** Something that does not work as it could. */
export interface Degraded {
  /** Which part. */
  part: string;
  /** Why, and what to do. */
  reason: string;
}

/** Why a request was refused. */
export interface RequestError {
  /** What kind of refusal. */
  code: ErrorCode;
  /** A sentence with what to do next. */
  message: string;
  /** When to try again, in milliseconds. */
  retry_after_ms?: number;
}

/** What kind of refusal. */
export type ErrorCode =
  /** It is no JSON of this protocol. */
  | "bad_message"
  /** The protocol has another number. */
  | "unsupported_protocol"
  /** `hello` did not come first, or came twice. */
  | "out_of_order"
  /** Nobody showed who they are. */
  | "unauthenticated"
  /** The token may not do this. */
  | "forbidden"
  /** There is no such thing, or it belongs to somebody else. */
  | "not_found"
  /** Several sessions begin so. */
  | "ambiguous"
  /** A value does not fit. */
  | "invalid"
  /** Too large. */
  | "too_large"
  /** Too many wait already. */
  | "busy"
  /** A turn has to run for this, and none does. */
  | "nothing_runs"
  /** A turn runs, and this has to wait for its end. */
  | "turn_runs"
  /** The call is not waiting for an answer. */
  | "not_asked"
  /** It was cancelled before it was done. */
  | "cancelled"
  /** Another process has the session open. */
  | "occupied"
  /** Everything is stopped by the emergency stop. */
  | "stopped"
  /** Too often; `retry_after_ms` says when again. */
  | "rate_limited"
  /** The person has as many of these as they may have. */
  | "limit_reached"
  /** The host ends. */
  | "shutting_down"
  /** The host failed; its log says more. */
  | "internal"
  /** One of a later version. */
  | (string & {});

/** Why a session that was followed is shown no more. */
export type Stopped =
  /** The client read too slowly. It opens the session again with the last number it has. */
  | "fell_behind"
  /** The session was deleted. */
  | "deleted"
  /** The session failed inside the host; opening it again goes on. */
  | "failed"
  /** The host ends. */
  | "shutting_down";

/** Something a person is to be told. */
export interface Notification {
  /** Identifier. */
  notification: string;
  /** When, in milliseconds since 1970-01-01 UTC. */
  at_ms: number;
  /** What kind, like `turn_ended`, `question` or `webhook`. */
  kind: string;
  /** The session it is about. */
  session?: string;
  /** The text. */
  text: string;
}

/** Something happened; it is in the journal under this number. Text and thinking come in pieces, an entry each, as the model says them. */
export interface SessionMessageEntry {
  type: "entry";
  /** The session. */
  session: string;
  /** Position in the session, from 1. It grows; a number that is left out stands for an entry this version does not know. */
  seq: number;
  /** Milliseconds since 1970-01-01 UTC. */
  at_ms: number;
  /** What happened. */
  entry: Entry;
}

/** How far a running call has come. */
export interface SessionMessageProgress {
  type: "progress";
  /** The session. */
  session: string;
  /** The call; none for what an answer waits for, such as a model that is fetched first. */
  call_id?: string;
  /** 0 to 1, when known. */
  fraction?: number;
  /** A short text. */
  note: string;
}

/** What the session does changed: a turn began or ended, a person is awaited, or another message waits. */
export interface SessionMessageState {
  type: "state";
  /** The session. */
  session: string;
  /** What it does. */
  activity: Activity;
  /** The turn that runs. */
  turn?: string;
  /** Messages that wait for their turn. */
  queued: number;
}

/** What a session tells those who follow it. */
export type SessionMessage =
  | SessionMessageEntry
  | SessionMessageProgress
  | SessionMessageState;
