//! Tools for the files of a workspace, one source for two components: `tool-files-read` and
//! `tool-files-write`. Not a component itself; which half is linked decides the imports.
//!
//! Reading order: [`disk`] is what the tools need of a file system and where tests put theirs,
//! `path` and `lines` are how names and texts are understood, `walk` goes through directories;
//! then one file a tool.

mod disk;

mod lines;
mod path;
mod walk;

mod list;
mod read;
mod search;

mod delete;
mod edit;
mod nearest;
mod write;

#[cfg(test)]
mod memory;

use hydroid_component::tool::Tool;

use disk::HostDisk;

/// The tools that need `fs-read` only.
pub fn reading_tools() -> Vec<Tool> {
    vec![
        Tool::new(
            "file_read",
            "Reads a text file and returns its lines with numbers. Long files come in parts: \
             the note at the end says how to go on.",
            |arguments| read::file_read(&HostDisk, arguments),
        )
        .title("Read a file")
        .read_only(),
        Tool::new(
            "file_list",
            "Lists files and directories, one path on a line, directories with a `/` at the end. \
             Leaves out what .gitignore names and hidden files unless asked.",
            |arguments| list::file_list(&HostDisk, arguments),
        )
        .title("List files")
        .read_only(),
        Tool::new(
            "file_search",
            "Searches the text of files for a regular expression, line by line, and returns the \
             matching lines with their numbers. Leaves out binary files, what .gitignore names \
             and hidden files.",
            |arguments| search::file_search(&HostDisk, arguments),
        )
        .title("Search in files")
        .read_only(),
    ]
}

/// The tools that need `fs-write` too.
pub fn writing_tools() -> Vec<Tool> {
    vec![
        Tool::new(
            "file_write",
            "Writes a text file and creates missing directories. Replaces a file that is there \
             unless `mode` says otherwise; to change a part of a file use `file_edit`.",
            |arguments| write::file_write(&HostDisk, arguments),
        )
        .title("Write a file"),
        Tool::new(
            "file_edit",
            "Changes parts of a text file: each edit replaces one exact piece of text by another. \
             Either all edits are made or none.",
            |arguments| edit::file_edit(&HostDisk, arguments),
        )
        .title("Edit a file"),
        Tool::new(
            "file_delete",
            "Deletes a file or an empty directory. It cannot be had back.",
            |arguments| delete::file_delete(&HostDisk, arguments),
        )
        .title("Delete a file"),
    ]
}
