//! Tools for what a person keeps and has said, one source for two components:
//! `tool-memory-read` and `tool-memory-write`. Not a component itself; which half is linked
//! decides the imports.

mod note;
mod scratchpad;
mod search;

use hydroid_component::tool::Tool;

/// The tools that only look.
pub fn reading_tools() -> Vec<Tool> {
    vec![
        Tool::new(
            "memory_search",
            "Searches the person's saved notes, earlier conversations and files that were taken in, \
             and returns what fits best, with ids. Use it when the person refers to something from \
             before, asks what you remember, or when an earlier fact, preference or decision may \
             matter. Give the few words that matter, in any form; words like `yesterday` or `last \
             week` narrow the time. Without words it lists the newest notes.",
            search::memory_search,
        )
        .title("Search the memory")
        .volatile(),
        Tool::new(
            "memory_recent",
            "Lists the newest notes, messages of other conversations and files, the newest first. \
             Use it when the person asks what was last, or to see what there is.",
            search::memory_recent,
        )
        .title("See what is newest")
        .volatile(),
        Tool::new(
            "scratchpad_read",
            "Reads the scratchpad of this conversation: the short text that was last written with \
             `scratchpad_write`. Use it to go on with a longer task.",
            scratchpad::scratchpad_read,
        )
        .title("Read the scratchpad")
        .volatile(),
    ]
}

/// The tools that keep, change and forget.
pub fn writing_tools() -> Vec<Tool> {
    vec![
        Tool::new(
            "memory_save",
            "Saves a note that later conversations can find. Use it when the person asks you to \
             remember something or states a lasting fact, preference or decision. One fact a note, \
             as a sentence that is understood without this conversation. Never save passwords or \
             other secrets.",
            note::memory_save,
        )
        .title("Save a note")
        .not_destructive(),
        Tool::new(
            "memory_update",
            "Replaces the text and the tags of a note, by the id that `memory_search` gave. Use it \
             when a saved fact has changed, instead of saving a second note.",
            note::memory_update,
        )
        .title("Change a note")
        .idempotent(),
        Tool::new(
            "memory_delete",
            "Forgets a note, by the id that `memory_search` gave. It cannot be had back. Use it when \
             the person asks you to forget something or a note is wrong.",
            note::memory_delete,
        )
        .title("Forget a note"),
        Tool::new(
            "scratchpad_write",
            "Replaces the scratchpad of this conversation: the plan and findings of a longer task, \
             for yourself. Other conversations do not see it; what should last is saved with \
             `memory_save`.",
            scratchpad::scratchpad_write,
        )
        .title("Write the scratchpad")
        .idempotent(),
        Tool::new(
            "scratchpad_clear",
            "Empties the scratchpad of this conversation, when what is on it is done.",
            scratchpad::scratchpad_clear,
        )
        .title("Clear the scratchpad")
        .idempotent(),
    ]
}
