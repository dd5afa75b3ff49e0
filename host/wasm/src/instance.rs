//! One call's store: built from the grant, the limits and the call, dropped when it ends.
//! Instance memory is therefore never state.

use crate::channel::Inbox;
use crate::egress::Egress;
use crate::files::{Files, Staging, Workspace};
use crate::guard::Guard;
use crate::imports::wasi_http::Hooks;
use crate::limits::{Exceeded, Limiter, Limits};
use crate::nested::{Caller, Left};
use crate::still::Still;
use crate::vault::VaultStep;
use crate::wasi::Ring;
use hydroid_core::capability::{Grant, Profile, WebRule};
use hydroid_core::id::ComponentId;
use hydroid_core::manifest::Attach;
use hydroid_core::ports::{CallContext, Clock, KeyValues, Recall, Secrets};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use tokio::time::Instant;
use wasmtime::component::ResourceTable;
use wasmtime::{CallHook, Engine, Store};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder};
use wasmtime_wasi_http::WasiHttpCtx;

/// What all calls of one loaded component share.
#[derive(Clone)]
pub(crate) struct Equipment {
    pub(crate) component: ComponentId,
    /// `sha256:…` of its bytes.
    pub(crate) digest: String,
    pub(crate) grant: Grant,
    pub(crate) limits: Limits,
    /// The component's configuration as JSON.
    pub(crate) config: String,
    /// Secrets it may attach, with where they go.
    pub(crate) secrets: BTreeMap<String, SecretRule>,
    pub(crate) values: Arc<dyn Secrets>,
    /// None while a component is asked what it is: then it can reach nothing.
    pub(crate) workspace: Option<Arc<Workspace>>,
    /// None likewise.
    pub(crate) records: Option<Records>,
    pub(crate) egress: Arc<Egress>,
    /// None likewise.
    pub(crate) guard: Option<Guard>,
    /// It imports `wasi:filesystem`, so its granted roots are preopened.
    pub(crate) wants_preopens: bool,
    /// The same time and chance at each call, while it is tried out.
    pub(crate) still: Option<Still>,
}

/// What outlives a call: the keys of components, and the notes of people.
#[derive(Clone)]
pub(crate) struct Records {
    pub(crate) key_values: Arc<dyn KeyValues>,
    pub(crate) recall: Arc<dyn Recall>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Where a secret may be sent and what is done with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SecretRule {
    pub(crate) audience: Vec<WebRule>,
    pub(crate) attach: Attach,
    pub(crate) optional: bool,
    /// A person obtains it by signing in.
    pub(crate) login: bool,
    /// Secrets whose values may be sent instead.
    pub(crate) rotate: Vec<String>,
}

/// The data of a store.
pub(crate) struct State {
    pub(crate) wasi: WasiCtx,
    pub(crate) http: WasiHttpCtx,
    pub(crate) hooks: Hooks,
    pub(crate) table: ResourceTable,
    pub(crate) limiter: Limiter,
    pub(crate) output: Ring,
    pub(crate) equipment: Arc<Equipment>,
    pub(crate) call: CallContext,
    pub(crate) deadline: Instant,
    pub(crate) requests: Arc<AtomicU32>,
    pub(crate) logged: Logged,
    /// Names of the secrets the last answer refused.
    pub(crate) refused: Vec<String>,
    /// The half of a vault operation this store is for.
    pub(crate) vault: VaultStep,
    /// What the call would do to files, if it is only tried out.
    pub(crate) staged: Option<Staging>,
    /// Where a channel hands in what it received.
    pub(crate) inbox: Option<Inbox>,
    /// What it asks other components through; none where it may not.
    pub(crate) caller: Option<Arc<Caller>>,
    host_calls_left: u64,
    /// Fuel as the last call into the host found it, and as what it asked for left it.
    fuel: Option<u64>,
    fuel_after: Option<u64>,
}

/// Log lines and bytes so far, and what was dropped.
#[derive(Debug, Default)]
pub(crate) struct Logged {
    pub(crate) lines: u32,
    pub(crate) bytes: usize,
    pub(crate) dropped: u64,
}

/// A store for one call that ends at `deadline`.
pub(crate) fn store(
    engine: &Engine,
    equipment: &Arc<Equipment>,
    call: CallContext,
    deadline: Instant,
) -> wasmtime::Result<Store<State>> {
    let output = match &equipment.guard {
        Some(guard) => Ring::scrubbed(guard.scrubber.current()),
        None => Ring::default(),
    };
    let wasi = wasi(equipment, &output)?;
    let limits = &equipment.limits;
    let mut table = ResourceTable::new();
    table.set_max_capacity(limits.resources);
    let requests = Arc::new(AtomicU32::new(0));
    let hooks = Hooks::new(equipment.clone(), call.clone(), requests.clone());
    let state = State {
        wasi,
        http: WasiHttpCtx::new(),
        hooks,
        table,
        limiter: Limiter::new(limits),
        output,
        equipment: equipment.clone(),
        call,
        deadline,
        requests,
        refused: Vec::new(),
        logged: Logged::default(),
        vault: VaultStep::None,
        staged: None,
        inbox: None,
        caller: None,
        host_calls_left: limits.host_calls,
        fuel: None,
        fuel_after: None,
    };
    let mut store = Store::new(engine, state);
    store.limiter(|state| &mut state.limiter);
    refill(&mut store)?;
    store.epoch_deadline_async_yield_and_update(1);
    // Counts every call into the host, WASI's too.
    store.call_hook(|mut context, hook| match hook {
        CallHook::CallingHost => {
            if context.data().caller.is_some() {
                context.data_mut().fuel = context.get_fuel().ok();
            }
            context.data_mut().count_host_call()
        }
        CallHook::ReturningFromHost => match context.data_mut().fuel_after.take() {
            Some(fuel) => context.set_fuel(fuel),
            None => Ok(()),
        },
        CallHook::CallingWasm | CallHook::ReturningFromWasm => Ok(()),
    });
    Ok(store)
}

/// Counts the requests of a store with those of who asked for the call.
pub(crate) fn share_requests(store: &mut Store<State>, requests: &Arc<AtomicU32>) {
    let state = store.data_mut();
    state.requests = requests.clone();
    state.hooks = Hooks::new(state.equipment.clone(), state.call.clone(), requests.clone());
}

/// Makes a store ready for another call: what is counted for each call begins anew, while the
/// memory it holds stays counted.
pub(crate) fn renew(
    store: &mut Store<State>,
    call: CallContext,
    deadline: Instant,
) -> wasmtime::Result<()> {
    let state = store.data_mut();
    let equipment = state.equipment.clone();
    state.requests = Arc::new(AtomicU32::new(0));
    state.hooks = Hooks::new(equipment.clone(), call.clone(), state.requests.clone());
    state.call = call;
    state.deadline = deadline;
    state.logged = Logged::default();
    state.host_calls_left = equipment.limits.host_calls;
    refill(store)
}

/// What one call may use up in the engine.
fn refill(store: &mut Store<State>) -> wasmtime::Result<()> {
    let limits = store.data().equipment.limits;
    store.set_hostcall_fuel(limits.host_call_bytes);
    store.set_epoch_deadline(1);
    // An engine counts for all components or for none, so one without a limit gets all there is.
    if limits.fuel.is_some() || store.get_fuel().is_ok() {
        store.set_fuel(limits.fuel.unwrap_or(u64::MAX))?;
    }
    Ok(())
}

impl State {
    /// The files this call sees; none while a component is asked what it is.
    pub(crate) fn files(&mut self) -> Option<Files<'_>> {
        let workspace = self.equipment.workspace.as_deref()?;
        Some(Files { workspace, staged: self.staged.as_mut() })
    }

    /// What is left of the limits while it waits for another component.
    pub(crate) fn left(&self) -> Left {
        let (memory, table_elements) = self.limiter.left();
        Left { memory, table_elements, host_calls: self.host_calls_left, fuel: self.fuel }
    }

    /// Goes on with what the other one has left of it.
    pub(crate) fn take_left(&mut self, left: Left) {
        self.host_calls_left = left.host_calls;
        self.fuel_after = left.fuel;
    }

    /// Calls into the host so far.
    pub(crate) fn host_calls(&self) -> u64 {
        self.equipment.limits.host_calls.saturating_sub(self.host_calls_left)
    }

    fn count_host_call(&mut self) -> wasmtime::Result<()> {
        match self.host_calls_left.checked_sub(1) {
            Some(left) => {
                self.host_calls_left = left;
                Ok(())
            }
            None => {
                self.limiter.exceeded = Some(Exceeded::HostCalls);
                Err(wasmtime::Error::msg("too many calls into the host"))
            }
        }
    }
}

fn wasi(equipment: &Equipment, output: &Ring) -> wasmtime::Result<WasiCtx> {
    let mut builder = WasiCtxBuilder::new();
    builder
        .stdout(output.clone())
        .stderr(output.clone())
        .max_random_size(equipment.limits.random)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false);
    if let Some(still) = equipment.still {
        still.hold(&mut builder);
    }
    let permission = if equipment.grant.profiles.contains(&Profile::FileReadWrite) {
        Some(FsPerms::ReadWrite)
    } else if equipment.grant.profiles.contains(&Profile::FileReadOnly) {
        Some(FsPerms::ReadOnly)
    } else {
        None
    };
    if let (Some(permission), Some(workspace), true) =
        (permission, &equipment.workspace, equipment.wants_preopens)
    {
        let [(shared, shared_name), (tmp, tmp_name), _] = workspace.roots();
        // WASI opens them by path; what became a link since the workspace was opened is not opened.
        for root in [&shared, &tmp] {
            if !std::fs::symlink_metadata(root).is_ok_and(|metadata| metadata.is_dir()) {
                return Err(wasmtime::Error::msg(
                    "a root of the workspace is not a directory any more",
                ));
            }
        }
        builder.preopened_dir(shared, shared_name, permission)?;
        builder.preopened_dir(tmp, tmp_name, permission)?;
    }
    Ok(builder.build())
}

impl std::fmt::Debug for Equipment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Equipment")
            .field("component", &self.component)
            .field("grant", &self.grant)
            .finish_non_exhaustive()
    }
}
