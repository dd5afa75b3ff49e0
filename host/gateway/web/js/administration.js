// What whoever runs the household asks the host, one request at a time over HTTP.

/** Why it was not done. */
export class AdminProblem extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Asks for one thing and resolves with the answer. */
export async function administer(type, fields = {}) {
  let response;
  try {
    response = await fetch("/api/v1/admin", {
      method: "POST",
      // Another page cannot send this header here, whatever form it makes.
      headers: { "content-type": "application/json", "x-hydroid-admin": "1" },
      body: JSON.stringify({ type, ...fields }),
      credentials: "same-origin",
      cache: "no-store",
    });
  } catch {
    throw new AdminProblem(0, "lost", "The host cannot be reached at the moment.");
  }
  const text = await response.text();
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new AdminProblem(response.status, "internal", response.ok ? "The host answered something that is no JSON." : `The host refused (${response.status}).`);
  }
  if (!response.ok) {
    const error = answer.error ?? answer;
    throw new AdminProblem(response.status, error.code ?? "internal", error.message ?? `The host refused (${response.status}).`);
  }
  return answer;
}

/** What a command printed and said, as one text. */
export function spoken(answer) {
  return [answer.text, answer.said].map((text) => (text ?? "").trim()).filter(Boolean).join("\n\n");
}
