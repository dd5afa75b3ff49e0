//! Every configuration key: its path, its kind, its default and what it does.

/// One configuration key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Dotted path; `*` stands for a name.
    pub path: &'static str,
    /// `text`, `number`, `size`, `time`, `bool`, `rule`, `list` or `table`.
    pub kind: &'static str,
    /// The default as TOML, empty for none.
    pub default: &'static str,
    /// One or two sentences.
    pub doc: &'static str,
}

const fn key(
    path: &'static str,
    kind: &'static str,
    default: &'static str,
    doc: &'static str,
) -> Key {
    Key { path, kind, default, doc }
}

/// Every key, sorted by path.
pub const KEYS: &[Key] = &[
    key(
        "cache.max_size",
        "size",
        "\"1GiB\"",
        "Compiled code kept on disk; the least recently used is removed first.",
    ),
    key(
        "components.*.config",
        "table",
        "",
        "The component's own configuration, checked against the schema in its manifest. It never holds a secret.",
    ),
    key("components.*.enabled", "bool", "true", "Whether the component is loaded."),
    key("components.*.limits.call", "time", "", "Replaces `limits.call` for this component."),
    key("components.*.limits.fuel", "number", "", "Replaces `limits.fuel` for this component."),
    key(
        "components.*.limits.host_calls",
        "number",
        "",
        "Replaces `limits.host_calls` for this component.",
    ),
    key("components.*.limits.memory", "size", "", "Replaces `limits.memory` for this component."),
    key("components.*.limits.output", "size", "", "Replaces `limits.output` for this component."),
    key(
        "egress.allow_private",
        "list",
        "[]",
        "Addresses with a port that components may reach although they are private or special, like `10.0.0.5:8080`. The component still needs a grant for the host.",
    ),
    key(
        "egress.ca_file",
        "text",
        "",
        "PEM file with the certificate authorities to trust instead of the system's.",
    ),
    key(
        "egress.connect",
        "time",
        "\"10s\"",
        "Longest time to connect, name look-up and TLS included.",
    ),
    key(
        "egress.first_byte",
        "time",
        "\"2m\"",
        "Longest time from sending a request to the first byte of the answer.",
    ),
    key(
        "egress.max_concurrent",
        "number",
        "32",
        "Requests under way at once, for all components together.",
    ),
    key("egress.max_request", "size", "\"32MiB\"", "Largest request body."),
    key(
        "egress.max_requests_per_call",
        "number",
        "64",
        "Requests that one call of a component may send.",
    ),
    key("egress.max_response", "size", "\"64MiB\"", "Largest response body."),
    key("egress.total", "time", "\"10m\"", "Longest time for a whole request and its answer."),
    key(
        "limits.call",
        "time",
        "\"30s\"",
        "Longest time for one call of a tool. A provider's answer may take `turn.max_seconds`.",
    ),
    key(
        "limits.fuel",
        "number",
        "",
        "Instructions for one call, in wasmtime's units of fuel. Counting costs speed, so it is off unless set.",
    ),
    key(
        "limits.host_call_bytes",
        "size",
        "\"16MiB\"",
        "Bytes that one call into the host may carry.",
    ),
    key(
        "limits.host_calls",
        "number",
        "100000",
        "Calls into the host during one call of a component.",
    ),
    key("limits.instances", "number", "32", "Core instances in one component."),
    key(
        "limits.log",
        "size",
        "\"256KiB\"",
        "Log text of one call, standard output and error included.",
    ),
    key("limits.log_lines", "number", "1000", "Log lines of one call."),
    key(
        "limits.memory",
        "size",
        "\"64MiB\"",
        "Linear memory of a component, all its memories together.",
    ),
    key("limits.output", "size", "\"4MiB\"", "What one call of a tool may return."),
    key("limits.random", "size", "\"1MiB\"", "Random bytes in one request."),
    key(
        "limits.resources",
        "number",
        "256",
        "Open handles of one call: responses, secrets, streams.",
    ),
    key(
        "limits.table_elements",
        "number",
        "20000",
        "Elements of a component's function tables, all together.",
    ),
    key(
        "log.level",
        "text",
        "\"warn\"",
        "What is logged to standard error: error, warn, info, debug or trace.",
    ),
    key(
        "model.context_tokens",
        "number",
        "128000",
        "Context window of the model; older turns are left out when a request would not fit.",
    ),
    key("model.instructions", "text", "", "Instructions added to the system prompt."),
    key("model.max_output_tokens", "number", "", "Most output tokens of one answer."),
    key("model.name", "text", "\"rehearsal\"", "The model, as the provider knows it."),
    key(
        "model.options",
        "table",
        "",
        "Further settings handed to the provider as they are, like `reasoning_effort`.",
    ),
    key(
        "model.prices.cache_read",
        "number",
        "",
        "US dollars per million input tokens read from a cache; `model.prices.input` when absent.",
    ),
    key(
        "model.prices.cache_write",
        "number",
        "",
        "US dollars per million input tokens written to a cache; `model.prices.input` when absent.",
    ),
    key("model.prices.input", "number", "", "US dollars per million input tokens."),
    key("model.prices.output", "number", "", "US dollars per million output tokens."),
    key("model.provider", "text", "\"provider-rehearsal\"", "The provider component that answers."),
    key("model.temperature", "number", "", "Sampling temperature."),
    key(
        "policy.changes",
        "rule",
        "\"ask\"",
        "Tools that can change something: allow, ask or deny.",
    ),
    key(
        "policy.network",
        "rule",
        "\"ask\"",
        "Tools that send read requests to other machines: allow, ask or deny.",
    ),
    key(
        "policy.read_only",
        "rule",
        "\"allow\"",
        "Tools that only compute or read your files: allow, ask or deny.",
    ),
    key("policy.tools.*", "rule", "", "A rule for one tool; it wins over the three above."),
    key("secrets.*.env", "text", "", "Environment variable that holds the secret."),
    key("secrets.*.file", "text", "", "File that holds the secret; a final line end is left out."),
    key(
        "secrets.*.hosts",
        "list",
        "[]",
        "Hosts the secret may be sent to; those of the component's manifest when empty.",
    ),
    key(
        "turn.max_dollars",
        "number",
        "",
        "Money one turn may cost, in US dollars; needs `model.prices`.",
    ),
    key(
        "turn.max_repeats",
        "number",
        "3",
        "How often the same calls in a row are run before the model is told; twice as often ends the turn.",
    ),
    key(
        "turn.max_seconds",
        "number",
        "900",
        "Wall time of one turn, time spent waiting for a person not counted.",
    ),
    key("turn.max_steps", "number", "25", "Model requests in one turn."),
    key("turn.max_tokens", "number", "1000000", "Input and output tokens of one turn together."),
    key(
        "turn.max_tool_output_chars",
        "number",
        "30000",
        "Characters of a tool's text that the model is shown.",
    ),
    key("user", "text", "\"local\"", "Whose sessions, secrets and workspace are used."),
    key(
        "workspace.allow_hard_links",
        "bool",
        "false",
        "Whether tools may open files that have several hard links, which may be files outside the workspace.",
    ),
    key(
        "workspace.directory",
        "text",
        "",
        "Directory with `shared/`, `tmp/` and `vault/`; the user's own when absent.",
    ),
];
