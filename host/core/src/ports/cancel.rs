//! The polite half of cancellation: a flag that can be looked at, or waited for. The hard half is
//! dropping the future.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// Set once by who wants something to end, and read by who does it.
#[derive(Clone, Debug, Default)]
pub struct CancelFlag(Arc<Flag>);

#[derive(Debug, Default)]
struct Flag {
    is_set: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
}

/// Ends when its flag is set.
#[derive(Debug)]
pub struct Cancelled(Arc<Flag>);

impl CancelFlag {
    /// Asks the holder to stop.
    pub fn cancel(&self) {
        self.0.is_set.store(true, Ordering::Release);
        let waiting = std::mem::take(&mut *self.0.waiting());
        waiting.into_iter().for_each(Waker::wake);
    }

    /// True once somebody asked.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_set.load(Ordering::Acquire)
    }

    /// Waits until somebody asks.
    pub fn cancelled(&self) -> Cancelled {
        Cancelled(Arc::clone(&self.0))
    }
}

impl Flag {
    fn waiting(&self) -> std::sync::MutexGuard<'_, Vec<Waker>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Future for Cancelled {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut waiting = self.0.waiting();
        // Looked at behind the lock: who sets it takes the list afterwards.
        if self.0.is_set.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        if !waiting.iter().any(|waker| waker.will_wake(context.waker())) {
            waiting.push(context.waker().clone());
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    #[derive(Default)]
    struct Counted(AtomicUsize);

    impl Wake for Counted {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn who_waits_is_woken_once_and_who_comes_later_does_not_wait() {
        let flag = CancelFlag::default();
        let counted = Arc::new(Counted::default());
        let waker = Waker::from(counted.clone());
        let mut context = Context::from_waker(&waker);
        let mut waits = Box::pin(flag.cancelled());
        for _ in 0..3 {
            assert!(waits.as_mut().poll(&mut context).is_pending());
        }
        flag.clone().cancel();
        assert_eq!(counted.0.load(Ordering::SeqCst), 1);
        assert!(waits.as_mut().poll(&mut context).is_ready() && flag.is_cancelled());
        assert!(Box::pin(flag.cancelled()).as_mut().poll(&mut context).is_ready());
    }
}
