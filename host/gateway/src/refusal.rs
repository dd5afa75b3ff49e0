//! A refusal as HTTP says it: a status, and the same code and sentence that the protocol has.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use hydroid_core::protocol::{ErrorCode, RequestError};

/// A request that was refused.
#[derive(Debug)]
pub(crate) struct Refusal(pub(crate) RequestError);

impl Refusal {
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self(RequestError::new(code, message))
    }
}

impl From<RequestError> for Refusal {
    fn from(error: RequestError) -> Self {
        Self(error)
    }
}

/// The status of a code.
pub(crate) fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::BadMessage
        | ErrorCode::UnsupportedProtocol
        | ErrorCode::OutOfOrder
        | ErrorCode::Invalid => StatusCode::BAD_REQUEST,
        ErrorCode::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorCode::Forbidden => StatusCode::FORBIDDEN,
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorCode::NothingRuns
        | ErrorCode::TurnRuns
        | ErrorCode::NotAsked
        | ErrorCode::Ambiguous
        | ErrorCode::Cancelled
        | ErrorCode::Occupied
        | ErrorCode::Stopped => StatusCode::CONFLICT,
        ErrorCode::Busy | ErrorCode::RateLimited | ErrorCode::LimitReached => {
            StatusCode::TOO_MANY_REQUESTS
        }
        ErrorCode::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
        ErrorCode::Internal | ErrorCode::Other => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(error) = self;
        let mut response =
            (status(error.code), Json(serde_json::json!({ "error": &error }))).into_response();
        if error.code == ErrorCode::Unauthenticated {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(ms) = error.retry_after_ms
            && let Ok(seconds) = HeaderValue::from_str(&ms.div_ceil(1_000).to_string())
        {
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}
