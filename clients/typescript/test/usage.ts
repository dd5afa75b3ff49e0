// A program as the types see it: compiled by a test, never run.

import { Hydroid, Refused, type protocol } from "../hydroid.js";

const hydroid = await new Hydroid({ url: "http://127.0.0.1:7717", token: "hyd_" }).connect();
const session = await hydroid.create({ title: "Rivers", settings: { mode: "plan" } });

for await (const message of session.turn("list files", {
  decide: (asked) => (asked.impact === "edits" ? { answer: "once" } : { answer: "deny", reason: "no" }),
})) {
  if (message.type === "entry" && message.entry.kind === "text") {
    const text: string = message.entry.text;
    console.log(text);
  }
}

const stop = hydroid.on("notification", ({ notification }) => console.log(notification.text));
stop();

try {
  await session.steer("shorter");
} catch (error) {
  if (error instanceof Refused && error.code === "nothing_runs") await session.say("shorter");
}

const info: protocol.SessionInfo = session.info;
console.log(info.title, (await hydroid.cost(session.id)).total.dollars);

// @ts-expect-error: there is no such mode
await session.set({ mode: "reckless" });
// @ts-expect-error: a text is missing
await hydroid.request("say", { session: session.id });
