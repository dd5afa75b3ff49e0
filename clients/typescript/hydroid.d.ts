// What programs use of the client. The messages themselves are in `protocol.d.ts`.

import type {
  ApprovalAnswer, EntryApprovalAsked, ExportFormat, Found, InstalledComponent, KeptNote, ModelOffer,
  NumberedEntry, Outcome, Reply, ReplyAccepted, ReplyCost, ReplyPolicy, ReplyStatus, ReplyWelcome,
  Request, ServerMessage, SessionInfo, SessionMessage, SessionSettings, SkillOffer, ToolOffer,
  Usage,
} from "./protocol.js";

export * as protocol from "./protocol.js";

export interface Options {
  /** Where the host is, like `http://127.0.0.1:7717`; `HYDROID_URL`, or the page's own host, when absent. */
  url?: string;
  /** One of `hydroid token create`; `HYDROID_TOKEN` when absent. */
  token?: string;
  /** What the host calls this program. */
  name?: string;
  version?: string;
  /** Another implementation of WebSockets than the one that is there. */
  WebSocket?: unknown;
}

/** The host refused a request. */
export class Refused extends Error {
  code: string;
  retryAfterMs?: number;
}

/** The connection was lost, and it is not known whether the request was done. */
export class ConnectionLost extends Error {}

/** A file to be said together with a text. */
export interface Attachment {
  /** Without a directory. */
  name: string;
  /** IANA media type. */
  mediaType: string;
  data: Uint8Array | ArrayBuffer;
}

export interface SayOptions {
  attachments?: Attachment[];
  /** A key of your own: what was said under it is not said a second time. */
  key?: string;
}

export interface TurnOptions extends SayOptions {
  /** Asked about each call that waits for an approval; without it they are denied. */
  decide?: (asked: EntryApprovalAsked) => ApprovalAnswer | Promise<ApprovalAnswer>;
}

/** A turn that has ended. */
export interface Answered {
  turn: string;
  text: string;
  thinking: string;
  outcome: Outcome;
  /** The model gave its final answer. */
  completed: boolean;
  usage?: Usage;
  dollars?: number;
  entries: NumberedEntry[];
}

/** What a session tells: entries in order and each once, and what is transient between. */
export interface Stream extends AsyncIterableIterator<SessionMessage> {
  readonly session: string;
  /** The last entry that came. */
  readonly last: number;
}

type Fields<Type extends Request["type"]> = Omit<Extract<Request, { type: Type }>, "type" | "id">;

/** A connection to a host, which comes back by itself after it was cut off. */
export class Hydroid {
  constructor(options?: Options);
  /** Connects; a host that is not there or refuses is an error here. */
  connect(): Promise<this>;
  /** Ends the connection; what runs at the host goes on. */
  close(): void;
  /** Whose sessions these are, and what the limits are. */
  readonly welcome: ReplyWelcome;
  /** Any request of the protocol. */
  request<Type extends Request["type"]>(type: Type, fields?: Fields<Type>, piece?: (text: string) => void): Promise<Reply>;
  /** Calls back with each message of this type that no request asked for; what is returned ends it. */
  on<Type extends ServerMessage["type"]>(type: Type, listener: (message: Extract<ServerMessage, { type?: Type }>) => void): () => void;
  /** Begins a session. With a key that was used before, it is the session of then. */
  create(options?: { title?: string; settings?: SessionSettings; key?: string }): Promise<Session>;
  /** A session by its identifier, or the beginning of one. */
  open(session: string): Promise<Session>;
  sessions(options?: { archived?: boolean; limit?: number }): Promise<SessionInfo[]>;
  search(text: string, options?: { session?: string; limit?: number }): Promise<Found[]>;
  /** Stops every running turn of the person and drops messages that wait. */
  cancelAll(): Promise<void>;
  status(): Promise<ReplyStatus>;
  models(): Promise<ModelOffer[]>;
  tools(): Promise<ToolOffer[]>;
  components(): Promise<InstalledComponent[]>;
  cost(session?: string): Promise<ReplyCost>;
  notes(text?: string): Promise<KeptNote[]>;
  /** Notifications that were shown to a person. */
  seen(notifications: string[]): Promise<void>;
}

/** A session of the person's. */
export class Session {
  readonly id: string;
  info: SessionInfo;
  /** What it tells from after an entry on; without one, from what `info` says is the last. */
  stream(after?: number): Stream;
  /** Says something, which starts a turn, or queues one; once, also over a lost connection. */
  say(text: string, options?: SayOptions): Promise<ReplyAccepted>;
  /** Says something and waits for the end of its turn. */
  ask(text: string, options?: TurnOptions): Promise<Answered>;
  /** Says something and yields what its turn tells, as it comes, up to its end. */
  turn(text: string, options?: TurnOptions): AsyncGenerator<SessionMessage, void>;
  /** Says something into the running turn. */
  steer(text: string, options?: { key?: string }): Promise<void>;
  /** Asks beside the conversation; `piece` is told the answer as it comes. */
  aside(text: string, piece?: (text: string) => void): Promise<string>;
  answer(callId: string, answer: ApprovalAnswer): Promise<void>;
  /** Lets a call run, this time. */
  approve(callId: string): Promise<void>;
  /** Lets a call not run; the model reads the reason. */
  deny(callId: string, reason?: string): Promise<void>;
  /** Stops the turn that runs or waits for its place; messages behind it stay. */
  cancel(): Promise<void>;
  entries(options?: { after?: number; limit?: number }): Promise<NumberedEntry[]>;
  rename(title: string): Promise<void>;
  archive(archived?: boolean): Promise<void>;
  set(settings: SessionSettings): Promise<void>;
  fork(options?: { before?: string; title?: string; key?: string }): Promise<Session>;
  /** Lets the conversation forget a turn and what follows it, or everything. */
  rewind(before?: string): Promise<void>;
  /** Sums the older part up; the number of turns that the summary stands for. */
  compact(): Promise<number>;
  /** Skills there are, those it has loaded marked. */
  skills(): Promise<SkillOffer[]>;
  /** From the next turn on the model reads it; returns what hooks have to say. */
  loadSkill(name: string): Promise<string[]>;
  unloadSkill(name: string): Promise<void>;
  delete(): Promise<void>;
  export(format?: ExportFormat): Promise<string>;
  policy(): Promise<ReplyPolicy>;
}
