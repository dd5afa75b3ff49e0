//! The world around [`crate::app`]: keys and the host come in, frames and messages go out. It
//! decides nothing.

use crate::app::{App, Command, DeskReply, DeskRequest, Input, Link};
use crate::connection::{self, Event as FromHost};
use crate::desk::Desk;
use crate::terminal::Screen;
use crate::theme::Theme;
use crate::view::{Painter, draw};
use crossterm::event::{Event, EventStream};
use futures_util::StreamExt;
use hydroid_core::id::SessionId;
use hydroid_core::protocol::ClientMessage;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::Instant;

pub use crate::app::Begin;

/// Time between two frames at least: what comes meanwhile is drawn together.
const FRAME: Duration = Duration::from_millis(33);

/// How often what moves by itself is drawn.
const MOVES: Duration = Duration::from_millis(100);

/// How often the clock goes on otherwise.
const RESTS: Duration = Duration::from_secs(1);

/// Answers of the machine that wait to be taken.
const WAITING: usize = 32;

/// Things that come at once and are drawn together.
const TOGETHER: usize = 512;

/// How to begin.
#[derive(Clone, Debug)]
pub struct Options {
    /// With which session.
    pub begin: Begin,
    /// In which colours.
    pub theme: Theme,
    /// In none, whatever the theme.
    pub colorless: bool,
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The terminal cannot be used.
    #[error("the terminal cannot be used")]
    Terminal(#[from] io::Error),
    /// The host does not want us.
    #[error("{0}")]
    Refused(String),
}

/// A text that no other terminal has. It is no secret, so what maps are seeded with is enough.
fn unique() -> String {
    let seed = RandomState::new();
    format!("{:016x}{:016x}", seed.hash_one(0), seed.hash_one(1))
}

/// Shows the terminal until the person leaves; the session they looked at last.
///
/// # Errors
/// That there is no terminal, or that the host refuses us.
pub async fn run(options: Options, desk: Arc<dyn Desk>) -> Result<Option<SessionId>, Trouble> {
    let asked = Arc::clone(&desk);
    let history = spawn_blocking(move || asked.history()).await.unwrap_or_default();
    let app = App::new(options.begin, options.theme, options.colorless, history, unique());
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let (from_host, connection) = connection::keep(Arc::clone(&desk));
    let (replies, from_desk) = mpsc::channel(WAITING);
    let mut world = World {
        app,
        painter: Painter::default(),
        screen: Screen::open()?,
        keys: Some(EventStream::new()),
        begun: Instant::now(),
        drawn: None,
        outbox: None,
        desk,
        replies,
        connection,
        leaves: false,
    };
    let shown = world.show(from_host, from_desk, &mut terminate, &mut hang_up).await;
    world.connection.abort();
    // The terminal is given back before anything is said on it.
    let World { app, screen, .. } = world;
    drop(screen);
    shown?;
    match app.connected {
        crate::app::Connected::Refused(why) => Err(Trouble::Refused(why)),
        _ => Ok(app.current),
    }
}

struct World {
    app: App,
    painter: Painter,
    screen: Screen,
    /// None while the person's own editor has the terminal.
    keys: Option<EventStream>,
    begun: Instant,
    drawn: Option<Instant>,
    /// Where messages to the host go, while there is a connection.
    outbox: Option<mpsc::Sender<ClientMessage>>,
    desk: Arc<dyn Desk>,
    replies: mpsc::Sender<DeskReply>,
    connection: JoinHandle<()>,
    leaves: bool,
}

impl World {
    async fn show(
        &mut self,
        mut from_host: mpsc::Receiver<FromHost>,
        mut from_desk: mpsc::Receiver<DeskReply>,
        terminate: &mut tokio::signal::unix::Signal,
        hang_up: &mut tokio::signal::unix::Signal,
    ) -> io::Result<()> {
        self.draw()?;
        let mut stale = false;
        while !self.leaves {
            let moves = if self.app.is_moving() { MOVES } else { RESTS };
            let next = match self.drawn {
                Some(drawn) if stale => drawn + FRAME,
                Some(drawn) => drawn + moves,
                None => Instant::now(),
            };
            let keys = self.keys.get_or_insert_with(EventStream::new);
            tokio::select! {
                biased;
                _ = terminate.recv() => return Ok(()),
                _ = hang_up.recv() => return Ok(()),
                key = keys.next() => match key {
                    Some(key) => {
                        stale = true;
                        self.key(key?).await?;
                    }
                    None => return Ok(()),
                },
                reply = from_desk.recv() => {
                    stale = true;
                    if let Some(reply) = reply {
                        self.take(Input::Desk(reply)).await?;
                    }
                }
                () = tokio::time::sleep_until(next) => {
                    stale = false;
                    self.draw()?;
                }
                event = from_host.recv() => {
                    stale = true;
                    let mut next = event;
                    for _ in 0..TOGETHER {
                        let Some(event) = next else { break };
                        self.host(event).await?;
                        next = from_host.try_recv().ok();
                    }
                    if let Some(event) = next {
                        self.host(event).await?;
                    }
                }
            }
        }
        Ok(())
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn draw(&mut self) -> io::Result<()> {
        let now = self.now();
        drop(self.app.handle(Input::Tick(now)));
        let (app, painter) = (&self.app, &mut self.painter);
        let mut layout = None;
        self.screen.terminal.draw(|frame| layout = Some(draw(frame, app, painter)))?;
        if let Some(layout) = layout {
            self.app.shown(layout);
        }
        self.drawn = Some(Instant::now());
        Ok(())
    }

    async fn key(&mut self, event: Event) -> io::Result<()> {
        let input = match event {
            Event::Key(key) => Input::Key(key),
            Event::Mouse(mouse) => Input::Mouse(mouse),
            Event::Paste(text) => Input::Paste(text),
            Event::Resize(_, _) | Event::FocusGained | Event::FocusLost => return self.draw(),
        };
        self.take(input).await
    }

    async fn host(&mut self, event: FromHost) -> io::Result<()> {
        let link = match event {
            FromHost::Opened { token, outbox } => {
                self.outbox = Some(outbox);
                Link::Opened { token }
            }
            FromHost::Told(message) => Link::Told(message),
            FromHost::Lost(why) => {
                self.outbox = None;
                Link::Lost(why)
            }
        };
        self.take(Input::Link(link)).await
    }

    async fn take(&mut self, input: Input) -> io::Result<()> {
        let now = self.now();
        let mut commands = self.app.handle(Input::Tick(now));
        commands.extend(self.app.handle(input));
        for command in commands {
            match command {
                Command::Send(message) => {
                    let full = self
                        .outbox
                        .as_ref()
                        .is_some_and(|outbox| outbox.try_send(message).is_err());
                    if full {
                        // What waits there is asked again over the next connection.
                        self.outbox = None;
                    }
                }
                Command::Desk(request) => self.ask_desk(request).await?,
                Command::Mouse(ours) => self.screen.set_mouse(ours)?,
                Command::Redraw => self.screen.forget()?,
                Command::GiveUp => self.connection.abort(),
                Command::Quit => self.leaves = true,
            }
        }
        Ok(())
    }

    async fn ask_desk(&mut self, request: DeskRequest) -> io::Result<()> {
        let (desk, replies) = (Arc::clone(&self.desk), self.replies.clone());
        match request {
            // Whoever edits has the terminal, and the keys, until they are done.
            DeskRequest::Edit(text) => {
                self.keys = None;
                self.screen.give()?;
                let edited = spawn_blocking(move || desk.edit(&text)).await;
                self.screen.take()?;
                let failed = |error| Err(format!("the editor could not be started: {error}"));
                let reply = DeskReply::Edited(edited.unwrap_or_else(failed));
                // It is taken on the next round, as every answer.
                drop(replies.try_send(reply));
            }
            DeskRequest::Attach { path, pasted } => {
                spawn_blocking(move || {
                    let result = desk.attach(&path);
                    drop(replies.blocking_send(DeskReply::Attached { result, pasted }));
                });
            }
            DeskRequest::Save { path, text } => {
                spawn_blocking(move || {
                    drop(replies.blocking_send(DeskReply::Saved(desk.save(&path, &text))));
                });
            }
            DeskRequest::Remember(text) => {
                spawn_blocking(move || desk.remember(&text));
            }
        }
        Ok(())
    }
}
