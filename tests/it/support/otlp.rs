//! A service that takes spans as OTLP has them, read with the messages that OpenTelemetry
//! publishes for Rust. No test.

use crate::support::http;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value as Any};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long spans may take to come.
const LONGEST: Duration = Duration::from_secs(30);

/// A running service. Its thread ends with the process.
pub(crate) struct Collector {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// The first line.
    pub(crate) request: String,
    /// Header lines in lower case as far as the colon.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Collector {
    /// Answers everything with this status; 0 is for one that never answers.
    pub(crate) fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port of the loopback address");
        let address = listener.local_addr().expect("a bound listener has an address");
        let received = Arc::<Mutex<Vec<Received>>>::default();
        let kept = Arc::clone(&received);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let kept = Arc::clone(&kept);
                std::thread::spawn(move || drop(serve(stream, status, &kept)));
            }
        });
        Self { address, received }
    }

    /// The setting that sends spans here.
    pub(crate) fn setting(&self) -> String {
        format!("telemetry.otlp_endpoint=http://{}", self.address)
    }

    /// All requests so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().expect("no holder panics").clone()
    }

    /// All spans, once one of this name is among them.
    #[track_caller]
    pub(crate) fn spans_with(&self, name: &str) -> Vec<Span> {
        let until = Instant::now() + LONGEST;
        loop {
            let spans = self.spans();
            if spans.iter().any(|span| span.name == name) {
                return spans;
            }
            assert!(Instant::now() < until, "no span `{name}` came: {spans:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// All spans so far.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let requests = self.received().into_iter().map(|received| received.decoded());
        let resources = requests.flat_map(|request| request.resource_spans);
        let scopes = resources.flat_map(|resource| resource.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }
}

impl Received {
    pub(crate) fn decoded(&self) -> ExportTraceServiceRequest {
        ExportTraceServiceRequest::decode(self.body.as_slice()).expect("a request of OTLP")
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The text or number of an attribute, as text.
pub(crate) fn attribute(attributes: &[KeyValue], name: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == name)?;
    match found.value.clone()?.value? {
        Any::StringValue(text) => Some(text),
        Any::IntValue(number) => Some(number.to_string()),
        Any::DoubleValue(number) => Some(number.to_string()),
        Any::ArrayValue(values) => Some(format!("{:?}", values.values)),
        other => panic!("`{name}` is {other:?}"),
    }
}

fn serve(stream: TcpStream, status: u16, kept: &Mutex<Vec<Received>>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(LONGEST))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    loop {
        let Some(http::Request { line: request, headers, body }) = http::read(&mut reader)? else {
            return Ok(());
        };
        kept.lock().expect("no holder panics").push(Received { request, headers, body });
        if status == 0 {
            std::thread::sleep(LONGEST);
            return Ok(());
        }
        write!(writer, "HTTP/1.1 {status} Said\r\nContent-Length: 0\r\n\r\n")?;
    }
}
