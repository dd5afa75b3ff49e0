//! Spans as OTLP's protobuf has them: `ExportTraceServiceRequest` of `opentelemetry-proto`, of
//! which a trace needs nine messages. It writes only; nothing is ever read in this format.

use hydroid_core::telemetry::{Span, SpanEvent, SpanKind, Value};

/// `STATUS_CODE_ERROR`.
const FAILED: u64 = 2;

/// The body of a request that hands spans over.
pub(super) fn request(service: &str, version: &str, spans: &[Span]) -> Vec<u8> {
    let resource = [("service.name", service), ("service.version", version)];
    let mut scope = Message::default();
    scope.text(1, "hydroid");
    scope.text(2, version);
    let mut scope_spans = Message::default();
    scope_spans.message(1, scope);
    for span in spans {
        scope_spans.message(2, span_message(span));
    }
    let mut attributes = Message::default();
    for (name, value) in resource {
        attributes.message(1, attribute(name, &value.into()));
    }
    let mut resource_spans = Message::default();
    resource_spans.message(1, attributes);
    resource_spans.message(2, scope_spans);
    let mut request = Message::default();
    request.message(1, resource_spans);
    request.0
}

fn span_message(span: &Span) -> Message {
    let mut message = Message::default();
    message.bytes(1, &span.trace.0);
    message.bytes(2, &span.id.0);
    if let Some(parent) = span.parent {
        message.bytes(4, &parent.0);
    }
    message.text(5, &span.name);
    let kind = match span.kind {
        SpanKind::Internal => 1,
        SpanKind::Client => 3,
    };
    message.number(6, kind);
    message.fixed(7, span.began_ns);
    message.fixed(8, span.ended_ns);
    for (name, value) in &span.attributes {
        message.message(9, attribute(name, value));
    }
    for event in &span.events {
        message.message(11, event_message(event));
    }
    if span.failed.is_some() {
        let mut status = Message::default();
        status.number(3, FAILED);
        message.message(15, status);
    }
    message
}

fn event_message(event: &SpanEvent) -> Message {
    let mut message = Message::default();
    message.fixed(1, event.at_ns);
    message.text(2, event.name);
    for (name, value) in &event.attributes {
        message.message(3, attribute(name, value));
    }
    message
}

fn attribute(name: &str, value: &Value) -> Message {
    let mut message = Message::default();
    message.text(1, name);
    message.message(2, any_value(value));
    message
}

fn any_value(value: &Value) -> Message {
    let mut message = Message::default();
    match value {
        Value::Text(text) => message.text(1, text),
        Value::Number(number) => message.number(3, number.cast_unsigned()),
        Value::Real(number) => message.fixed(4, number.to_bits()),
        Value::Texts(texts) => {
            let mut array = Message::default();
            for text in texts {
                let mut value = Message::default();
                value.text(1, text);
                array.message(1, value);
            }
            message.message(5, array);
        }
    }
    message
}

/// A protobuf message that is being written. Fields are written in order and once, but for
/// repeated ones; an empty value is written too, which every reader takes.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn key(&mut self, field: u64, wire: u64) {
        self.varint(field << 3 | wire);
    }

    fn varint(&mut self, mut value: u64) {
        loop {
            let low = u8::try_from(value & 0x7f).expect("seven bits are a byte");
            value >>= 7;
            if value == 0 {
                return self.0.push(low);
            }
            self.0.push(low | 0x80);
        }
    }

    fn number(&mut self, field: u64, value: u64) {
        self.key(field, 0);
        self.varint(value);
    }

    fn fixed(&mut self, field: u64, bits: u64) {
        self.key(field, 1);
        self.0.extend_from_slice(&bits.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.key(field, 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, field: u64, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    fn message(&mut self, field: u64, message: Self) {
        self.bytes(field, &message.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_protobuf_has_them() {
        let written = |number: u64| {
            let mut message = Message::default();
            message.number(1, number);
            message.0
        };
        assert_eq!(written(1), [0x08, 0x01]);
        assert_eq!(written(150), [0x08, 0x96, 0x01]);
        assert_eq!(written((-1_i64).cast_unsigned()).len(), 11);
        let mut text = Message::default();
        text.text(2, "testing");
        assert_eq!(text.0, b"\x12\x07testing");
    }
}
