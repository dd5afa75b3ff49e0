//! WASI as every component gets it: an inert baseline without files, network, environment or
//! arguments, its output caught in a bounded ring. Grants add preopened directories or
//! `wasi:http`, under the same rules as our own interfaces.

use crate::instance::State;
use bytes::Bytes;
use hydroid_core::scrub::{Scrubber, Stream};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use wasmtime::Result;
use wasmtime::component::Linker;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream, WasiCli, WasiCliView as _};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView as _};
use wasmtime_wasi::p2::bindings;
use wasmtime_wasi::random::WasiRandom;
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView as _};
use wasmtime_wasi::{WasiCtxView, WasiView};
use wasmtime_wasi_io::poll::Pollable;
use wasmtime_wasi_io::streams::{OutputStream, StreamResult};

/// What is kept of a component's standard output and error, together: enough for a message and a
/// stack.
const RING: usize = 8 << 10;

/// Interfaces without authority that every component may import.
pub(crate) const BASELINE: [&str; 19] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:random/random",
    "wasi:clocks/timezone",
];

/// Interfaces that toolchains import without need: linked to the real thing with no directory
/// and no address, so that interpreters start and get an error instead of a trap.
pub(crate) const NOISE: [&str; 9] = [
    "wasi:filesystem/preopens",
    "wasi:filesystem/types",
    "wasi:sockets/instance-network",
    "wasi:sockets/ip-name-lookup",
    "wasi:sockets/network",
    "wasi:sockets/tcp",
    "wasi:sockets/tcp-create-socket",
    "wasi:sockets/udp",
    "wasi:sockets/udp-create-socket",
];

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl wasmtime_wasi_io::IoView for State {
    fn table(&mut self) -> &mut wasmtime::component::ResourceTable {
        &mut self.table
    }
}

/// Links the baseline and the noise. Neither carries authority by itself.
pub(crate) fn link(linker: &mut Linker<State>) -> Result<()> {
    use bindings::{cli, clocks, random, sockets};
    wasmtime_wasi_io::add_to_linker_async(linker)?;
    clocks::wall_clock::add_to_linker::<State, WasiClocks>(linker, State::clocks)?;
    clocks::monotonic_clock::add_to_linker::<State, WasiClocks>(linker, State::clocks)?;
    random::random::add_to_linker::<State, WasiRandom>(linker, |state| state.ctx().ctx.random())?;
    random::insecure::add_to_linker::<State, WasiRandom>(linker, |state| state.ctx().ctx.random())?;
    random::insecure_seed::add_to_linker::<State, WasiRandom>(linker, |state| {
        state.ctx().ctx.random()
    })?;
    cli::environment::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::exit::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::stdin::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::stdout::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::stderr::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_input::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_output::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stdin::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stdout::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    cli::terminal_stderr::add_to_linker::<State, WasiCli>(linker, State::cli)?;
    crate::imports::wasi_filesystem::link(linker)?;
    sockets::tcp::add_to_linker::<State, WasiSockets>(linker, State::sockets)?;
    sockets::tcp_create_socket::add_to_linker::<State, WasiSockets>(linker, State::sockets)?;
    sockets::udp::add_to_linker::<State, WasiSockets>(linker, State::sockets)?;
    sockets::udp_create_socket::add_to_linker::<State, WasiSockets>(linker, State::sockets)?;
    sockets::instance_network::add_to_linker::<State, WasiSockets>(linker, State::sockets)?;
    sockets::network::add_to_linker::<State, WasiSockets>(
        linker,
        &Default::default(),
        State::sockets,
    )?;
    sockets::ip_name_lookup::add_to_linker::<State, WasiSockets>(linker, State::sockets)?;
    Ok(())
}

/// The last of what a component wrote to standard output and error, without known secrets: they
/// are masked before anything is dropped, since half a secret would not be recognised.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ring(Arc<Mutex<Written>>);

#[derive(Debug, Default)]
struct Written {
    last: Vec<u8>,
    total: u64,
    masked: Option<Masked>,
}

/// What is known to be secret, and the beginning of a character that is not complete yet.
#[derive(Debug)]
struct Masked {
    scrubber: Scrubber,
    stream: Stream,
    cut: Vec<u8>,
}

impl Ring {
    /// A ring that masks what this scrubber knows.
    pub(crate) fn scrubbed(scrubber: Scrubber) -> Self {
        let stream = scrubber.stream_known();
        let masked = Some(Masked { scrubber, stream, cut: Vec::new() });
        Self(Arc::new(Mutex::new(Written { masked, ..Written::default() })))
    }

    /// The text kept, and how many bytes were written in all. What comes later is another text.
    pub(crate) fn text(&self) -> (String, u64) {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rest) = written.masked.as_mut().map(Masked::finish) {
            written.keep(rest.as_bytes());
        }
        let text = String::from_utf8_lossy(&written.last).trim().to_owned();
        let text = match &written.masked {
            // What only looks like a credential is masked too, now that its line is complete.
            Some(masked) => masked.scrubber.scrub(&text),
            None => text,
        };
        (text, written.total)
    }

    fn push(&self, bytes: &[u8]) {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        written.total = written.total.saturating_add(bytes.len() as u64);
        match written.masked.as_mut().map(|masked| masked.push(bytes)) {
            Some(text) => written.keep(text.as_bytes()),
            None => written.keep(bytes),
        }
    }
}

impl Written {
    fn keep(&mut self, bytes: &[u8]) {
        let newest = &bytes[bytes.len().saturating_sub(RING)..];
        let excess = (self.last.len() + newest.len()).saturating_sub(RING);
        self.last.drain(..excess);
        self.last.extend_from_slice(newest);
    }
}

impl Masked {
    fn push(&mut self, bytes: &[u8]) -> String {
        let mut all = std::mem::take(&mut self.cut);
        all.extend_from_slice(bytes);
        let mut text = String::new();
        let mut chunks = all.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            text.push_str(&self.stream.push(chunk.valid()));
            let wrong = chunk.invalid();
            if chunks.peek().is_none() && is_beginning(wrong) {
                self.cut = wrong.to_vec();
            } else if !wrong.is_empty() {
                text.push_str(&self.stream.push("\u{fffd}"));
            }
        }
        text
    }

    fn finish(&mut self) -> String {
        let mut text = match std::mem::take(&mut self.cut).is_empty() {
            true => String::new(),
            false => self.stream.push("\u{fffd}"),
        };
        text.push_str(&self.stream.finish());
        text
    }
}

/// True if more bytes could make a character of these.
fn is_beginning(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

impl IsTerminal for Ring {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Ring {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Ring {
    async fn ready(&mut self) {}
}

impl OutputStream for Ring {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}

impl AsyncWrite for Ring {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.push(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ring_keeps_the_end_and_counts_all() {
        let ring = Ring::default();
        for _ in 0..100 {
            ring.push(&[b'a'; 1000]);
        }
        ring.push(b"the end");
        let (text, total) = ring.text();
        assert_eq!(total, 100_007);
        assert_eq!(text.len(), RING);
        assert!(text.ends_with("the end"));
        ring.push(&vec![b'b'; RING * 3]);
        assert_eq!(ring.text().0.len(), RING);
    }

    const KEY: &str = "sk-live-0123456789abcdef-é";

    fn scrubbed() -> Ring {
        let value = hydroid_core::ports::SecretValue::new(KEY.into());
        let known = hydroid_core::scrub::KnownSecret { name: Some("key".into()), value };
        Ring::scrubbed(Scrubber::new(&[known], &[]).unwrap())
    }

    #[test]
    fn a_secret_is_masked_however_it_was_written() {
        let said = format!("the key is {KEY} é!");
        for size in 1..said.len() {
            let ring = scrubbed();
            said.as_bytes().chunks(size).for_each(|piece| ring.push(piece));
            assert_eq!(ring.text(), ("the key is [secret:key] é!".to_owned(), said.len() as u64));
        }
        let ring = scrubbed();
        ring.push(b"no text: \xff, and cut off: \xc3");
        assert_eq!(ring.text().0, "no text: \u{fffd}, and cut off: \u{fffd}");
    }

    #[test]
    fn half_a_secret_does_not_stay_at_the_beginning_of_the_ring() {
        for kept in 1..KEY.len() {
            let ring = scrubbed();
            ring.push(KEY.as_bytes());
            ring.push(&vec![b' '; RING - kept - 1]);
            ring.push(b".");
            let text = ring.text().0;
            let rest = text.trim_start_matches(|c: char| "[secret:key]".contains(c)).trim();
            assert_eq!(rest, ".", "{text:.40}");
        }
    }
}
