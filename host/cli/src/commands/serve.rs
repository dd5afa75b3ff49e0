//! `hydroid serve`: the daemon itself, in the foreground. It puts together what is served and
//! waits for the end.

use crate::administration::{Administrator, begin_anew};
use crate::args::Serve;
use crate::daemon::{Control, Only, Order, Running, Tokens, Users, answer_orders};
use crate::env::Environment;
use crate::exit::{Exit, usage};
use crate::load::Setting;
use crate::paths::Paths;
use crate::wire::{Ground, SystemClock};
use crate::{telemetry, terminal};
use anyhow::{Context, Result};
use hydroid_core::id::UserId;
use hydroid_core::ports::{Clock, Household, SecretValue, Secrets};
use hydroid_core::protocol::Request;
use hydroid_gateway::{Gateway, GatewayParts, ServeError, TlsFiles, TokenStore};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

/// Runs the command.
pub(crate) async fn run(
    serve: Serve,
    environment: Arc<Environment>,
    mut settings: Vec<Setting>,
) -> Result<Exit> {
    if serve.detached {
        // A session of its own: the terminal that it was started from takes nothing along.
        rustix::process::setsid().context("no session of its own could be begun")?;
    }
    settings.extend(bind_setting(&serve)?);
    // Before anything is compiled, so that one that starts is known.
    let only = Only::take(&Paths::find(&environment)?)?;
    let ground = Ground::lay(Arc::clone(&environment), &settings)?;
    let again = Arc::new(Notify::new());
    let administrator =
        Administrator::new(Arc::clone(&environment), settings.clone(), Arc::clone(&again));
    let users = Arc::new(Users::with(&ground, environment, settings).await?);
    let token = new_token()?;
    let tokens = Arc::new(Tokens::of(&ground.paths));
    let parts = GatewayParts {
        household: Arc::clone(&users) as Arc<dyn Household>,
        administration: Some(Arc::new(administrator)),
        tokens: Arc::clone(&tokens) as Arc<dyn TokenStore>,
        local: (SecretValue::new(token.clone()), ground.user()),
        webhook_secrets: webhook_secrets(&ground)?,
        clock: Arc::new(SystemClock),
        config: ground.config.gateway.clone(),
        tls: tls_files(&ground)?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        run: uuid::Uuid::now_v7().to_string(),
    };
    let bound = Gateway::bind(parts).await.map_err(|error| match error {
        error @ (ServeError::Exposed(_) | ServeError::NoToken(_)) => usage(error.to_string()),
        error => error.into(),
    })?;
    let control = Control::listen(&ground.paths)?;
    let url = format!("{}://{}", bound.scheme(), bound.address());
    let started_ms = SystemClock.now_ms();
    let pid = std::process::id();
    only.announce(&Running { pid, url: url.clone(), token, started_ms })?;
    terminal::say(&format!("listening on {url}; `hydroid web` lets a browser in"));
    // Not before nothing can keep it from serving any more.
    let taking_up = tokio::spawn(take_up(Arc::clone(&users), tokens));
    let door = bound.door();
    let (address, mut anew) = (bound.address(), false);
    let over = async {
        let answer = |order: &Order| match order {
            Order::Status => json!({
                "pid": pid,
                "url": url,
                "version": env!("CARGO_PKG_VERSION"),
                "started_ms": started_ms,
                "connections": door.connections(),
            }),
            Order::Link => match door.link() {
                Ok(link) => json!({ "link": format!("{url}{link}") }),
                Err(problem) => json!({ "error": problem }),
            },
            Order::Stop | Order::Ask { .. } => json!({ "pid": pid }),
        };
        let orders = answer_orders(&control, answer, |user, request| {
            let users = Arc::clone(&users);
            Box::pin(async move { answer_of(&*users, &user, request).await })
        });
        tokio::select! {
            () = orders => {}
            () = signalled() => {}
            () = again.notified() => anew = true,
        }
        terminal::say("ending: what runs is recorded");
    };
    bound.serve(over).await;
    taking_up.abort();
    drop((only, control));
    if anew {
        // What follows is another process in place of this one.
        telemetry::flush().await;
        let address = serve.bind.is_some().then_some(address);
        return Err(begin_anew(address));
    }
    Ok(Exit::Done)
}

/// Goes on with what waits since an earlier run, for everybody who was given a token.
async fn take_up(users: Arc<Users>, tokens: Arc<Tokens>) {
    let of = match tokens.book() {
        Ok(book) => book.tokens().iter().map(|token| token.user.clone()).collect(),
        Err(error) => {
            tracing::warn!(%error, "the tokens cannot be read, so only your own sessions go on");
            BTreeSet::new()
        }
    };
    users.take_up(of).await;
}

/// What a command is told that asks as a client would.
async fn answer_of(users: &dyn Household, user: &UserId, request: Request) -> Value {
    let answered = async { users.of(user).await?.request(request).await }.await;
    match answered {
        Ok(reply) => json!({ "reply": reply }),
        Err(error) => json!({ "error": error }),
    }
}

/// What `--bind` sets.
pub(crate) fn bind_setting(serve: &Serve) -> Result<Option<Setting>> {
    let Some(bind) = &serve.bind else { return Ok(None) };
    if bind.parse::<SocketAddr>().is_err() {
        return Err(usage(format!(
            "`--bind {bind}` is no address with a port; write `127.0.0.1:7717` or `[::1]:7717`"
        )));
    }
    Ok(Some(Setting::new("--bind", "gateway.bind", bind.as_str())))
}

/// Resolves at Ctrl-C or a polite kill.
pub(super) async fn signalled() {
    let watch = |kind| signal(kind);
    match (watch(SignalKind::interrupt()), watch(SignalKind::terminate())) {
        (Ok(mut interrupt), Ok(mut terminate)) => {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(%error, "signals cannot be watched");
            std::future::pending().await
        }
    }
}

fn new_token() -> Result<String> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).context("the system gives no random numbers")?;
    use base64::Engine as _;
    Ok(format!("hyd_{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random)))
}

pub(crate) fn tls_files(ground: &Ground) -> Result<Option<TlsFiles>> {
    let gateway = &ground.config.gateway;
    let (Some(cert), Some(key)) = (&gateway.tls_cert, &gateway.tls_key) else { return Ok(None) };
    let read = |name: &str, file: &str| {
        let path = ground.paths.config.join(file);
        std::fs::read(&path)
            .with_context(|| format!("`{name}` is `{}`, which cannot be read", path.display()))
    };
    Ok(Some(TlsFiles {
        certificates: read("gateway.tls_cert", cert)?,
        key: read("gateway.tls_key", key)?,
    }))
}

fn webhook_secrets(ground: &Ground) -> Result<Vec<(String, SecretValue)>> {
    let user = ground.user();
    let mut secrets = Vec::new();
    for (name, hook) in &ground.config.gateway.webhooks {
        let value = tokio::task::block_in_place(|| ground.secrets.value(&user, &hook.secret));
        let value = value.with_context(|| format!("in `gateway.webhooks.{name}.secret`"))?;
        let value = value.with_context(|| {
            format!(
                "`gateway.webhooks.{name}.secret` names the secret `{0}`, which is not set; `hydroid secret set {0}` sets it",
                hook.secret
            )
        })?;
        secrets.push((name.clone(), value));
    }
    Ok(secrets)
}

/// What the daemon's own output goes to when it was started in the background.
pub(crate) fn output_of(paths: &Paths) -> std::path::PathBuf {
    paths.run().join("serve.log")
}
