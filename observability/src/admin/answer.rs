//! Answers: what every one of them carries, and how they are made.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Response, StatusCode,
    body::Body as HttpBody,
    header::{self, HeaderValue},
};
use serde_json::Value;

use super::Body;

/// Marks an answer whose body may last; [`super::server`] lifts the time limit of its connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream;

/// A short text.
#[must_use]
pub fn text_answer(status: StatusCode, text: &str) -> Response<Body> {
    answer(status, "text/plain; charset=utf-8", format!("{text}\n"))
}

/// A JSON document.
#[must_use]
pub fn json_answer(status: StatusCode, json: &Value) -> Response<Body> {
    answer(status, "application/json", format!("{json}\n"))
}

/// A body that lasts, such as server-sent events (`text/event-stream`): at most [`super::STREAMS_MAX`] at once.
#[must_use]
pub fn stream_answer<B>(content_type: &'static str, body: B) -> Response<Body>
where
    B: HttpBody<Data = Bytes, Error = std::convert::Infallible> + Send + 'static,
{
    let mut response = with_headers(StatusCode::OK, content_type, body.boxed_unsync());
    response.extensions_mut().insert(Stream);
    response
}

pub(super) fn answer(status: StatusCode, content_type: &'static str, body: String) -> Response<Body> {
    with_headers(status, content_type, Full::new(Bytes::from(body)).boxed_unsync())
}

fn with_headers(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // The page has no script; were one smuggled in, it would not run.
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        StatusCode::UNAUTHORIZED => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        _ => {}
    }
    response
}
