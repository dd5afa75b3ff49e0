//! Models with a meter: each request is in the ledger before it is sent, what it cost is there
//! before anybody is shown the end of its answer, and none is sent that a budget has no money for.
//! Everything that asks a model does it through here, so there is one place that counts.

use crate::settings::MAIN_AGENT;
use futures_util::future::{BoxFuture, FutureExt as _};
use hydroid_core::config::{Config, MoneyBudget, Span};
use hydroid_core::id::{ComponentId, UserId};
use hydroid_core::message::Usage;
use hydroid_core::models::Models;
use hydroid_core::money::{Money, PriceList, day_began, month_began};
use hydroid_core::ports::{
    CallContext, Charge, Clock, Completion, Ledger, Model, ModelError, ModelEvent, ModelRequest,
    RateLimit, RateLimits, RateWindows, RequestNumber, Since, StoreError,
};
use std::sync::Arc;

/// How often what an answer has cost so far is kept while it comes. A service may count with
/// every word; what a cancelled answer loses is at most the last second.
const KEEP_EVERY_MS: u64 = 1_000;

/// Kinds of failure after which a service may have worked, and may charge for it. Behind all
/// others stands a refusal, which costs nothing.
const MAY_COST: [&str; 4] = ["timeout", "cancelled", "internal", "other"];

/// A model port that keeps account.
pub struct Metered {
    model: Arc<dyn Model>,
    ledger: Arc<dyn Ledger>,
    limits: Arc<dyn RateLimits>,
    clock: Arc<dyn Clock>,
    models: Arc<Models>,
    budgets: Vec<MoneyBudget>,
}

impl Metered {
    /// Puts a meter on a model port.
    pub fn new(
        model: Arc<dyn Model>,
        ledger: Arc<dyn Ledger>,
        limits: Arc<dyn RateLimits>,
        clock: Arc<dyn Clock>,
        models: Arc<Models>,
        config: &Config,
    ) -> Self {
        Self { model, ledger, limits, clock, models, budgets: config.money_budgets() }
    }

    async fn begin(
        &self,
        mut request: ModelRequest,
        context: CallContext,
    ) -> Result<Box<dyn Completion>, ModelError> {
        let facts = self.models.facts(request.provider.as_str(), &request.model);
        let facts = facts.map_err(|error| failed(format!("what is known of the model `{}` cannot be read: {error}; `hydroid model verify` says more", request.model)))?;
        // Another model than the one it was made for may answer less at once.
        if let (Some(most), Some(limit)) = (request.max_tokens, facts.output) {
            request.max_tokens = Some(most.min(limit));
        }
        let prices = facts.prices;
        self.afford(&request, &context, &prices).await?;
        let charge = Charge {
            user: context.user.clone(),
            agent: MAIN_AGENT.to_owned(),
            session: context.session.clone(),
            turn: context.turn.clone(),
            provider: request.provider.clone(),
            model: request.model.clone(),
            at_ms: self.clock.now_ms(),
        };
        let number = self.ledger.begin(charge).await.map_err(not_kept)?;
        let said = Said {
            limits: Arc::clone(&self.limits),
            user: context.user.clone(),
            provider: request.provider.clone(),
            model: request.model.clone(),
        };
        let mut account = Account {
            ledger: Arc::clone(&self.ledger),
            clock: Arc::clone(&self.clock),
            number,
            prices,
            usage: None,
            kept: None,
            kept_ms: 0,
        };
        match self.model.complete(request, context).await {
            Ok(completion) => {
                Ok(Box::new(MeteredCompletion { completion, account, said, came: false }))
            }
            Err(error) => {
                account.refused(&error).await?;
                Err(error)
            }
        }
    }

    /// Refuses a request that a budget has no money for, or whose cost nobody could tell.
    async fn afford(
        &self,
        request: &ModelRequest,
        context: &CallContext,
        prices: &PriceList,
    ) -> Result<(), ModelError> {
        for budget in &self.budgets {
            let key = budget.key;
            if !prices.is_known() {
                return Err(no_money(format!(
                    "`{key}` is set and nobody knows what `{}` costs, so it was not asked; set `model.prices.input` and `model.prices.output`, or take `{key}` out",
                    request.model
                )));
            }
            let now_ms = self.clock.now_ms();
            let (since, what, next) = match budget.span {
                // The turn keeps its own.
                Span::Turn => continue,
                Span::Session => {
                    let session = Some(&context.session);
                    (Since { from_ms: 0, session }, "this session has", "begin a new session")
                }
                Span::Day => (since(day_began(now_ms)), "today has", "go on tomorrow (UTC)"),
                Span::Month => (since(month_began(now_ms)), "this month has", "go on next month"),
            };
            let spent = self.ledger.spent(&context.user, since).await.map_err(not_kept)?;
            if spent.known >= budget.limit {
                return Err(no_money(format!(
                    "{what} cost {} of {}, so the model was not asked again; raise `{key}`, or {next}",
                    spent.money(),
                    budget.limit
                )));
            }
        }
        Ok(())
    }
}

fn since(from_ms: u64) -> Since<'static> {
    Since { from_ms, session: None }
}

impl Model for Metered {
    fn complete(
        &self,
        request: ModelRequest,
        context: CallContext,
    ) -> BoxFuture<'_, Result<Box<dyn Completion>, ModelError>> {
        self.begin(request, context).boxed()
    }
}

/// One request in the ledger.
struct Account {
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    number: RequestNumber,
    prices: PriceList,
    /// As the service last said.
    usage: Option<Usage>,
    kept: Option<Usage>,
    kept_ms: u64,
}

/// Who would have said how much may still be asked, and where that is kept.
struct Said {
    limits: Arc<dyn RateLimits>,
    user: UserId,
    provider: ComponentId,
    model: String,
}

struct MeteredCompletion {
    completion: Box<dyn Completion>,
    account: Account,
    said: Said,
    /// A part of the answer was there.
    came: bool,
}

impl Completion for MeteredCompletion {
    fn next(&mut self) -> BoxFuture<'_, Result<Vec<ModelEvent>, ModelError>> {
        async move {
            match self.completion.next().await {
                Ok(events) => {
                    let first = !std::mem::replace(&mut self.came, true);
                    let over = events.is_empty()
                        || events.iter().any(|event| matches!(event, ModelEvent::Finished(_)));
                    self.said.keep(&events, self.account.clock.now_ms()).await;
                    let events = self.account.charged(events, first);
                    self.account.keep(over).await?;
                    Ok(events)
                }
                Err(error) if self.came => {
                    self.account.keep(true).await?;
                    Err(error)
                }
                Err(error) => {
                    self.account.refused(&error).await?;
                    Err(error)
                }
            }
        }
        .boxed()
    }
}

impl Said {
    /// Keeps what a service said of its limits. Nothing depends on it, so a failure is only told.
    async fn keep(&self, events: &[ModelEvent], at_ms: u64) {
        let said = events.iter().rev().find_map(|event| match event {
            ModelEvent::Other { kind, json } if kind == RateWindows::EVENT => {
                RateWindows::of_event(json)
            }
            _ => None,
        });
        let Some(windows) = said else { return };
        let (provider, model) = (self.provider.clone(), self.model.clone());
        let said = RateLimit { provider, model, at_ms, windows };
        if let Err(error) = self.limits.keep_limits(&self.user, said).await {
            tracing::warn!(%error, "what a service said of its limits could not be kept");
        }
    }
}

impl Account {
    /// The events, each count of tokens with what they cost. Until the first one nobody knows,
    /// which is said at the beginning, since there may never be one.
    fn charged(&mut self, events: Vec<ModelEvent>, first: bool) -> Vec<ModelEvent> {
        let mut charged = Vec::with_capacity(events.len());
        if first && !events.is_empty() {
            charged.push(ModelEvent::Charged(self.unsaid()));
        }
        for event in events {
            if let ModelEvent::Usage(usage) = event {
                self.usage = Some(usage);
                charged.push(event);
                charged.push(ModelEvent::Charged(self.prices.cost(&usage)));
            } else if !matches!(event, ModelEvent::Charged(_)) {
                charged.push(event);
            }
        }
        charged
    }

    /// What an answer costs whose service does not say how many tokens it took: nothing, if no
    /// answer of its model costs anything.
    fn unsaid(&self) -> Option<Money> {
        self.prices.is_free().then_some(Money::ZERO)
    }

    /// Keeps the last count, the first time and the last, and now and then in between.
    async fn keep(&mut self, over: bool) -> Result<(), ModelError> {
        let Some(usage) = self.usage.filter(|usage| self.kept != Some(*usage)) else {
            if over && self.usage.is_none() && self.prices.is_free() {
                self.settle(Usage::default(), Some(Money::ZERO)).await?;
            }
            return Ok(());
        };
        let now_ms = self.clock.now_ms();
        let due = now_ms.saturating_sub(self.kept_ms) >= KEEP_EVERY_MS;
        if over || self.kept.is_none() || due {
            self.settle(usage, self.prices.cost(&usage)).await?;
            (self.kept, self.kept_ms) = (Some(usage), now_ms);
        }
        Ok(())
    }

    /// A request that was refused as a whole costs nothing; of one that broke off, or that reached
    /// a service which may have worked on it, nobody knows.
    async fn refused(&mut self, error: &ModelError) -> Result<(), ModelError> {
        if (MAY_COST.contains(&error.kind.as_str()) || error.sent) && !self.prices.is_free() {
            return Ok(());
        }
        self.settle(Usage::default(), Some(Money::ZERO)).await
    }

    async fn settle(&self, usage: Usage, cost: Option<Money>) -> Result<(), ModelError> {
        self.ledger.settle(self.number, usage, cost).await.map_err(not_kept)
    }
}

fn not_kept(error: StoreError) -> ModelError {
    tracing::error!(%error, cause = ?std::error::Error::source(&error), "the ledger failed");
    failed(format!("what the request costs could not be kept, so it does not go on: {error}"))
}

fn failed(message: String) -> ModelError {
    ModelError { kind: "internal".to_owned(), message, retry_after_ms: None, sent: false }
}

fn no_money(message: String) -> ModelError {
    ModelError { kind: ModelError::BUDGET.to_owned(), message, retry_after_ms: None, sent: false }
}

impl std::fmt::Debug for Metered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metered").field("budgets", &self.budgets).finish_non_exhaustive()
    }
}
