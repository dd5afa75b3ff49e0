//! The terminal itself: it is taken over as a whole and given back as it was, also when the program
//! panics. Nothing else writes to it meanwhile.

use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::execute;
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use std::io::{self, Stdout, stdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::thread::{self, ThreadId};

/// The terminal is ours.
static OURS: AtomicBool = AtomicBool::new(false);

/// The thread that draws.
static DRAWS: Mutex<Option<ThreadId>> = Mutex::new(None);

/// The terminal while it is ours; given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Screen {
    pub(crate) terminal: Terminal<CrosstermBackend<Stdout>>,
    mouse: bool,
}

impl Screen {
    /// Takes the terminal over.
    pub(crate) fn open() -> io::Result<Self> {
        give_back_on_panic();
        let terminal = Terminal::new(CrosstermBackend::new(stdout()))?;
        let mut screen = Self { terminal, mouse: true };
        screen.take()?;
        Ok(screen)
    }

    /// Takes it over, again after it was given back for a while.
    pub(crate) fn take(&mut self) -> io::Result<()> {
        OURS.store(true, Ordering::SeqCst);
        *DRAWS.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread::current().id());
        enable_raw_mode()?;
        execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste)?;
        self.set_mouse(self.mouse)?;
        self.forget()
    }

    /// Draws everything anew with the next frame. `Terminal::clear` would ask the terminal where
    /// its cursor is, and the answer would go to whoever reads the keys.
    pub(crate) fn forget(&mut self) -> io::Result<()> {
        let size = self.terminal.size()?;
        self.terminal.resize(Rect::new(0, 0, size.width, size.height))
    }

    /// Gives it back for a while.
    pub(crate) fn give(&mut self) -> io::Result<()> {
        give_back()
    }

    /// Whether clicks and the wheel come to us.
    pub(crate) fn set_mouse(&mut self, ours: bool) -> io::Result<()> {
        self.mouse = ours;
        if ours {
            execute!(stdout(), EnableMouseCapture)
        } else {
            execute!(stdout(), DisableMouseCapture)
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if let Err(error) = give_back() {
            tracing::warn!(%error, "the terminal could not be given back");
        }
    }
}

/// As it was before, once.
fn give_back() -> io::Result<()> {
    if !OURS.swap(false, Ordering::SeqCst) {
        return Ok(());
    }
    // Each of them even if another fails.
    let left = execute!(
        stdout(),
        DisableMouseCapture,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        crossterm::cursor::Show
    );
    disable_raw_mode().and(left)
}

/// A panic of the thread that draws is told on a terminal that can be read. One of another thread
/// ends only what that thread did, and is not written across the screen.
fn give_back_on_panic() {
    static HOOKED: Once = Once::new();
    HOOKED.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let draws = *DRAWS.lock().unwrap_or_else(PoisonError::into_inner);
            if OURS.load(Ordering::SeqCst) && draws.is_some_and(|id| id != thread::current().id()) {
                tracing::error!("a task failed: {panic}");
                return;
            }
            drop(give_back());
            before(panic);
        }));
    });
}
