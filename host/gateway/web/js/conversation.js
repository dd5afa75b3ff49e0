// A session's entries as what is shown: turns with what was said, thought and called in them.
// Pure: it touches no page, and the same entries make the same conversation however they came.

/** A conversation that grows by entries. */
export class Conversation {
  constructor(session) {
    this.session = session;
    this.turns = [];
    this.untold = [];
    this.last = 0;
    this.settings = {};
    /** Turns and items that changed since they were last shown. */
    this.changed = new Set();
    this.rewound = false;
  }

  /** Takes an entry; false for one that is known already. */
  take(seq, at, entry) {
    if (seq <= this.last) return false;
    this.last = seq;
    const handler = ENTRIES[entry.kind];
    if (handler) handler(this, entry, at);
    return true;
  }

  /** The turn of an entry; one whose beginning is not known begins with it. */
  turn(id, at) {
    const found = this.turns.findLast((turn) => turn.id === id);
    if (found) return found;
    const turn = { id, at, ended: null, parts: [], items: [], outcome: null, usage: null, dollars: null, running: true };
    this.turns.push(turn);
    this.changed.add(turn);
    // What was said before it began.
    for (const text of this.untold.splice(0)) this.add(turn, { kind: "notice", text, closed: true });
    return turn;
  }

  add(turn, item) {
    item.key = `${turn.id}/${turn.items.length}`;
    turn.items.push(item);
    this.changed.add(turn);
    return item;
  }

  /** Text is appended to what came right before it in the same step. */
  grow(turn, kind, text) {
    const last = turn.items.at(-1);
    if (last && last.kind === kind && !last.closed) {
      last.text += text;
      this.changed.add(last);
      return;
    }
    this.add(turn, { kind, text });
  }

  close(turn) {
    const last = turn.items.at(-1);
    if (last) last.closed = true;
  }

  call(turn, id) {
    return turn.items.findLast((item) => item.kind === "call" && item.id === id);
  }

  /** The call, made if it was not received before. */
  callOf(turn, id, call) {
    return this.call(turn, id) ?? this.add(turn, { kind: "call", id, name: call?.name ?? "", arguments: call?.arguments ?? "", state: "received" });
  }

  /** What was changed since the last look. */
  changes() {
    const changed = this.changed;
    this.changed = new Set();
    return changed;
  }

  /** Questions that wait for an answer. */
  questions() {
    return this.turns.flatMap((turn) => turn.items.filter((item) => item.kind === "call" && item.state === "asked"));
  }

  /** How far a running call has come. */
  progress(id, fraction, note) {
    if (!id) return; // The model is fetched first; the next word of it says enough.
    for (const turn of this.turns.toReversed()) {
      const call = this.call(turn, id);
      if (call && call.state === "running") {
        call.progress = { fraction, note };
        this.changed.add(call);
        return;
      }
    }
  }

  /** The newest turn. */
  newest() {
    return this.turns.at(-1);
  }
}

const ENTRIES = {
  turn_started(conversation, entry, at) {
    const turn = conversation.turn(entry.turn, at);
    turn.parts = entry.parts ?? [];
    turn.at = at;
    conversation.changed.add(turn);
  },
  steered(conversation, entry, at) {
    const turn = conversation.turn(entry.turn, at);
    conversation.add(turn, { kind: "steered", parts: entry.parts ?? [], closed: true });
  },
  rewound(conversation, entry) {
    const at = entry.to ? conversation.turns.findIndex((turn) => turn.id === entry.to) : 0;
    if (at < 0) return;
    conversation.turns.splice(at);
    conversation.rewound = true;
    conversation.changed.add(conversation);
  },
  settings_changed(conversation, entry) {
    conversation.settings = entry.settings ?? {};
  },
  step_started(conversation, entry, at) {
    const turn = conversation.turn(entry.turn, at);
    conversation.close(turn);
    turn.model = entry.model;
    turn.provider = entry.provider;
    turn.step = entry.step;
    conversation.changed.add(turn);
  },
  text(conversation, entry, at) {
    conversation.grow(conversation.turn(entry.turn, at), "text", entry.text ?? "");
  },
  thinking(conversation, entry, at) {
    if (entry.text) conversation.grow(conversation.turn(entry.turn, at), "thinking", entry.text);
  },
  cited(conversation, entry, at) {
    const turn = conversation.turn(entry.turn, at);
    conversation.add(turn, { kind: "cited", uri: entry.uri ?? "", title: entry.title, closed: true });
  },
  call_received(conversation, entry, at) {
    const turn = conversation.turn(entry.turn, at);
    conversation.close(turn);
    conversation.callOf(turn, entry.call.id, entry.call);
  },
  approval_asked(conversation, entry, at) {
    const turn = conversation.turn(entry.turn, at);
    const call = conversation.callOf(turn, entry.call_id, entry.call);
    call.name = entry.call.name;
    call.arguments = entry.call.arguments;
    call.component = entry.component;
    call.state = "asked";
    call.question = { reason: entry.reason, scope: entry.scope ?? "", impact: entry.impact, preview: entry.preview };
    conversation.changed.add(call);
    conversation.changed.add(turn);
  },
  call_edited(conversation, entry, at) {
    const call = conversation.callOf(conversation.turn(entry.turn, at), entry.call_id);
    call.arguments = entry.arguments;
    call.edited = true;
    conversation.changed.add(call);
  },
  call_decided(conversation, entry, at) {
    const call = conversation.callOf(conversation.turn(entry.turn, at), entry.call_id);
    const decision = entry.decision ?? {};
    call.by = entry.by;
    call.rule = entry.rule;
    call.decision = typeof decision === "string" ? decision : (decision.decision ?? Object.keys(decision)[0]);
    call.reason = decision.reason ?? decision[call.decision]?.reason;
    if (entry.component) call.component = entry.component;
    if (call.decision === "allow") call.state = "allowed";
    if (call.decision === "deny") call.state = "denied";
    conversation.changed.add(call);
  },
  call_started(conversation, entry, at) {
    const call = conversation.callOf(conversation.turn(entry.turn, at), entry.call_id, entry.call);
    call.state = "running";
    call.component = entry.component;
    call.name = entry.call.name;
    call.arguments = entry.call.arguments;
    call.began = at;
    conversation.changed.add(call);
  },
  call_finished(conversation, entry, at) {
    const call = conversation.callOf(conversation.turn(entry.turn, at), entry.call_id);
    call.output = entry.output;
    call.label = entry.label;
    call.ended = at;
    call.state = call.state === "denied" ? "denied" : entry.output?.is_error ? "failed" : "done";
    conversation.changed.add(call);
  },
  step_ended(conversation, entry, at) {
    const turn = conversation.turn(entry.turn, at);
    conversation.close(turn);
    turn.stop = entry.stop;
  },
  notice(conversation, entry, at) {
    conversation.add(conversation.turn(entry.turn, at), { kind: "notice", text: entry.text ?? "", closed: true });
  },
  skill_loaded(conversation, entry) {
    const text = `The skill ${entry.skill?.name} is loaded.`;
    // What the configuration wants belongs to the turn that begins.
    if (entry.by === "configuration") conversation.untold.push(text);
    else toldOrWith(conversation, text);
  },
  skill_unloaded(conversation, entry) {
    toldOrWith(conversation, `The skill ${entry.name} is unloaded.`);
  },
  compacted(conversation, entry) {
    told(conversation, `The first ${entry.covers} turns were summed up.`);
  },
  model_news(conversation, entry, at) {
    conversation.add(conversation.turn(entry.turn, at), { kind: "notice", text: news(entry.news), closed: true });
  },
  turn_ended(conversation, entry, at) {
    const turn = conversation.turn(entry.turn, at);
    conversation.close(turn);
    turn.running = false;
    turn.ended = at;
    turn.outcome = entry.outcome;
    turn.usage = entry.usage;
    turn.dollars = entry.dollars;
    for (const item of turn.items) {
      if (item.kind !== "call" || ["done", "failed", "denied"].includes(item.state)) continue;
      item.state = "ended";
      conversation.changed.add(item);
    }
    conversation.changed.add(turn);
  },
};

/** Says something beside the last turn, or with the first one if there is none yet. */
function toldOrWith(conversation, text) {
  if (conversation.turns.length > 0) told(conversation, text);
  else conversation.untold.push(text);
}

/** Says something beside the last turn there is. */
function told(conversation, text) {
  const turn = conversation.turns.at(-1);
  if (turn) conversation.add(turn, { kind: "notice", text, closed: true });
}

/** What became of a request to a model, in a sentence. */
export function news(told) {
  const seconds = (ms) => `${Math.max(1, Math.round(Number(ms) / 1000))} s`;
  const name = (model) => model?.model ?? "a model";
  switch (told?.what) {
    case "retrying":
      return `${name(told.of)} failed (${told.kind}): ${told.why}. Asked again in ${seconds(told.wait_ms)}, ${told.attempt} of ${told.attempts}.`;
    case "fell_back":
      return `${name(told.from)} could not answer (${told.kind}): ${told.why}. ${name(told.to)} answers instead.`;
    case "routed":
      return `${name(told.to)} answers, because of what is asked (${told.task}).`;
    case "kept":
      return `${name(told.by)} gave this answer before, to the very same request.`;
    case "left_alone":
      return `${name(told.of)} failed ${told.failures} times in a row and is left alone for ${seconds(told.for_ms)}.`;
    default:
      return "";
  }
}

/** Whether the host put a part beside what the person said: what memory found that fits to it. */
export function isRecalled(part) {
  return part.type === "text" && part.label?.source?.from === "tool";
}

/** The text of a message's parts, without what memory found. */
export function textOf(parts) {
  return parts.filter((part) => part.type === "text" && !isRecalled(part)).map((part) => part.text).join("\n");
}
