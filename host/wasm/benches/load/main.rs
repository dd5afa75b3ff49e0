//! A load driver that prints a table: percentiles of calls, streams, memory, deadlines, start.
//! Not a test: nothing fails because it took long. `components` measures by criterion what is
//! steady enough for it.
//!
//! Reading order: [`loading`], [`calls`], [`side_by_side`], [`streaming`], [`providers`], [`kill`], [`memory`], [`start`],
//! then [`machine`] and [`table`].

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench reads built components, starts itself and `hydroid`, and prints a table"
)]

mod calls;
mod kill;
mod loading;
mod memory;
mod providers;
mod side_by_side;
mod start;
mod streaming;

mod machine;
mod table;

#[path = "../bare/mod.rs"]
mod bare;
#[path = "../scene/mod.rs"]
mod scene;

use table::Table;

/// One part of the load: it measures and adds its rows.
type Part = fn(&mut Table);

fn main() {
    // Cargo adds `--bench`.
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let [first, rest @ ..] = arguments.as_slice()
        && first == memory::CHILD
    {
        return memory::child(rest);
    }
    let chosen = |name: &str| arguments.is_empty() || arguments.iter().any(|word| word == name);
    let parts: [(&str, Part); 8] = [
        ("loading", loading::measure),
        ("calls", calls::measure),
        ("side-by-side", side_by_side::measure),
        ("streaming", streaming::measure),
        ("providers", providers::measure),
        ("kill", kill::measure),
        ("memory", memory::measure),
        ("start", start::measure),
    ];
    let names: Vec<&str> = parts.iter().map(|(name, _)| *name).collect();
    if let Some(unknown) = arguments.iter().find(|word| !names.contains(&word.as_str())) {
        println!("no part `{unknown}`; choose from: {}", names.join(", "));
        return;
    }
    println!("{}", machine::description());
    let mut table = Table::default();
    for (name, measure) in parts {
        if chosen(name) {
            measure(&mut table);
        }
    }
    println!("{table}");
    println!("Load averages at the end: {}", machine::load());
}
