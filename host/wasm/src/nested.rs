//! One component calling a tool of another, or starting a child turn that does: who is called by whom, under what is left of both
//! grants, and at whose expense. Whether such a call runs at all is decided where every call is,
//! by the session; nothing here asks a rule or a person.

use crate::catalog::{Catalog, Snapshot, Status};
use crate::check::{self, Refusal};
use crate::component::Loaded;
use crate::instance::Equipment;
use crate::limits::Limits;
use crate::nested::clock::CallClock;
use hydroid_core::capability::{ANY_TOOL, Grant, Profile};
use hydroid_core::config::did_you_mean;
use hydroid_core::id::{CallId, ComponentId, SessionId};
use hydroid_core::message::{Label, Origin};
use hydroid_core::ports::CallContext;
use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub(crate) mod clock;

/// The calls of a host that may ask for others, by whose they are.
#[derive(Debug, Default)]
pub(crate) struct Callers(Mutex<HashMap<(SessionId, CallId), Arc<Caller>>>);

/// A call that runs and may ask for others.
#[derive(Debug)]
pub(crate) struct Caller {
    /// Components from the one the model called down to this one.
    chain: Vec<ComponentId>,
    /// What it may do, its own callers counted.
    grant: Grant,
    /// It came with the release.
    first_party: bool,
    /// What was installed when it began.
    snapshot: Arc<Snapshot>,
    /// How deep it may go.
    nesting: u32,
    /// How many calls it and its callers may cause, and did.
    most_calls: u32,
    calls: Arc<AtomicU32>,
    pub(crate) requests: Arc<AtomicU32>,
    pub(crate) clock: CallClock,
    left: Mutex<Left>,
}

/// What a call that waits has left of its limits.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Left {
    pub(crate) memory: usize,
    pub(crate) table_elements: usize,
    pub(crate) host_calls: u64,
    /// None where nothing counts.
    pub(crate) fuel: Option<u64>,
}

/// Why a tool may not be called by another.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Uncallable {
    /// Not among the tools it was granted.
    #[error(
        "`{component}` may not call the tool `{tool}`: {}; a person can allow it with `hydroid component grant {component} invoke --tool {tool}`, if its manifest names it",
        granted(.tools)
    )]
    NotGranted { component: ComponentId, tool: String, tools: Vec<String> },
    /// Nobody offers it.
    #[error("there is no tool `{tool}`{hint}")]
    NoTool { tool: String, hint: String },
    /// Its component is being called already.
    #[error(
        "`{tool}` is a tool of `{component}`, which is being called already ({chain}); a component is not called from within its own call"
    )]
    Cycle { tool: String, component: ComponentId, chain: String },
    /// Too many calls below one another.
    #[error(
        "{chain} are {depth} calls below one another, and `limits.nesting` is {most}; a person can raise it, or the tools can be called one by one"
    )]
    Depth { chain: String, depth: usize, most: u32 },
    /// Too many calls altogether.
    #[error("this call has caused {most} others, and no more are allowed by `limits.nested_calls`")]
    Many { most: u32 },
    /// Half of a vault copy.
    #[error(
        "`{tool}` takes something out of the vault, which a person approves each time, so no component calls it"
    )]
    Vault { tool: String },
    /// A child turn that would start another one.
    #[error(
        "`{tool}` starts child turns, and only the turn itself does: what it would be asked can be done here, or told in the answer"
    )]
    Delegates { tool: String },
    /// A component or a child turn that would change what the session has taken up.
    #[error(
        "`{tool}` is about the skills of the conversation, which only its own model loads and unloads"
    )]
    Skills { tool: String },
    /// Not among the tools a child turn has.
    #[error(
        "a child turn of `{component}` may not have the tool `{tool}`: {}; a person can allow it with `hydroid component grant {component} delegate --tool {tool}`, if its manifest names it",
        granted(.tools)
    )]
    NotForChildren { component: ComponentId, tool: String, tools: Vec<String> },
    /// What it imports, its caller may not do.
    #[error("`{component}` may not call `{tool}`, which could do more than itself: {why}")]
    More { component: ComponentId, tool: String, why: String },
    /// The caller is gone.
    #[error("the call that asked for this one has ended")]
    Ended,
}

fn granted(tools: &[String]) -> String {
    match tools {
        [] => "it was granted none".to_owned(),
        tools => format!("it was granted {}", tools.join(", ")),
    }
}

/// A call as far as it stands between others.
#[derive(Default)]
pub(crate) struct Between {
    /// Who asked for it.
    pub(crate) within: Option<Arc<Caller>>,
    /// With what it runs, if that is less than its component has.
    equipment: Option<Arc<Equipment>>,
    /// What it asks for others with.
    pub(crate) caller: Option<Arc<Caller>>,
    _entered: Option<Entered>,
}

/// Its place among the calls that may ask for others; dropped when it ends.
struct Entered {
    callers: Arc<Callers>,
    key: (SessionId, CallId),
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.callers.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

impl Between {
    /// What a call stands between; refused if its caller may not call it.
    pub(crate) fn of(
        catalog: &Catalog,
        loaded: &Loaded,
        tool: &str,
        parent: Option<&CallId>,
        context: &CallContext,
    ) -> Result<Self, Uncallable> {
        let callers = catalog.callers();
        let within = match parent {
            None => None,
            Some(parent) => {
                let key = (context.session.clone(), parent.clone());
                let running = callers.0.lock().unwrap_or_else(PoisonError::into_inner);
                Some(running.get(&key).cloned().ok_or(Uncallable::Ended)?)
            }
        };
        // A child turn calls as the turn does: with what the component has that is called, at its own
        // expense. Only how many such calls there are is the caller's.
        let delegated = within.as_ref().filter(|caller| caller.delegates()).cloned();
        if let Some(caller) = &delegated {
            caller.may_have(loaded, tool)?;
            caller.may_still(catalog, tool)?;
            caller.counts()?;
        }
        let within = within.filter(|_| delegated.is_none());
        let equipment = match &within {
            None => None,
            Some(caller) => {
                let grant = caller.may_call(loaded, tool)?;
                let limits = caller.limits(loaded.limits());
                let own = Equipment::clone(&loaded.equipment);
                Some(Arc::new(Equipment { grant, limits, ..own }))
            }
        };
        let grant = equipment.as_ref().map_or(loaded.grant(), |equipment| &equipment.grant);
        let mut between = Self { within, ..Self::default() };
        let asks = grant.profiles.iter().any(|profile| profile.names_tools());
        if let (true, Some(call), true) = (asks, &context.call, context.nested.is_some()) {
            let limits = &catalog.config().limits;
            let limits_of = equipment.as_ref().map_or(loaded.limits(), |own| &own.limits);
            let above = between.within.as_deref();
            let delegating = delegated.as_deref();
            let mut chain =
                above.or(delegating).map(|above| above.chain.clone()).unwrap_or_default();
            chain.push(loaded.name().clone());
            let caller = Arc::new(Caller {
                chain,
                grant: grant.clone(),
                first_party: loaded.first_party,
                snapshot: catalog.snapshot(),
                nesting: limits.nesting,
                most_calls: limits.nested_calls,
                calls: above.or(delegating).map(|above| above.calls.clone()).unwrap_or_default(),
                requests: above.map(|above| above.requests.clone()).unwrap_or_default(),
                clock: CallClock::new(limits_of.call),
                left: Mutex::default(),
            });
            let key = (context.session.clone(), call.clone());
            let mut running = callers.0.lock().unwrap_or_else(PoisonError::into_inner);
            running.insert(key.clone(), caller.clone());
            between.caller = Some(caller);
            between._entered = Some(Entered { callers: callers.clone(), key });
        }
        between.equipment = equipment;
        Ok(between)
    }

    /// What the call runs with.
    pub(crate) fn equipment<'a>(&'a self, loaded: &'a Loaded) -> &'a Arc<Equipment> {
        self.equipment.as_ref().unwrap_or(&loaded.equipment)
    }
}

impl Caller {
    /// Who calls.
    fn name(&self) -> &ComponentId {
        self.chain.last().expect("a call is in its own chain")
    }

    /// What the component of a tool may do when it is called from here.
    pub(crate) fn may_call(&self, loaded: &Loaded, tool: &str) -> Result<Grant, Uncallable> {
        let component = self.name().clone();
        let tool = tool.to_owned();
        if !self.grant.tools.contains(&tool) {
            let tools = self.grant.tools.iter().cloned().collect();
            return Err(Uncallable::NotGranted { component, tool, tools });
        }
        if self.chain.contains(loaded.name()) {
            let (chain, component) = (self.in_words(), loaded.name().clone());
            return Err(Uncallable::Cycle { tool, component, chain });
        }
        if self.chain.len() > self.nesting as usize {
            let (chain, depth) =
                (format!("{} → `{}`", self.in_words(), loaded.name()), self.chain.len());
            return Err(Uncallable::Depth { chain, depth, most: self.nesting });
        }
        let vault = [Profile::VaultReadStep, Profile::VaultWriteStep];
        if vault.iter().any(|step| loaded.grant().profiles.contains(step)) {
            return Err(Uncallable::Vault { tool });
        }
        if loaded.grant().profiles.contains(&Profile::Skills) {
            return Err(Uncallable::Skills { tool });
        }
        let grant = loaded.grant().called_by(&component, &self.grant);
        let more = check::refusals(&component, &loaded.imports, &grant);
        if !more.is_empty() {
            let why = more.iter().map(Refusal::to_string).collect::<Vec<_>>().join("; ");
            return Err(Uncallable::More { component, tool, why });
        }
        Ok(grant)
    }

    /// The same before anybody is asked, by what was installed when the call began. It counts.
    pub(crate) fn may_ask_for(&self, tool: &str) -> Result<(), Uncallable> {
        if !self.grant.tools.contains(tool) {
            let tools = self.grant.tools.iter().cloned().collect();
            let tool = tool.chars().take(64).collect();
            return Err(Uncallable::NotGranted { component: self.name().clone(), tool, tools });
        }
        let Some((loaded, _)) = self.snapshot.tools.get(tool) else {
            let hint = did_you_mean(tool, self.snapshot.tools.keys().map(String::as_str));
            return Err(Uncallable::NoTool { tool: tool.to_owned(), hint });
        };
        self.may_call(loaded, tool)?;
        self.counts()
    }

    /// One more call that it causes.
    pub(crate) fn counts(&self) -> Result<(), Uncallable> {
        let counted = self.calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if counted >= self.most_calls {
            return Err(Uncallable::Many { most: self.most_calls });
        }
        Ok(())
    }

    /// True if its calls are those of a child turn.
    fn delegates(&self) -> bool {
        self.grant.profiles.contains(&Profile::Delegate)
    }

    /// What a child turn of it is handed, of the tools it asks for by name or with [`ANY_TOOL`].
    pub(crate) fn tools_of_child(&self, asked: &[String]) -> Result<BTreeSet<String>, Uncallable> {
        let mut tools = BTreeSet::new();
        for tool in asked {
            if tool == ANY_TOOL {
                let any = self.snapshot.tools.iter();
                let any = any.filter(|(tool, (loaded, _))| self.may_have(loaded, tool).is_ok());
                tools.extend(any.map(|(tool, _)| tool.clone()));
                continue;
            }
            let tool: String = tool.chars().take(64).collect();
            let Some((loaded, _)) = self.snapshot.tools.get(&tool) else {
                let hint = did_you_mean(&tool, self.snapshot.tools.keys().map(String::as_str));
                return Err(Uncallable::NoTool { tool, hint });
            };
            self.may_have(loaded, &tool)?;
            tools.insert(tool);
        }
        Ok(tools)
    }

    /// Whether a child turn of it may have a tool.
    fn may_have(&self, loaded: &Loaded, tool: &str) -> Result<(), Uncallable> {
        if loaded.grant().profiles.contains(&Profile::Delegate) {
            return Err(Uncallable::Delegates { tool: tool.to_owned() });
        }
        let vault = [Profile::VaultReadStep, Profile::VaultWriteStep];
        if vault.iter().any(|step| loaded.grant().profiles.contains(step)) {
            return Err(Uncallable::Vault { tool: tool.to_owned() });
        }
        if loaded.grant().profiles.contains(&Profile::Skills) {
            return Err(Uncallable::Skills { tool: tool.to_owned() });
        }
        if !self.grant.has_tool(tool) {
            let (component, tool) = (self.name().clone(), tool.to_owned());
            let tools = self.grant.tools.iter().cloned().collect();
            return Err(Uncallable::NotForChildren { component, tool, tools });
        }
        Ok(())
    }

    /// The same by the grant of this moment: a child turn works long enough for a person to take
    /// something back.
    fn may_still(&self, catalog: &Catalog, tool: &str) -> Result<(), Uncallable> {
        let now = match catalog.get(self.name().as_str()).as_deref().map(|its| &its.status) {
            Some(Status::Ready(loaded)) => loaded.grant().clone(),
            Some(Status::Refused(_)) | None => Grant::default(),
        };
        if now.profiles.contains(&Profile::Delegate) && now.has_tool(tool) {
            return Ok(());
        }
        let (component, tool) = (self.name().clone(), tool.to_owned());
        Err(Uncallable::NotForChildren { component, tool, tools: now.tools.into_iter().collect() })
    }

    /// Who wrote what a child turn of it is to do.
    pub(crate) fn author(&self) -> Label {
        if self.first_party {
            return Label::host();
        }
        Label::tool(self.name().clone(), "its task", Origin::Unknown)
    }

    /// Notes what is left while it waits.
    pub(crate) fn waits_with(&self, left: Left) {
        *self.left() = left;
    }

    /// Takes what a call it asked for has used up.
    pub(crate) fn pays(&self, host_calls: u64, fuel: Option<u64>, time: Duration) {
        let mut left = self.left();
        left.host_calls = left.host_calls.saturating_sub(host_calls);
        left.fuel = left.fuel.map(|left| left.saturating_sub(fuel.unwrap_or_default()));
        self.clock.spend(time);
    }

    /// What is left now.
    pub(crate) fn has_left(&self) -> Left {
        *self.left()
    }

    fn left(&self) -> std::sync::MutexGuard<'_, Left> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The limits of a component that is called from here: its own, and no more than is left.
    fn limits(&self, own: &Limits) -> Limits {
        let left = *self.left();
        Limits {
            memory: own.memory.min(left.memory),
            table_elements: own.table_elements.min(left.table_elements),
            host_calls: own.host_calls.min(left.host_calls),
            fuel: match (own.fuel, left.fuel) {
                (Some(own), Some(left)) => Some(own.min(left)),
                (one, other) => one.or(other),
            },
            call: own.call.min(self.clock.left()),
            ..*own
        }
    }

    fn in_words(&self) -> String {
        let names: Vec<String> = self.chain.iter().map(|name| format!("`{name}`")).collect();
        names.join(" → ")
    }
}
