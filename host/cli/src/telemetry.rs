//! Where spans go that are told of turns: to the configured endpoint, through the same door as
//! everything else. One exporter serves the process, as one log does, whoever's turn it is.

use crate::wire::Ground;
use anyhow::{Context, Result, bail};
use futures_util::FutureExt as _;
use hydroid_agent::{ExportParts, Exporter, Offered};
use hydroid_core::ports::{Secrets, SpanCounts, Telemetry};
use hydroid_wasm::egress::{Egress, Post, Target};
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

/// The exporter of this process.
static EXPORTER: OnceLock<Exporter> = OnceLock::new();

/// How the door knows this sender.
const SENDER: &str = "telemetry";

/// What OTLP calls its spans over HTTP.
const PROTOBUF: &str = "application/x-protobuf";

/// The port for spans of this ground's user; none where no endpoint is configured.
pub(crate) fn of(ground: &Ground) -> Result<Option<Arc<dyn Telemetry>>> {
    let Some(url) = ground.config.telemetry.traces_url() else { return Ok(None) };
    let exporter = match EXPORTER.get() {
        Some(exporter) => exporter,
        None => {
            let exporter = start(ground, &url)?;
            EXPORTER.get_or_init(|| exporter)
        }
    };
    Ok(Some(exporter.of(ground.scrubber.clone())))
}

/// Waits until the spans so far are handed over, but not for long.
pub(crate) async fn flush() {
    if let Some(exporter) = EXPORTER.get() {
        exporter.flush().await;
    }
}

/// What became of spans so far; none where they go nowhere.
pub(crate) fn counts() -> Option<SpanCounts> {
    EXPORTER.get().map(Exporter::counts)
}

fn start(ground: &Ground, url: &str) -> Result<Exporter> {
    let settings = &ground.config.telemetry;
    let target = Target::parse(url).context("in `telemetry.otlp_endpoint`")?;
    let egress = Arc::new(ground.egress_that_opens(Post::own_addresses(&target))?);
    let mut post = Post::to(SENDER, target, PROTOBUF).context("in `telemetry.otlp_endpoint`")?;
    for (header, secret) in &settings.headers {
        post = with_secret(ground, post, header, secret)
            .with_context(|| format!("in `telemetry.headers.{header}`"))?;
    }
    let post = Arc::new(post);
    Ok(Exporter::start(ExportParts {
        service: settings.service_name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        sampling: settings.sampling,
        content: settings.content,
        offer: Box::new(move |body| {
            let (post, egress) = (Arc::clone(&post), Arc::clone(&egress));
            async move { offered(&post, &egress, body).await }.boxed()
        }),
        random: Arc::new(|| getrandom::u64().unwrap_or_default()),
        now_ns: Arc::new(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
        }),
    }))
}

fn with_secret(ground: &Ground, post: Post, header: &str, secret: &str) -> Result<Post> {
    let value = tokio::task::block_in_place(|| ground.secrets.value(&ground.user(), secret))?;
    let Some(value) = value else {
        bail!("the secret `{secret}` is not set; `hydroid secret set {secret}` sets it");
    };
    let audience = ground.config.secrets.get(secret).map(|source| source.hosts.as_slice());
    let with = post.with_header(header, secret, audience.unwrap_or_default(), value);
    with.with_context(|| format!("`secrets.{secret}.hosts` says where the secret may go"))
}

/// What became of one request. As OTLP has it, some refusals may pass and the others will not.
async fn offered(post: &Post, egress: &Egress, body: Vec<u8>) -> Offered {
    match post.send(egress, body).await {
        Ok(200..=299) => Offered::Taken,
        Ok(status @ (429 | 502..=504)) => Offered::Later(format!("it answers with {status}")),
        Ok(status) => Offered::Refused(format!("it answers with {status}")),
        Err(error) => Offered::Later(error.to_string()),
    }
}
