//! Hooks that answer what a test says, in order; nobody wants to be asked where nothing is said.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hydroid_core::hook::{HookOutcome, HookPoint, HookVerdict, HookWord};
use hydroid_core::id::ComponentId;
use hydroid_core::ports::{CallContext, Hooks};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use tokio::sync::Notify;

type Answer = Box<dyn FnOnce(Value) -> HookOutcome + Send>;

#[derive(Default)]
pub(crate) struct FakeHooks {
    answers: Mutex<BTreeMap<HookPoint, VecDeque<Answer>>>,
    /// What was asked, in order.
    pub(crate) asked: Mutex<Vec<(HookPoint, Value)>>,
    hang: Mutex<Option<HookPoint>>,
    /// Told when a question hangs.
    pub(crate) hanging: Notify,
}

pub(crate) fn word(text: &str) -> HookWord {
    HookWord { by: ComponentId::new("hook-fake"), text: text.to_owned() }
}

impl FakeHooks {
    /// Says what the next question at a point is answered; after the last it goes on.
    pub(crate) fn at(&self, point: HookPoint, verdict: HookVerdict) {
        self.with(point, |subject| HookOutcome { verdict, ..HookOutcome::proceed(subject) });
    }

    /// The same, with the subject changed.
    pub(crate) fn changes(
        &self,
        point: HookPoint,
        change: impl FnOnce(&mut Value) + Send + 'static,
    ) {
        self.with(point, |mut subject| {
            change(&mut subject);
            HookOutcome { replaced: true, ..HookOutcome::proceed(subject) }
        });
    }

    /// A question at this point is never answered.
    pub(crate) fn hangs(&self, point: HookPoint) {
        *self.hang.lock().unwrap() = Some(point);
    }

    /// A word beside.
    pub(crate) fn notices(&self, point: HookPoint, text: &str) {
        let notices = vec![word(text)];
        self.with(point, |subject| HookOutcome { notices, ..HookOutcome::proceed(subject) });
    }

    fn with(&self, point: HookPoint, answer: impl FnOnce(Value) -> HookOutcome + Send + 'static) {
        let mut answers = self.answers.lock().unwrap();
        answers.entry(point).or_default().push_back(Box::new(answer));
    }

    /// Subjects of one point.
    pub(crate) fn subjects(&self, wanted: HookPoint) -> Vec<Value> {
        let asked = self.asked.lock().unwrap();
        asked
            .iter()
            .filter(|(point, _)| *point == wanted)
            .map(|(_, subject)| subject.clone())
            .collect()
    }
}

impl Hooks for FakeHooks {
    fn wants(&self, point: HookPoint, _: Option<&str>) -> bool {
        *self.hang.lock().unwrap() == Some(point)
            || self.answers.lock().unwrap().contains_key(&point)
    }

    fn ask<'a>(
        &'a self,
        point: HookPoint,
        _: Option<&'a str>,
        subject: Value,
        _: CallContext,
    ) -> BoxFuture<'a, HookOutcome> {
        self.asked.lock().unwrap().push((point, subject.clone()));
        if *self.hang.lock().unwrap() == Some(point) {
            self.hanging.notify_one();
            return std::future::pending().boxed();
        }
        let answer = self.answers.lock().unwrap().get_mut(&point).and_then(VecDeque::pop_front);
        let outcome = match answer {
            Some(answer) => answer(subject),
            None => HookOutcome::proceed(subject),
        };
        async move { outcome }.boxed()
    }
}
